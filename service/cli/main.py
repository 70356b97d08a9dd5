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
from . import daemon_verbs, mending
from .options import (
    aws_arguments,
    body_argument,
    config_arguments,
    config_option,
    log_arguments,
    output_argument,
    template_arguments,
)
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
    daemon_verbs.add_to(verbs)
    _add_completion(verbs, top)
    _add_release(verbs)
    mending.add_to(verbs)
    return top


def _add_run(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    verb = verbs.add_parser("run", help="run the daemon", description="Run the daemon until a signal stops it.")
    config_arguments(verb)
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
    template_arguments(verb)
    verb.add_argument("--create-sources", action="store_true", help="create the sources that a template declares")
    output_argument(verb, "form of the lines of a dry run")
    log_arguments(verb)
    verb.set_defaults(module="run", operand="config")


def _add_check(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    verb = verbs.add_parser("check", help="check a configuration", description="Report every problem; start nothing.")
    config_arguments(verb)
    template_arguments(verb)
    verb.add_argument("--start", action="store_true", help="start each function of this machine once, without an event")
    output_argument(verb, "form of the summary")
    verb.set_defaults(module="check", operand="config")


def _add_import(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    verb = verbs.add_parser(
        "import",
        help="write a configuration out of a template",
        description="Write the configuration that a template means.",
    )
    verb.add_argument("template", metavar="TEMPLATE", nargs="+", help="files or directories")
    verb.add_argument("--to", metavar="FILE", default="headrace.yaml", help="what to write (default: headrace.yaml)")
    aws_arguments(verb)
    template_arguments(verb)
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
    config_option(verb)
    verb.source = verb.add_argument(
        "--source", metavar="SOURCE", help="kind of source whose rules apply to --pattern (default: sqs)"
    )
    verb.add_argument("--body", action="store_true", help="read the file as a message's body, whatever it looks like")
    output_argument(verb, "form of the result")
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
    body_argument(verb)
    config_option(verb)
    aws_arguments(verb)
    log_arguments(verb)
    verb.set_defaults(module="invoke", operand="payload")


def _add_event(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    verb = verbs.add_parser(
        "event",
        help="print an event as AWS sends it",
        description="Print the event that a function gets of a source, with a record for each body.",
    )
    verb.add_argument("kind", metavar="KIND", help="sqs, sqs-fifo, kinesis, dynamodb or kafka")
    body_argument(verb)
    verb.set_defaults(module="event")


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


def _add_completion(verbs: argparse._SubParsersAction[argparse.ArgumentParser], top: argparse.ArgumentParser) -> None:
    verb = verbs.add_parser("completion", help="complete verbs and options in a shell", description=COMPLETION)
    verb.add_argument("shell", choices=("bash", "zsh", "fish"))
    verb.set_defaults(module="completion", top=top)


def _add_release(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    verb = verbs.add_parser(
        "release",
        help="give an emulator its mappings back",
        description="Switch on at the emulator what a daemon took over and left off there, while no daemon runs.",
    )
    verb.add_argument("--state", metavar="DIR", help="the state directory")
    config_arguments(verb)
    verb.set_defaults(module="release", operand="config")


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
