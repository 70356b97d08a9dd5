"""`headrace reload`: the running daemon reads its configuration again."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ...wiring.exits import Exit
from .asking import base_of, pull
from .tables import show, show_json

if TYPE_CHECKING:
    from ....dispatch.core.observer import Observer


def run(arguments: argparse.Namespace, observers: Sequence[Observer]) -> int:
    changes = pull(base_of(arguments.url), "/v1/reload")
    if arguments.output == "json":
        show_json(changes)
    else:
        _show(changes)
    return Exit.OK


def _show(changes: dict[str, Any]) -> None:
    show(f"read again: {changes['text']}")
    for what, one in (("mappings", "mapping"), ("functions", "function")):
        for how in ("added", "changed", "removed"):
            for name in changes[what][how]:
                show(f"{how} {one} {name}")
    if changes["needs_restart"]:
        show(f"only a restart takes what changed in: {', '.join(changes['needs_restart'])}")
