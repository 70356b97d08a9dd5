"""The arguments of the verbs that ask a running daemon. Imports nothing heavy."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeAlias

from .options import output_argument, positions_arguments, url_argument, yes_option

Verbs: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def add_to(verbs: Verbs) -> None:
    _add_status(verbs)
    _add_explain(verbs)
    _add_levers(verbs)
    _add_reload(verbs)
    _add_tap(verbs)
    _add_logs(verbs)
    _add_positions(verbs)


@contextmanager
def _asks(
    verbs: Verbs, name: str, text: str, description: str, module: str = "", operand: str | None = None
) -> Iterator[argparse.ArgumentParser]:
    """A verb that asks the daemon at --url. The block adds what the verb has besides."""
    verb = verbs.add_parser(name, help=text, description=description)
    yield verb
    url_argument(verb)
    verb.set_defaults(module=module or name, **({"operand": operand} if operand else {}))


def _add_status(verbs: Verbs) -> None:
    description = "Show mappings and functions of the running daemon."
    with _asks(verbs, "status", "ask the running daemon", description, operand="mapping") as verb:
        verb.add_argument(
            "mapping", metavar="MAPPING", nargs="?", help="show everything of this one (default: all in short)"
        )
        verb.add_argument("--watch", action="store_true", help="a live view, with keys to pause, continue and retry")
        verb.add_argument(
            "--check", action="store_true", help="print nothing but a reason; exit code 0 if ready, 1 if not"
        )
        verb.add_argument("--strict", action="store_true", help="ready only if every mapping polls and none is failing")
        output_argument(verb, "form of the answer")


def _add_explain(verbs: Verbs) -> None:
    description = "Show what happened to one record: invocations, errors, fate. Exit code 1 if nothing is known."
    with _asks(verbs, "explain", "what became of a record?", description) as verb:
        verb.add_argument("record", metavar="ID", help="message id, sequence number, or TOPIC/PARTITION/OFFSET")
        verb.add_argument("--mapping", metavar="MAPPING", help="of this mapping alone")
        output_argument(verb, "form of the answer")


def _add_levers(verbs: Verbs) -> None:
    levers = (
        ("pause", "let a mapping wait, over restarts too"),
        ("resume", "let a paused mapping go on"),
        ("retry", "invoke now what waits for its next attempt"),
    )
    for name, text in levers:
        description = f"{text[0].upper()}{text[1:]}, in the running daemon."
        with _asks(verbs, name, text, description, module="levers") as verb:
            verb.add_argument("mapping", metavar="MAPPING", help="its name or UUID")


def _add_reload(verbs: Verbs) -> None:
    description = "Let the running daemon read its configuration again. What did not change goes on as it is."
    with _asks(verbs, "reload", "let the daemon read its configuration again", description) as verb:
        output_argument(verb, "form of the answer")


def _add_tap(verbs: Verbs) -> None:
    description = "Show each record when it gets its fate. Who reads slowly misses some, and is told how many."
    fates = ("delivered", "filtered", "discarded", "returned", "abandoned")
    with _asks(verbs, "tap", "see records as they pass", description, operand="mapping") as verb:
        verb.add_argument("mapping", metavar="MAPPING", nargs="?", help="of this mapping alone")
        verb.add_argument("--fate", choices=fates, help="of this fate alone")
        verb.add_argument("--where", metavar="TEXT", help="only records in whose JSON this text stands")
        verb.add_argument("--payload", action="store_true", help="show the record too, as it stands in the event")
        verb.add_argument("--json", action="store_true", help="lines of JSON")
        verb.add_argument("--lines", metavar="N", type=int, help="end after so many")


def _add_logs(verbs: Verbs) -> None:
    with _asks(verbs, "logs", "what functions print", "Show the last lines of functions.", operand="function") as verb:
        verb.add_argument("function", metavar="FUNCTION", nargs="?", help="of this one alone")
        verb.add_argument("-f", "--follow", action="store_true", help="and go on with those that come")
        verb.add_argument("--platform", action="store_true", help="START, END and REPORT, too")


def _add_positions(verbs: Verbs) -> None:
    verb = verbs.add_parser(
        "positions",
        help="list, set, skip, move and remove positions in streams and topics",
        description="Show where each shard or partition stands: of the running daemon, else of the state directory.",
    )
    positions_arguments(verb)
    output_argument(verb, "form of the list")
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
        yes_option(each)
    for each in (change, skip, move, remove):
        positions_arguments(each, default=argparse.SUPPRESS)
