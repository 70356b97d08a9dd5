"""`headrace logs`: what functions of the running daemon print, without anything else."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...wiring.exits import Exit
from .asking import base_of, ended, stream
from .status import moment
from .tables import show, tell

if TYPE_CHECKING:
    from ....dispatch.core.observer import Observer


def run(arguments: argparse.Namespace, observers: Sequence[Observer]) -> int:
    wish = {"function": arguments.function or "", "platform": "1" if arguments.platform else ""}
    base = base_of(arguments.url)
    for line in stream(base, "/v1/logs", **wish, follow="1" if arguments.follow else ""):
        seen = json.loads(line)
        if "missed" in seen:
            tell(f"{seen['missed']} lines are not shown: they came faster than they were read")
        else:
            who = "" if arguments.function else f"{seen['function']} "
            show(f"{moment(seen['at'])} {who}{seen['line']}")
    if arguments.follow:
        raise ended(base)
    return Exit.OK
