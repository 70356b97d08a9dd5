"""The daemon as a program that dies (`kill -9`) at a named point of its work on streams.

`python -m support.stream_kill_daemon run CONFIG…` with KILL_AT=`Fetched:3` dies at the third such event: of `Fetched`
with records, of `Discarded` with a document that was written. Two points more are no events: `Storing`, in the middle
of the transaction that stores a position, and `Stored`, when it is durable and nobody knows it yet; `Stored discarded`
is the same where the last fate that was settled was that one. What filters refused is journalled to WITNESS, durably,
before the position moves past it.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
from unittest.mock import patch

from headrace.dispatch.core.observer import Discarded, Event, Fetched, Filtered, Settled
from headrace.pollers.checkpoints import rows
from headrace.pollers.checkpoints.sqlite import SqliteCheckpoints
from headrace.pollers.checkpoints.store import Checkpoint, CommitAnswer, Key, Token
from headrace.service.cli.main import main


class Killer:
    """Ends this process without a word."""

    def __init__(self, point: str, nth: int) -> None:
        self._point = point
        self._left = nth
        self._fate = ""

    def observe(self, event: Event) -> None:
        match event:
            case Fetched(records=()) | Discarded(destination=""):
                return
            case Settled(settlements=settlements):
                self._fate = settlements[-1].fate.kind.value
        self.passed(type(event).__name__)

    def stored(self) -> None:
        self.passed("Stored")
        self.passed(f"Stored {self._fate}")

    def passed(self, point: str) -> None:
        if point == self._point:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


class Witness:
    """Writes down what was filtered."""

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def observe(self, event: Event) -> None:
        if isinstance(event, Filtered):
            places = [(each.lane.shard, each.position.number if each.position else 0) for each in event.records]
            os.write(self._file, "".join(f"{shard} {number}\n" for shard, number in places).encode())
            os.fsync(self._file)


def run(killer: Killer) -> int:
    """The command line, with a store that tells the killer what it does."""
    store, answer = rows.commit, SqliteCheckpoints.commit

    def storing(key: Key, token: Token, checkpoint: Checkpoint, connection: sqlite3.Connection) -> CommitAnswer:
        result = store(key, token, checkpoint, connection)
        killer.passed("Storing")
        return result

    async def stored(self: SqliteCheckpoints, key: Key, token: Token, checkpoint: Checkpoint) -> CommitAnswer:
        result = await answer(self, key, token, checkpoint)
        killer.stored()
        return result

    with patch.object(rows, "commit", storing), patch.object(SqliteCheckpoints, "commit", stored):
        return main(sys.argv[1:], observers=[Witness(os.environ["WITNESS"]), killer])


if __name__ == "__main__":
    point, _, nth = os.environ.get("KILL_AT", ":").partition(":")
    sys.exit(run(Killer(point, int(nth or 0))))
