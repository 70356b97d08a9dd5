"""`headrace tap`: records of the running daemon as they get their fate, one line each."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ...wiring.exits import Exit, UsageError
from .asking import base_of, ended, stream
from .status import moment
from .tables import show, tell

if TYPE_CHECKING:
    from ....dispatch.core.observer import Observer


def run(arguments: argparse.Namespace, observers: Sequence[Observer]) -> int:
    if arguments.lines is not None and arguments.lines < 1:
        raise UsageError("--lines is a number of records, at least 1")
    wish = {"mapping": arguments.mapping or "", "fate": arguments.fate or "", "where": arguments.where or ""}
    wish["payload"] = "1" if arguments.payload else ""
    left, base = arguments.lines, base_of(arguments.url)
    for line in stream(base, "/v1/tap", **wish):
        seen = json.loads(line)
        if "missed" in seen:
            tell(f"{seen['missed']} records passed that are not shown: they came faster than they were read")
            continue
        show(line.decode().rstrip("\n") if arguments.json else _told(seen))
        left = left - 1 if left else None
        if left == 0:
            return Exit.OK
    raise ended(base)


def _told(seen: dict[str, Any]) -> str:
    reason = f" ({seen['reason']})" if seen["reason"] else ""
    record = f" {json.dumps(seen['record'], ensure_ascii=False)}" if "record" in seen else ""
    return f"{moment(seen['at'])} {seen['mapping']} {seen['lane']} {seen['id']} {seen['fate']}{reason}{record}"
