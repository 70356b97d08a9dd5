"""Arguments that several verbs have. Imports nothing heavy."""

from __future__ import annotations

import argparse

DELETES = "allow real AWS, where messages are deleted"


def url_argument(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--url", help="address of the daemon (default: that of HEADRACE_LISTEN, else http://127.0.0.1:9470)"
    )


def config_arguments(verb: argparse.ArgumentParser, real: str = DELETES) -> None:
    verb.add_argument("config", metavar="CONFIG", nargs="*", help="files or directories (default: ./headrace.yaml)")
    aws_arguments(verb, real)


def aws_arguments(verb: argparse.ArgumentParser, real: str = DELETES) -> None:
    verb.add_argument("--endpoint-url", metavar="URL", help="endpoint of every AWS service")
    verb.add_argument("--region", help="AWS region")
    verb.add_argument("--profile", help="AWS profile")
    verb.add_argument("--real-aws", action="store_const", const=True, help=real)


def config_option(verb: argparse.ArgumentParser, default: object = None) -> None:
    """The configuration, for a verb that takes something else without an option."""
    verb.add_argument(
        "--config", action="append", metavar="CONFIG", default=default, help="configuration (default: ./headrace.yaml)"
    )


def state_option(verb: argparse.ArgumentParser, default: object = None) -> None:
    verb.add_argument("--state", metavar="DIR", default=default, help="the state directory")


def yes_option(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("-y", "--yes", action="store_true", help="do not ask")


def template_arguments(verb: argparse.ArgumentParser) -> None:
    group = verb.add_argument_group("templates of SAM, CloudFormation, CDK, Serverless and Terraform")
    group.add_argument("--parameter", metavar="K=V", action="append", help="value of a parameter; may be given again")
    group.add_argument("--stack", metavar="NAME", help="name of the stack; of an assembly of CDK, the one to run")
    group.add_argument("--config-env", metavar="NAME", help="section of samconfig.toml (default: default)")
    group.add_argument("--account", metavar="ID", help="account of the endpoint (default: 000000000000)")
    group.add_argument(
        "--bind", metavar="ID=ARN", action="append", help="ARN, or URL of a queue, of what exists for a logical id"
    )
    group.add_argument("--env-vars", metavar="FILE", help="variables of functions, as JSON in SAM's form")
    group.add_argument("--without-layers", action="store_true", help="run functions without layers that are not here")
    group.add_argument("--strict", action="store_true", help="start nothing if something is not taken")


def log_arguments(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--log-level", choices=("debug", "info", "warning", "error"))
    verb.add_argument("--log-format", choices=("auto", "json", "console"))


def output_argument(verb: argparse.ArgumentParser, text: str) -> None:
    verb.add_argument("--output", choices=("table", "json"), default="table", help=f"{text} (default: table)")


def positions_arguments(verb: argparse.ArgumentParser, default: object = None) -> None:
    config_option(verb, default)
    state_option(verb, default)
    verb.add_argument(
        "--url", default=default, help="address of the daemon (default: the one that the configuration says)"
    )


def body_argument(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--body", metavar="TEXT", action="append", help="a record's payload, @FILE, or -; may be given again"
    )
