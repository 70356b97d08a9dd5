"""Frames of a runtime's log descriptor into records, however many lines each has. Pure.

    type, 4 bytes: 0xa55a00 and one byte for form and level │ length, 4 bytes │ time, 8 bytes, µs │ its text

All numbers have the most significant byte first. AWS's runtime clients write them to the descriptor that
`_LAMBDA_TELEMETRY_LOG_FD` names. What is no frame is taken for lines of plain text.

https://github.com/aws/aws-lambda-python-runtime-interface-client (`FramedTelemetryLogSink`)
"""

from __future__ import annotations

from .....config.fields.spoken import counted
from .lines import LINE_LIMIT, LineBudget, OutputLines

MAGIC = b"\xa5\x5a\x00"
HEAD = 16
"""Bytes of a frame before its text."""
_LENGTH = slice(4, 8)


class Frames:
    """Works as `OutputLines`: `feed` returns the records that are complete. Keeps one record at most, and of that so
    much as one record may have."""

    def __init__(self, budget: LineBudget) -> None:
        self._budget = budget
        self._plain = OutputLines(budget)
        self._head = bytearray()
        self._text = bytearray()
        self._left: int | None = None
        """Bytes of the open frame's text that are still to come; None between frames."""
        self._dropped = 0

    def feed(self, data: bytes, now: float) -> list[str]:
        records: list[str] = []
        at = 0
        while at < len(data):
            if self._left is None:
                at = self._between(data, at, now, records)
            else:
                at = self._inside(data, at, self._left, now, records)
        return records

    def finish(self) -> list[str]:
        """Return the rest when the writer is gone: the part of an unfinished frame that arrived."""
        rest = [self._record()] if self._text else []
        self._head.clear()
        self._left = None
        return [*self._say_dropped(), *self._plain.finish(), *rest]

    def _between(self, data: bytes, at: int, now: float, records: list[str]) -> int:
        """Take what belongs to the next head; the place behind it."""
        taken = data[at : at + HEAD - len(self._head)]
        self._head += taken
        foreign = _before_magic(self._head)
        if foreign:
            records += self._plain.feed(bytes(self._head[:foreign]), now)
            del self._head[:foreign]
        elif len(self._head) == HEAD:
            self._left = int.from_bytes(self._head[_LENGTH])
            self._head.clear()
            if not self._left:
                self._end(now, records)
        return at + len(taken)

    def _inside(self, data: bytes, at: int, left: int, now: float, records: list[str]) -> int:
        taken = data[at : at + left]
        self._text += taken[: LINE_LIMIT - len(self._text)]
        self._left = left - len(taken)
        if not self._left:
            self._end(now, records)
        return at + len(taken)

    def _end(self, now: float, records: list[str]) -> None:
        self._left = None
        if self._budget.allows(1, len(self._text), now):
            records += [*self._say_dropped(), self._record()]
        else:
            self._dropped += 1
            self._text.clear()

    def _record(self) -> str:
        text = bytes(self._text).decode("utf-8", "replace")
        self._text.clear()
        return text.removesuffix("\n")

    def _say_dropped(self) -> list[str]:
        dropped, self._dropped = self._dropped, 0
        return (
            [f"[Headrace dropped {counted(dropped, 'record')}: the function writes faster than can be logged]"]
            if dropped
            else []
        )


def _before_magic(head: bytearray) -> int:
    """Bytes that begin no frame, whatever comes behind them."""
    found = head.find(MAGIC)
    if found >= 0:
        return found
    for kept in range(min(len(MAGIC) - 1, len(head)), 0, -1):
        if head.endswith(MAGIC[:kept]):
            return len(head) - kept
    return len(head)
