"""`headrace pause`, `resume` and `retry`: levers of the running daemon."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...wiring.exits import Exit
from .asking import base_of, part, pull
from .tables import show

if TYPE_CHECKING:
    from ....dispatch.core.observer import Observer

SAID = {
    "pause": "is paused, over restarts too; what is in flight ends first, and `headrace resume` lets it go on",
    "resume": "goes on",
    "retry": "tries again now",
}


def run(arguments: argparse.Namespace, observers: Sequence[Observer]) -> int:
    mapping = pull(base_of(arguments.url), f"/v1/mappings/{part(arguments.mapping)}/{arguments.verb}")
    show(f"{mapping['name']} {SAID[arguments.verb]}")
    return Exit.OK
