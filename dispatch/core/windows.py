"""Tumbling windows of one shard: the records of a window, its end, and its state. Pure.

      no window ──first record──► open, state {} ──┬─ a record beyond its end ───────┐
          ▲                                        ├─ quiet for 2 minutes after end ─┤
          │                                        ├─ the shard ended ───────────────┤
          │                                        └─ its state outgrew 1 MB ────────┤ (terminated early)
          └──── state dropped ◄── settled or given up ◄── WINDOW_END batch ◄─────────┘

Boundaries are multiples of the window's length since the epoch; a record's window is that of its arrival. A record that
arrives later than its turn joins the open window: a window that ended is never opened again behind its successor. Only
when the service's clock was set back do windows begin anew, at the new time.
https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-windows.html
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from math import floor, inf

from ...config.core.clocks import TOLERANCE
from .batcher import Batcher, Limits
from .events import STATE_LIMIT
from .model import Batch, BatchKind, Lane, Now, OpenWindow, Record, Window
from .slots import Taken, Waiting
from .steps import DiscardStep, SettleStep

QUIET = 120.0
"""Seconds without a record, after a window's end, that end the window: once they are over, and the source reports that
it has nothing more. An unreachable source is not silent."""


def window_of(arrived: float, seconds: int) -> Window:
    """The window that a moment (wall clock) falls into."""
    start = floor(arrived / seconds) * seconds
    return Window(start, start + seconds)


class WindowSlot:
    """The one slot of a shard with a tumbling window (`slots.Slots`). `restored` is what the store kept."""

    def __init__(self, limits: Limits, seconds: int, lane: Lane, now: Now, restored: OpenWindow | None = None) -> None:
        self._queue = Batcher(limits)
        self._seconds = seconds
        self._lane = lane
        self._open = restored
        self._outgrown = restored is not None and len(restored.state) > STATE_LIMIT
        # By today's length: the stored window may have had another.
        self._latest = window_of(restored.window.start, seconds).start if restored else -inf
        self._closed = False
        self._ends_at = inf
        self._heard = -inf
        self._touched = now.monotonic
        self._seen(now)

    @property
    def stored(self) -> OpenWindow | None:
        """The window that the store must keep with the position; None when none is open."""
        return self._open

    def put(self, records: Iterable[Record], now: Now) -> None:
        for record in records:
            self._latest = self._turn_of(record.arrived, now)
            self._queue.add(record, now.monotonic, group=int(self._latest))
            self._seen(now)

    def _turn_of(self, arrived: float, now: Now) -> float:
        """The start of the window that a record joins. No record is from the future: when the latest window is in the
        future, the clock was set back."""
        start, present = window_of(arrived, self._seconds).start, now.earliest() + TOLERANCE
        set_back = arrived <= present < self._latest and arrived < self._latest - TOLERANCE
        return start if set_back else max(self._latest, start)

    def heard(self, now: Now) -> None:
        self._heard = now.monotonic

    def take(self, now: Now, *, flush: bool = False) -> Taken | None:
        if self._queue.busy:
            return None
        if self._open is not None and self._is_over(self._open.window):
            return self._end(self._open)
        portion = self._queue.take(now.monotonic, flush=flush)
        if portion is None:
            return None
        if portion.discard is not None:
            return Taken(0, Batch(portion.records), discard=portion.discard)
        if self._open is None:
            window = Window(portion.group, portion.group + self._seconds)
            self._open = OpenWindow(window, b"{}")
            self._seen(now)
        return self._batch(self._open, portion.records)

    def _batch(self, open_window: OpenWindow, records: tuple[Record, ...]) -> Taken:
        """The last records of a window go with its end, when the end is known by then."""
        over = self._is_over(open_window.window)
        kind = BatchKind.WINDOW_END if over else BatchKind.RECORDS
        return Taken(0, Batch(records, kind, open_window.window, lane=self._lane), open_window.state)

    def _end(self, open_window: OpenWindow) -> Taken:
        """The end of a window that has no record left."""
        self._queue.begin()
        batch = Batch((), BatchKind.WINDOW_END, open_window.window, self._outgrown, self._lane)
        return Taken(0, batch, open_window.state)

    def _is_over(self, window: Window) -> bool:
        head = self._queue.head_group
        if self._outgrown:
            return True
        if head is not None:
            return head != window.start
        return self._closed or self._heard >= self._ends_at

    def _seen(self, now: Now) -> None:
        """A record came: the quiet time counts from here, but not from before the window's end. That is no further off
        than a window is long, whatever became of the clock."""
        if self._open is not None:
            window = self._open.window
            left = min(window.end - now.wall, window.end - window.start)
            self._ends_at = now.monotonic + max(0.0, left) + QUIET

    def settled(self, slot: int, step: SettleStep | DiscardStep, now: Now) -> tuple[Record, ...]:
        if step.closes:
            self._open, self._outgrown, self._ends_at = None, False, inf
        elif isinstance(step, SettleStep) and step.state is not None and self._open is not None:
            self._open = replace(self._open, state=step.state)
            self._outgrown = len(step.state) > STATE_LIMIT
        return ()

    def invoked(self, slot: int, now: Now) -> None:
        pass

    def completed(self, slot: int, now: Now) -> None:
        self._queue.completed(now.monotonic)
        self._touched = now.monotonic

    def deadline(self) -> float | None:
        if self._queue.busy:
            return None
        if self._open is not None and self._is_over(self._open.window):
            return self._touched
        return self._queue.deadline()

    def room(self) -> int:
        return self._queue.room()

    def waiting(self) -> Waiting:
        return Waiting(len(self._queue), self._queue.bytes)

    def behind(self) -> tuple[Record, ...]:
        return self._queue.records

    def drop(self, lanes: Collection[Lane] | None = None) -> tuple[Record, ...]:
        return self._queue.drop(lanes)

    def close(self, now: Now) -> None:
        self._closed = True
        self._queue.close()

    @property
    def idle(self) -> bool:
        return not self._queue.busy and not len(self._queue) and self._open is None
