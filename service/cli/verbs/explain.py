"""`headrace explain`: what became of one record, as far as the running daemon remembers it."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ....dispatch.kinds.table import KINDS
from ...wiring.exits import Exit
from .asking import ask, base_of
from .status import moment
from .tables import show, show_json, table, tell

if TYPE_CHECKING:
    from ....dispatch.core.observer import Observer

FATES = {
    "delivered": "the function took it",
    "filtered": "no filter of the mapping matched it; `headrace filter test` says why for a record that you have, and "
    "with `journal.payloads` it stands below",
    "discarded": "the mapping gave it up",
    "returned": "the source has it again",
    "abandoned": "undecided when the mapping stopped: it comes again",
}


def run(arguments: argparse.Namespace, observers: Sequence[Observer]) -> int:
    found = ask(base_of(arguments.url), "/v1/explain", id=record_of(arguments.record), mapping=arguments.mapping or "")
    if arguments.output == "json":
        show_json(found)
    else:
        for each in found["mappings"]:
            _show_life(each)
    if found["mappings"]:
        return Exit.OK
    tell(
        f"nothing is known of {found['id']}: it was not fetched yet, or is older than the journal, which keeps the "
        "last records of each mapping since the daemon's start"
    )
    return Exit.FAILURE


def record_of(given: str) -> str:
    """The record's id as the daemon names it. Each kind of source has the forms in which users may write it."""
    return next((found for kind in KINDS if (found := kind.record_id(given))), given)


def _show_life(known: dict[str, Any]) -> None:
    show(f"{known['mapping']}:")
    rows = [(moment(each["at"]), each["what"], each["records"], _detail(each)) for each in known["life"]]
    show(table(("AT", "WHAT", "RECORDS", "DETAIL"), rows))
    for retry in known["retrying"]:
        show(f"attempt {retry['attempt']} follows in {retry['next_in']:.1f} s")
    for flight in known["in_flight"]:
        show(f"the function has it now, for {flight['seconds']:.1f} s (request {flight['request_id']})")
    for index, each in enumerate(known.get("filters", ())):
        show(f"filter {index}: {'yes' if each['matched'] else 'no'}: {each['reason']}")
    if "record" in known:
        show(json.dumps(known["record"], ensure_ascii=False))
    show("")


def _detail(entry: dict[str, Any]) -> str:
    if entry["seconds"] is not None:
        error = f": {entry['error']}" if entry["error"] else ""
        return f"{entry['detail']}{error} ({entry['seconds']:.3f} s, request {entry['request_id']})"
    reason = f" ({entry['detail']})" if entry["detail"] else ""
    return FATES.get(entry["what"], "") + reason
