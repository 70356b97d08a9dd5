"""The arguments of the verbs that mend what went wrong: replay, redrive and doctor. Imports nothing heavy."""

from __future__ import annotations

import argparse

from .options import (
    aws_arguments,
    config_arguments,
    config_option,
    output_argument,
    state_option,
    url_argument,
    yes_option,
)

REAL = "allow real AWS"


def add_to(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    _add_replay(verbs)
    _add_redrive(verbs)
    _add_doctor(verbs)


def _add_replay(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    verb = verbs.add_parser(
        "replay",
        help="read records again",
        description="Read records again, beside the mapping's own position, and hand them to its function. Without "
        "MAPPING: list the replays that were broken off.",
    )
    verb.add_argument("mapping", metavar="MAPPING", nargs="?", help="name or UUID of a mapping of the configuration")
    verb.add_argument("--from", dest="begin", metavar="PLACE", help="a time, 90m (ago), TRIM_HORIZON, or SHARD@NUMBER")
    verb.add_argument("--to", dest="end", metavar="PLACE", help="the last one, in the same forms (default: now)")
    verb.add_argument(
        "--document",
        metavar="PLACE",
        action="append",
        help="what a failure destination got: a file, -, s3://BUCKET/KEY (or PREFIX/), or a queue's ARN; may be given "
        "again",
    )
    verb.add_argument("--function", metavar="NAME", help="another function than the mapping's")
    verb.add_argument("--rate", metavar="N", type=float, help="records a second at most")
    verb.add_argument(
        "--retries", metavar="N", type=int, help="attempts after the first (default: the mapping's, or 2)"
    )
    verb.add_argument(
        "--dry-run", action="store_const", const=True, help="show which records it is about; invoke nothing"
    )
    verb.add_argument("--resume", metavar="ID", help="go on with a replay that was broken off")
    verb.add_argument("--keep", action="store_true", help="leave replayed documents in their queue")
    verb.add_argument("--logs", action="store_true", help="show what the function prints")
    yes_option(verb)
    config_option(verb)
    aws_arguments(verb, REAL)
    state_option(verb)
    url_argument(verb)
    output_argument(verb, "form of the answer")
    verb.set_defaults(module="replay", operand="mapping")


def _add_redrive(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    verb = verbs.add_parser(
        "redrive",
        help="move the messages of a dead-letter queue back",
        description="Move the messages of a dead-letter queue back to the queues that they came from.",
    )
    verb.add_argument("queue", metavar="QUEUE", help="name, ARN or URL of the dead-letter queue")
    verb.add_argument("--to", metavar="QUEUE", help="another queue than those that they came from")
    verb.add_argument("--rate", metavar="N", type=float, help="messages a second at most")
    yes_option(verb)
    config_option(verb)
    aws_arguments(verb, REAL)
    verb.set_defaults(module="redrive")


def _add_doctor(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    verb = verbs.add_parser(
        "doctor",
        help="look for what is wrong",
        description="Look at endpoints, credentials, clocks, sources, functions, timeouts, other pollers, the disk and "
        "limits, and say what to do. Changes nothing. Exit code 1 if something does not work.",
    )
    config_arguments(verb, REAL)
    state_option(verb)
    verb.add_argument("--json", action="store_true", help="as JSON")
    verb.add_argument("--all", action="store_true", help="show what is good, too")
    url_argument(verb)
    verb.set_defaults(module="doctor", operand="config")
