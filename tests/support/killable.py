"""The daemon as a program that dies (`kill -9`) at a named point of its own work.

`python killable.py run CONFIG…` with KILL_AT=`Fetched:3` dies at the third such event with records. What its filters
refused is journalled to WITNESS, durably, before the source is told.
"""

from __future__ import annotations

import os
import signal
import sys

import orjson

from headrace.dispatch.core.observer import Event, Fetched, Filtered
from headrace.service.cli.main import main


class Killer:
    """Ends this process without a word."""

    def __init__(self, point: str, nth: int) -> None:
        self._point = point
        self._left = nth

    def observe(self, event: Event) -> None:
        if type(event).__name__ != self._point or (isinstance(event, Fetched) and not event.records):
            return
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


class Witness:
    """Writes down what was filtered."""

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def observe(self, event: Event) -> None:
        if isinstance(event, Filtered):
            lines = [f"{orjson.loads(str(record.item['body']))['id']}\n" for record in event.records]
            os.write(self._file, "".join(lines).encode())
            os.fsync(self._file)


if __name__ == "__main__":
    point, _, nth = os.environ.get("KILL_AT", ":").partition(":")
    sys.exit(main(sys.argv[1:], observers=[Witness(os.environ["WITNESS"]), Killer(point, int(nth or 0))]))
