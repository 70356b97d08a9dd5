"""The daemon as a program that dies (`kill -9`) at a named point of taking a mapping over, or of giving it back.

`python -m support.take_over_kill_daemon run CONFIG…`, or `release CONFIG…`, with KILL_AT=`Noted` dies at the first such
moment:

    Noted        it is remembered, and still on at the emulator
    SwitchedOff  it is off there, and does not run here
    Held         it is durable that it runs here, and nothing was fetched
    Stopped      it runs here no more, and is still off there
    SwitchedOn   it is on there, and still remembered
    LetGo        it is forgotten
"""

from __future__ import annotations

import os
import sys
from collections.abc import Collection
from contextlib import ExitStack
from typing import Any
from unittest.mock import patch

from headrace.config.clients.emulator_mappings import EmulatorMappings
from headrace.service.cli.main import main
from headrace.service.control.documents import Name
from headrace.service.control.mappings.as_documents import TAKEN
from headrace.service.control.mappings.model import Mapped
from headrace.service.control.store.document_store import Documents
from headrace.service.control.store.mapping_plane import MappingPlane
from support.api_kill_daemon import Killer

TAKING = ("Noted", "SwitchedOff", "Held")
GIVING = ("Stopped", "SwitchedOn", "LetGo")


def run(killer: Killer) -> int:
    """The command line, with a plane and an emulator that tell the killer what they do."""
    note, hold, write, switch = MappingPlane.note, MappingPlane.hold, Documents.write, EmulatorMappings.switch

    async def noted(self: MappingPlane, mapped: Mapped) -> None:
        await note(self, mapped)
        killer.passed("Noted")

    async def held(self: MappingPlane, mapped: Mapped) -> None:
        await hold(self, mapped)
        killer.passed("Held")

    async def written(self: Documents, puts: Any, deletes: Collection[Name] = (), *more: Any, **named: Any) -> None:
        await write(self, puts, deletes, *more, **named)
        if any(kind == TAKEN for kind, _ in deletes):
            killer.passed("LetGo")

    async def switched(self: EmulatorMappings, uuid: str, *, on: bool) -> None:
        if on:
            killer.passed("Stopped")
        await switch(self, uuid, on=on)
        killer.passed("SwitchedOn" if on else "SwitchedOff")

    changed: list[tuple[type, str, Any]] = [
        (MappingPlane, "note", noted),
        (MappingPlane, "hold", held),
        (Documents, "write", written),
        (EmulatorMappings, "switch", switched),
    ]
    with ExitStack() as stack:
        for owner, name, told in changed:
            stack.enter_context(patch.object(owner, name, told))
        return main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(run(Killer(os.environ.get("KILL_AT", ""), 1)))
