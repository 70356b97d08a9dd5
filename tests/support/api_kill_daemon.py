"""The daemon as a program that dies (`kill -9`) at a named point of a call of the Lambda API.

`python -m support.api_kill_daemon run CONFIG…` with KILL_AT=`Storing:3` dies at the third such moment:

    Unpacked   a package is on the disk, and no function has it
    Storing    in the middle of the transaction that stores a change
    Stored     the change is durable, and nobody was told
    Accepted   an event is durable, and its caller was not told
    Delivered  a function has run, and its event is still in the queue
    Swept      code that nobody has is deleted
"""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest.mock import patch

from headrace.service.async_invoke.core.model import AsyncEvent
from headrace.service.async_invoke.store import EventStore
from headrace.service.cli.main import main
from headrace.service.control.documents import Name
from headrace.service.control.store import code, document_store
from headrace.service.control.store.document_store import Documents, Row

POINTS = ("Unpacked", "Storing", "Stored", "Accepted", "Delivered", "Swept")


class Killer:
    """Ends this process without a word."""

    def __init__(self, point: str, nth: int) -> None:
        self._point = point
        self._left = nth

    def passed(self, point: str) -> None:
        if point == self._point:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


def run(killer: Killer) -> int:
    """The command line, with stores that tell the killer what they do."""
    add, sweep, write_rows = code._add, code._sweep, document_store._write
    write, accept, remove = Documents.write, EventStore.add, EventStore.remove

    def unpacked(file: Path, root: Path, sha256: str) -> int:
        size = add(file, root, sha256)
        killer.passed("Unpacked")
        return size

    def swept(root: Path, keeps: Callable[[str], bool]) -> None:
        before = set(root.iterdir())
        sweep(root, keeps)
        if set(root.iterdir()) < before:
            killer.passed("Swept")

    def storing(rows: Sequence[Row], gone: Sequence[Name], connection: sqlite3.Connection) -> None:
        write_rows(rows, gone, connection)
        killer.passed("Storing")

    async def stored(
        self: Documents,
        puts: Mapping[Name, Mapping[str, Any]],
        deletes: Collection[Name] = (),
        then: Callable[[], None] = lambda: None,
    ) -> None:
        await write(self, puts, deletes, then)
        killer.passed("Stored")

    async def accepted(
        self: EventStore, event: AsyncEvent, payload: bytes, then: Callable[[], None] = lambda: None
    ) -> None:
        await accept(self, event, payload, then)
        killer.passed("Accepted")

    async def delivered(self: EventStore, event: AsyncEvent) -> None:
        killer.passed("Delivered")
        await remove(self, event)

    changed: list[tuple[object, str, Callable[..., Any]]] = [
        (code, "_add", unpacked),
        (code, "_sweep", swept),
        (document_store, "_write", storing),
        (Documents, "write", stored),
        (EventStore, "add", accepted),
        (EventStore, "remove", delivered),
    ]
    with ExitStack() as stack:
        for owner, name, told in changed:
            stack.enter_context(patch.object(owner, name, told))
        return main(sys.argv[1:])


if __name__ == "__main__":
    point, _, nth = os.environ.get("KILL_AT", ":").partition(":")
    sys.exit(run(Killer(point, int(nth or 0))))
