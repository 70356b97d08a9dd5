"""`headrace positions` beside a running daemon: through its `/v1`."""

from __future__ import annotations

import argparse
from typing import Any

from ....config.errors import HeadraceError
from ....config.fields.spoken import counted
from ...wiring.exits import UsageError
from .asking import ask, ask_source, part, push
from .positions_shown import by_source, shown
from .tables import show, tell


def run(base: str, arguments: argparse.Namespace) -> None:
    """Raises HeadraceError."""
    verb = arguments.positions_verb
    if verb is None:
        shown(_all(base), arguments.output)
        return
    if getattr(arguments, "source", None):
        raise UsageError("beside a running daemon all positions of a mapping are removed: name no SOURCE, or stop it")
    given = {name: getattr(arguments, name, "") for name in ("lane", "to", "record")}
    body = {name: value for name, value in given.items() if value}
    answer = push(base, f"/v1/mappings/{part(arguments.mapping)}/positions/{verb}", body)
    if verb == "skip":
        when = "as soon as its invocation ends, unless the function takes it" if answer["waits"] else "now"
        show(f"{answer['mapping']} gives up on {answer['record']} {when}")
        return
    ended = [*answer["in_flight"], *answer["retrying"]]
    records = sum(each["records"] for each in ended)
    show(
        f"{answer['mapping']} goes on there"
        + (f"; {counted(records, 'record')} in flight ended first" if ended else "")
    )
    shown(by_source(answer["mapping"], "", answer["positions"]), "table")


def _all(base: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for mapping in ask(base, "/v1/mappings")["mappings"]:
        try:
            answer = ask_source(base, f"/v1/mappings/{part(mapping['uuid'])}/positions")
        except HeadraceError as error:
            tell(f"{mapping['name']}: {error}")  # one whose brokers are away hides no other
            continue
        found += by_source(mapping["name"], mapping["uuid"], answer["positions"])
    return found
