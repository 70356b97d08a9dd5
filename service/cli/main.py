"""The command line: its arguments, and the verb for each command. Imports nothing heavy: `headrace --help` is instant.

Each verb is a module of `verbs` with `run(arguments, observers) -> exit code`, imported when it is chosen. Errors that
a user can cause become lines on standard error and an exit code here; never a stack trace.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, NoReturn

from ..wiring import signals
from ..wiring.exits import Exit, UsageError
from . import mending
from .terminal import print_everything

if TYPE_CHECKING:
    from ...dispatch.core.observer import Observer

UNTIL_IDLE = "--until-idle"
COMPLETION = "Print a script for a shell, as in: source <(headrace completion bash)"
EPILOG = "Exit codes: 0 good, 1 failure, 2 usage, 3 not idle in time, 4 discarded, 78 wrong configuration."


class _VersionAction(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib import metadata

        print(f"headrace {metadata.version('headrace')}")
        parser.exit()


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="headrace",
        description="Takes records from queues and streams to functions, as AWS Lambda does.",
        epilog=EPILOG,
    )
    top.add_argument("--version", action=_VersionAction, nargs=0, help="print the version")
    verbs = top.add_subparsers(dest="verb", metavar="VERB", required=True)
    _add_run(verbs)
    _add_check(verbs)
    _add_filter(verbs)
    _add_import(verbs)
    _add_invoke(verbs)
    _add_event(verbs)
    _add_init(verbs)
    _add_schema(verbs)
    _add_status(verbs)
    _add_explain(verbs)
    _add_levers(verbs)
    _add_reload(verbs)
    _add_tap(verbs)
    _add_logs(verbs)
    _add_completion(verbs, top)
    _add_positions(verbs)
    _add_release(verbs)
    mending.add_to(verbs)
    return top


def _add_run(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    verb = verbs.add_parser("run", help="run the daemon", description="Run the daemon until a signal stops it.")
    _config_arguments(verb)
    verb.add_argument("--listen", metavar="HOST:PORT", help="address of /livez, /readyz, /metrics, /status and the API")
    verb.add_argument("--state", metavar="DIR", help="directory for data that must survive a restart")
    verb.add_argument("--stop-timeout", metavar="SECONDS", help="maximum seconds of a stop")
    verb.add_argument(
        UNTIL_IDLE,
        metavar="TIMEOUT",
        help="stop when nothing is left to do; with a number, give up after so many seconds (exit code 3)",
    )
    verb.add_argument(
        "--fail-on-discard", action="store_const", const=True, help="with --until-idle: exit code 4 after a discard"
    )
    verb.add_argument(
        "--dry-run", action="store_const", const=True, help="show what would happen; invoke and delete nothing"
    )
    verb.add_argument(
        "--adopt", action="store_const", const=True, help="let the Lambda API change the mappings of the configuration"
    )
    verb.add_argument(
        "--take-over",
        action="store_const",
        const=True,
        help="switch the emulator's event source mappings off there, and run them here",
    )
    verb.add_argument("--watch", action="store_true", help="read the configuration again when its files change")
    _template_arguments(verb)
    verb.add_argument("--create-sources", action="store_true", help="create the sources that a template declares")
    _output_argument(verb, "form of the lines of a dry run")
    _log_arguments(verb)
    verb.set_defaults(module="run", operand="config")


def _add_check(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    verb = verbs.add_parser("check", help="check a configuration", description="Report every problem; start nothing.")
    _config_arguments(verb)
    _template_arguments(verb)
    verb.add_argument("--start", action="store_true", help="start each function of this machine once, without an event")
    _output_argument(verb, "form of the summary")
    verb.set_defaults(module="check", operand="config")


def _add_import(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    verb = verbs.add_parser(
        "import",
        help="write a configuration out of a template",
        description="Write the configuration that a template means.",
    )
    verb.add_argument("template", metavar="TEMPLATE", nargs="+", help="files or directories")
    verb.add_argument("--to", metavar="FILE", default="headrace.yaml", help="what to write (default: headrace.yaml)")
    _aws_arguments(verb)
    _template_arguments(verb)
    verb.set_defaults(module="import_template", operand="template")


def _add_filter(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    group = verbs.add_parser("filter", help="try filters").add_subparsers(
        dest="filter_verb", metavar="VERB", required=True, parser_class=_FilterParser
    )
    verb = group.add_parser(
        "test",
        help="show whether a filter keeps a record",
        description="Show whether a record passes, and why. Exit code 0 if it does, 1 if not.",
    )
    verb.add_argument(
        "record", metavar="RECORD", nargs="?", help="file of a record, an event or a body (default: stdin)"
    )
    verb.add_argument("--pattern", action="append", metavar="JSON", help="a pattern, or @FILE; may be given again")
    verb.add_argument("--mapping", metavar="NAME", help="the filters of this mapping of the configuration")
    verb.add_argument("--config", action="append", metavar="CONFIG", help="configuration (default: ./headrace.yaml)")
    verb.source = verb.add_argument(
        "--source", metavar="SOURCE", default="sqs", help="kind of source whose rules apply to --pattern (default: sqs)"
    )
    verb.add_argument("--body", action="store_true", help="read the file as a message's body, whatever it looks like")
    _output_argument(verb, "form of the result")
    verb.set_defaults(module="filter_test", operand="record")


class _FilterParser(argparse.ArgumentParser):
    """Imports the kinds of source only when it is used: `headrace --help` does not need them."""

    source: argparse.Action

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        from ...dispatch.kinds.table import FILTERS

        self.source.choices, self.source.metavar = tuple(FILTERS), None
        return super().parse_known_args(args, namespace)


def _add_invoke(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    verb = verbs.add_parser(
        "invoke",
        help="invoke a function once",
        description="Print the function's answer; its output goes to standard error. Exit code 1 if it fails.",
    )
    verb.add_argument("function", metavar="FUNCTION", help="name of a function of the configuration")
    verb.add_argument("payload", metavar="PAYLOAD", nargs="?", help="JSON, @FILE, or - for stdin (default: {})")
    verb.add_argument("--event", metavar="KIND", help="an event of sqs, kinesis, dynamodb or kafka as the payload")
    _body_argument(verb)
    verb.add_argument("--config", action="append", metavar="CONFIG", help="configuration (default: ./headrace.yaml)")
    _aws_arguments(verb)
    _log_arguments(verb)
    verb.set_defaults(module="invoke", operand="payload")


def _add_event(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    verb = verbs.add_parser(
        "event",
        help="print an event as AWS sends it",
        description="Print the event that a function gets of a source, with a record for each body.",
    )
    verb.add_argument("kind", metavar="KIND", help="sqs, sqs-fifo, kinesis, dynamodb or kafka")
    _body_argument(verb)
    verb.set_defaults(module="event")


def _body_argument(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--body", metavar="TEXT", action="append", help="a record's payload, @FILE, or -; may be given again"
    )


def _add_init(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    verb = verbs.add_parser(
        "init",
        help="write a configuration to start from",
        description="Write headrace.yaml and a function; nothing is overwritten.",
    )
    verb.add_argument("directory", metavar="DIR", nargs="?", default=".", help="where (default: here)")
    verb.set_defaults(module="init")


def _add_schema(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    verb = verbs.add_parser("schema", help="print the JSON Schema of the configuration")
    verb.set_defaults(module="schema")


def _add_status(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    verb = verbs.add_parser(
        "status", help="ask the running daemon", description="Show mappings and functions of the running daemon."
    )
    verb.add_argument(
        "mapping", metavar="MAPPING", nargs="?", help="show everything of this one (default: all in short)"
    )
    _url_argument(verb)
    verb.add_argument("--watch", action="store_true", help="a live view, with keys to pause, continue and retry")
    verb.add_argument("--check", action="store_true", help="print nothing but a reason; exit code 0 if ready, 1 if not")
    verb.add_argument("--strict", action="store_true", help="ready only if every mapping polls and none is failing")
    _output_argument(verb, "form of the answer")
    verb.set_defaults(module="status", operand="mapping")


def _add_explain(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    verb = verbs.add_parser(
        "explain",
        help="what became of a record?",
        description="Show what happened to one record: invocations, errors, fate. Exit code 1 if nothing is known.",
    )
    verb.add_argument("record", metavar="ID", help="message id, sequence number, or TOPIC/PARTITION/OFFSET")
    verb.add_argument("--mapping", metavar="MAPPING", help="of this mapping alone")
    _url_argument(verb)
    _output_argument(verb, "form of the answer")
    verb.set_defaults(module="explain")


def _add_levers(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    levers = (
        ("pause", "let a mapping wait, over restarts too"),
        ("resume", "let a paused mapping go on"),
        ("retry", "invoke now what waits for its next attempt"),
    )
    for name, text in levers:
        verb = verbs.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}, in the running daemon.")
        verb.add_argument("mapping", metavar="MAPPING", help="its name or UUID")
        _url_argument(verb)
        verb.set_defaults(module="levers")


def _add_reload(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    verb = verbs.add_parser(
        "reload",
        help="let the daemon read its configuration again",
        description="Let the running daemon read its configuration again. What did not change goes on as it is.",
    )
    _url_argument(verb)
    _output_argument(verb, "form of the answer")
    verb.set_defaults(module="reload")


def _add_tap(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    verb = verbs.add_parser(
        "tap",
        help="see records as they pass",
        description="Show each record when it gets its fate. Who reads slowly misses some, and is told how many.",
    )
    verb.add_argument("mapping", metavar="MAPPING", nargs="?", help="of this mapping alone")
    fates = ("delivered", "filtered", "discarded", "returned", "abandoned")
    verb.add_argument("--fate", choices=fates, help="of this fate alone")
    verb.add_argument("--where", metavar="TEXT", help="only records in whose JSON this text stands")
    verb.add_argument("--payload", action="store_true", help="show the record too, as it stands in the event")
    verb.add_argument("--json", action="store_true", help="lines of JSON")
    verb.add_argument("--lines", metavar="N", type=int, help="end after so many")
    _url_argument(verb)
    verb.set_defaults(module="tap", operand="mapping")


def _add_logs(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    verb = verbs.add_parser("logs", help="what functions print", description="Show the last lines of functions.")
    verb.add_argument("function", metavar="FUNCTION", nargs="?", help="of this one alone")
    verb.add_argument("-f", "--follow", action="store_true", help="and go on with those that come")
    verb.add_argument("--platform", action="store_true", help="START, END and REPORT, too")
    _url_argument(verb)
    verb.set_defaults(module="logs", operand="function")


def _add_completion(verbs: argparse._SubParsersAction[argparse.ArgumentParser], top: argparse.ArgumentParser) -> None:
    verb = verbs.add_parser("completion", help="complete verbs and options in a shell", description=COMPLETION)
    verb.add_argument("shell", choices=("bash", "zsh", "fish"))
    verb.set_defaults(module="completion", top=top)


def _url_argument(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--url", help="address of the daemon (default: that of HEADRACE_LISTEN, else http://127.0.0.1:9470)"
    )


def _add_positions(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    verb = verbs.add_parser(
        "positions",
        help="list, set, skip, move and remove positions in streams and topics",
        description="Show where each shard or partition stands: of the running daemon, else of the state directory.",
    )
    _positions_arguments(verb)
    _output_argument(verb, "form of the list")
    verb.set_defaults(module="positions")
    group = verb.add_subparsers(dest="positions_verb", metavar="VERB")
    named = "name of a mapping, or a UUID"
    change = group.add_parser(
        "set", help="go on elsewhere", description="Let a mapping go on elsewhere. What is in flight ends first."
    )
    change.add_argument("mapping", metavar="MAPPING", help=named)
    change.add_argument("lane", metavar="LANE", nargs="?", default="", help="shard or partition (default: all)")
    change.add_argument(
        "to",
        metavar="TO",
        help="TRIM_HORIZON, LATEST, a time (2026-12-01T10:00:00Z), a sequence number (goes on after it) "
        "or an offset (goes on with it)",
    )
    skip = group.add_parser(
        "skip",
        help="give up on one record",
        description="Discard the record that holds up a shard or partition, with its document, in the running daemon.",
    )
    skip.add_argument("mapping", metavar="MAPPING", help=named)
    skip.add_argument("lane", metavar="LANE", help="shard or partition")
    skip.add_argument("--record", metavar="ID", default="", help="another record than the first, by its id")
    move = group.add_parser(
        "move", help="give them to another mapping", description="Give the positions in a stream to another mapping."
    )
    remove = group.add_parser(
        "remove", help="forget them", description="Delete positions: the mapping begins again at its starting position."
    )
    for each in (move, remove):
        each.add_argument("mapping", metavar="MAPPING", help=named)
    move.add_argument("source", metavar="SOURCE", help="ARN of the stream")
    remove.add_argument("source", metavar="SOURCE", nargs="?", help="ARN of the stream (default: all of the mapping's)")
    move.add_argument("to", metavar="TO", help="name or UUID of the mapping that gets them")
    for each in (change, skip, remove):
        each.add_argument("-y", "--yes", action="store_true", help="do not ask")
    for each in (change, skip, move, remove):
        _positions_arguments(each, default=argparse.SUPPRESS)


def _add_release(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    verb = verbs.add_parser(
        "release",
        help="give an emulator its mappings back",
        description="Switch on at the emulator what a daemon took over and left off there, while no daemon runs.",
    )
    verb.add_argument("--state", metavar="DIR", help="the state directory")
    _config_arguments(verb)
    verb.set_defaults(module="release", operand="config")


def _positions_arguments(verb: argparse.ArgumentParser, default: object = None) -> None:
    verb.add_argument(
        "--config", action="append", metavar="CONFIG", default=default, help="configuration (default: ./headrace.yaml)"
    )
    verb.add_argument("--state", metavar="DIR", default=default, help="the state directory")
    verb.add_argument(
        "--url", default=default, help="address of the daemon (default: the one that the configuration says)"
    )


def _config_arguments(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("config", metavar="CONFIG", nargs="*", help="files or directories (default: ./headrace.yaml)")
    _aws_arguments(verb)


def _aws_arguments(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--endpoint-url", metavar="URL", help="endpoint of every AWS service")
    verb.add_argument("--region", help="AWS region")
    verb.add_argument("--profile", help="AWS profile")
    verb.add_argument("--real-aws", action="store_const", const=True, help="allow real AWS, where messages are deleted")


def _template_arguments(verb: argparse.ArgumentParser) -> None:
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


def _log_arguments(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--log-level", choices=("debug", "info", "warning", "error"))
    verb.add_argument("--log-format", choices=("auto", "json", "console"))


def _output_argument(verb: argparse.ArgumentParser, text: str) -> None:
    verb.add_argument("--output", choices=("table", "json"), default="table", help=f"{text} (default: table)")


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The arguments. Adds two things to argparse: operands that follow options, and an option that may
    stand alone before an operand."""
    top = parser()
    arguments, late = top.parse_known_args(_joined(argv))
    operand = getattr(arguments, "operand", None)
    if operand is None or any(each.startswith("-") and each != "-" for each in late):
        if late:
            top.error(f"unrecognized arguments: {' '.join(late)}")
    elif isinstance(given := getattr(arguments, operand), list):
        setattr(arguments, operand, [*given, *late])
    elif len(late) == 1 and given is None:
        setattr(arguments, operand, late[0])
    elif late:
        top.error(f"unrecognized arguments: {' '.join(late)}")
    return arguments


def _joined(argv: Sequence[str]) -> list[str]:
    """`--until-idle 30` as `--until-idle=30`, and `--until-idle` before anything else as `--until-idle=true`."""
    joined: list[str] = []
    for word in argv:
        if joined and joined[-1] == UNTIL_IDLE:
            is_number = word.replace(".", "", 1).isdigit()
            joined[-1] = f"{UNTIL_IDLE}={word}" if is_number else f"{UNTIL_IDLE}=true"
            if is_number:
                continue
        joined.append(word)
    return [f"{UNTIL_IDLE}=true" if word == UNTIL_IDLE else word for word in joined]


def main(argv: Sequence[str] | None = None, *, observers: Sequence[Observer] = ()) -> int:
    """Run one verb and return the exit code; a wrong command line raises SystemExit(2), as argparse does.

    `observers` are passed to the daemon, for programs that embed it.
    """
    print_everything()
    arguments = parse(sys.argv[1:] if argv is None else argv)
    verb = import_module(f".verbs.{arguments.module}", __package__)
    try:
        return int(verb.run(arguments, observers))
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()  # the reader closed the pipe: print nothing more, not even at exit
        return Exit.FAILURE
    except Exception as error:
        return _say(error)


def program() -> NoReturn:
    """`headrace`, as a process. A daemon exits without waiting for threads, because a thread may hang."""
    is_daemon = sys.argv[1:2] == ["run"]
    if is_daemon:
        signals.install()  # before this line a signal kills the process, and the following imports take a while
    code = main()
    if is_daemon:
        os._exit(code)
    sys.exit(code)


def _say(error: Exception) -> int:
    """An error as lines on standard error."""
    from ...config.errors import ConfigError, HeadraceError

    match error:
        case UsageError():
            lines, code = [str(error)], Exit.USAGE
        case ConfigError():
            lines, code = [str(problem) for problem in error.problems], Exit.CONFIG
        case HeadraceError():
            lines, code = [str(error)], Exit.FAILURE
        case _:
            from .faults import describe

            lines, code = describe(error), Exit.FAILURE
    from .verbs.tables import tell

    for line in lines:
        tell(f"headrace: {line}")
    return code


if __name__ == "__main__":
    program()
