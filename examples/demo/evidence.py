"""Gathers the evidence, a little at each look: the function's journals and the daemon's log."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from account import Evidence


class Lines:
    """The finished JSON lines of a growing file, each given once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = 0

    def new(self) -> Iterator[dict[str, Any]]:
        try:
            with self._path.open("rb") as file:
                file.seek(self._read)
                data = file.read()
        except FileNotFoundError:
            return
        finished = data[: data.rfind(b"\n") + 1]
        self._read += len(finished)
        for line in finished.splitlines():
            if line.startswith(b"{"):
                yield json.loads(line)


class Gatherer:
    def __init__(self, journals: Path, log: Path) -> None:
        self.evidence = Evidence()
        self.orders: dict[str, int] = {}
        """Number of the order that each record carries, by the record's id."""
        self._journals = journals
        self._journal_lines: dict[Path, Lines] = {}
        self._log = Lines(log)
        self._unknown: list[str] = []
        self.bisected = 0
        """Batches that were split in two."""

    def sent(self, record: str, order: int) -> None:
        self.orders[record] = order
        self.evidence.sent.add(order)

    def look(self) -> None:
        """Reads the lines that were written since the last look."""
        for path in self._journals.glob("*.jsonl"):
            for line in self._journal_lines.setdefault(path, Lines(path)).new():
                self._journalled(line)
        for line in self._log.new():
            self._unknown += filtered(line)
            self.bisected += line.get("action") == "bisect"
        waiting, self._unknown = self._unknown, []
        for name in waiting:
            if name in self.orders:
                self.evidence.filtered[self.orders[name]] += 1
            else:  # the daemon may be faster than the answer to the sender
                self._unknown.append(name)

    @property
    def filtered(self) -> int:
        """The number of filtered records, of known orders or not."""
        return len(self.evidence.filtered) + len(self._unknown)

    @property
    def strangers(self) -> list[str]:
        """Filtered records that we did not send."""
        return self._unknown

    def _journalled(self, line: dict[str, Any]) -> None:
        (self.evidence.taken if line["taken"] else self.evidence.failed)[line["order"]] += 1


def filtered(line: dict[str, Any]) -> list[str]:
    """The ids of the records that a line of the daemon's log says were filtered."""
    return list(line.get("ids", ())) if line.get("action") == "filter" else []
