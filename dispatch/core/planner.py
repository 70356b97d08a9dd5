"""One batch from its first invocation to its last fate: retry, bisect, partial failure, record age. Pure.

The dispatcher drives it and carries out its steps; nothing else decides about a batched record.

                        next()                                on(outcome)
      parts, in order  ───────►  Invoke: the first part is  ──────────────►  taken: Settle(DELIVERED)
        ▲  ▲  ▲                  in flight, alone                            refused (429, unreachable): part again
        │  │  │                                                              failed:
        │  │  └── again after a back-off, attempts + 1  ◄─────────────────── │  attempts left
        │  └───── two halves, fresh attempts, at once   ◄─────────────────── │  bisect, two records or more
        └──────── what is left, fresh attempts          ◄─────────────────── │  some of it was taken
                                                             Discard(…)  ◄── │  nothing left to try
                                                             Settle(RETURNED) ◄ a queue's batch (Progress.NONE)

What has its fate waits in `_ready` until `next` hands it out, so 99 records of a batch are settled while the hundredth
is retried for hours. Rules: docs/semantics/core.md, RETRY-01 and on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from math import inf
from typing import assert_never

from .model import (
    ABANDONED,
    DELIVERED,
    RETURNED,
    Batch,
    BatchKind,
    DiscardReason,
    FailedItems,
    Fate,
    FunctionFailed,
    Lane,
    Now,
    Outcome,
    Record,
    Succeeded,
    Throttled,
    Unreachable,
)
from .pages import Page, Records
from .policy import Policy, Progress
from .steps import DiscardStep, Done, Halved, InvokeStep, Retry, SettleStep, Skip, Step, Wait

__all__ = ["DiscardStep", "Done", "Halved", "InvokeStep", "Planner", "Retry", "SettleStep", "Step", "Wait"]

Failed = FunctionFailed | FailedItems


@dataclass(slots=True, eq=False)
class _Part:
    """Records that are invoked together."""

    records: Records
    kind: BatchKind
    failure: Failed | None = None
    """The last failed invocation, also when that was one of a larger batch."""
    attempts: int = 0
    failures: int = 0
    """Attempts and refusals since the last progress: what the back-off grows with."""
    not_before: float = -inf

    @property
    def ends_window(self) -> bool:
        return self.kind is BatchKind.WINDOW_END


class Planner:
    """Decides about one batch. `next` returns the next step, `on` takes the outcome of an invocation; at most one is in
    flight. `discard` is the verdict on records that were decided before batching: they are never invoked. `state` is
    the tumbling window's state before this batch.
    """

    def __init__(
        self, policy: Policy, batch: Batch, *, discard: DiscardReason | None = None, state: bytes = b"{}"
    ) -> None:
        self._policy = policy
        self._batch = batch
        self._state = state
        self._ready: deque[SettleStep | DiscardStep] = deque()
        self._parts: deque[_Part] = deque()
        self._in_flight: _Part | None = None
        self._call: int | None = None
        self._calls = 0
        self._stopped_all = False
        self._stopped: set[Lane] = set()
        self._skipped: set[Record] = set()
        """The records that are given up when the invocation that has them ends without processing them."""
        self._began = inf
        """Wall time of the first step."""
        self._lent = batch.records.held_until != inf
        if discard is not None:
            self._ready.append(DiscardStep(batch.records, discard, None, 0, None))
        elif batch.records or batch.kind is BatchKind.WINDOW_END:
            self._parts.append(_Part(batch.records, batch.kind))

    # --- what to do -------------------------------------------------------------------------------------------------

    def next(self, now: Now) -> Step:
        """The next step. After Settle or Discard ask again; Invoke, Wait and Done end the round."""
        self._began = min(self._began, now.wall)
        self._return_expired(now)
        while not self._ready:
            if self._call is not None:
                return Wait(self._waiting_until()) if self._parts or self._in_flight else Done()
            if not self._parts:
                return Done()
            part = self._parts[0]
            if part.not_before > now.monotonic:
                return Wait(min(part.not_before, self._waiting_until()))
            if not self._discard_old(part, now):
                return self._invoke()
        return self._ready.popleft()

    def _invoke(self) -> InvokeStep:
        part = self._in_flight = self._parts.popleft()
        self._calls += 1
        self._call = self._calls
        return InvokeStep(self._call, part.kind, part.records, self._state, part.attempts + 1)

    def _waiting_until(self) -> float:
        """When the source takes back the first record that is not in flight."""
        if not self._lent:
            return inf
        return min((part.records.held_until for part in self._parts), default=inf)

    def _return_expired(self, now: Now) -> None:
        if self._lent:
            expired = self._remove(lambda records: records.by_record(lambda each: each.held_until <= now.monotonic))
            self._settle(expired, RETURNED)

    def _discard_old(self, part: _Part, now: Now) -> bool:
        """Discard records that are too old before an attempt. Returns whether there were any. A window's end without
        records is as old as the end of its window, but no older than this batch: silence alone takes longer than a
        record may live."""
        if self._policy.max_age is None or self._policy.progress is Progress.NONE:
            return False
        born_after = now.earliest(self._policy.max_age) - self._policy.max_age
        if self._is_old_end(part, born_after):
            self._parts.popleft()
            self._give_up(part, part.records, DiscardReason.AGE_EXCEEDED, closes=True)
            return True
        old, young = self._split_old(part.records, born_after)
        if old:
            part.records = young
            if not young and not part.ends_window:
                self._parts.popleft()
            self._give_up(part, old, DiscardReason.AGE_EXCEEDED)
        return bool(old)

    def _is_old_end(self, part: _Part, born_after: float) -> bool:
        window = self._batch.window
        return not part.records and window is not None and max(window.end, self._began) <= born_after

    def _split_old(self, records: Records, born_after: float) -> tuple[Records, Records]:
        """Streams lose records at the front only, so that the rest stays a suffix; Kafka's timestamps are not in order
        and each record is judged alone."""
        if self._policy.progress is Progress.PER_RECORD:
            return records.by_place(lambda sheet, place: sheet.arrived(place) <= born_after)
        count = next((i for i, arrived in enumerate(records.arrivals) if arrived > born_after), len(records))
        return records[:count], records[count:]

    # --- how it ended -----------------------------------------------------------------------------------------------

    def on(self, call: int, outcome: Outcome, now: Now, jitter: float = 0.0) -> Retry | Halved | None:
        """The invocation `call` ended. Returns events for observers. An answer to a call that is not in flight
        (withdrawn, recalled, answered) changes nothing."""
        if call != self._call:
            return None
        part, self._in_flight, self._call = self._in_flight, None, None
        if part is None:  # every record of it was withdrawn
            return None
        match outcome:
            case Succeeded():
                self._deliver(part, part.records, outcome.state, last=True)
                return None
            case Throttled() | Unreachable():
                return self._again(part, now, jitter, outcome.after if isinstance(outcome, Throttled) else None)
            case FailedItems():
                return self._on_failed_items(part, outcome, now, jitter)
            case FunctionFailed():
                return self._on_failure(part, outcome, now, jitter)
            case _:
                assert_never(outcome)

    def _on_failed_items(self, part: _Part, outcome: FailedItems, now: Now, jitter: float) -> Retry | Halved | None:
        left, taken = self._split_failed(part.records, outcome)
        if left and (not taken or self._policy.progress is Progress.NONE):
            self._settle(taken, DELIVERED)
            part.records = left
            return self._on_failure(part, outcome, now, jitter)
        self._deliver(part, taken, outcome.state, last=not left)
        if not left:  # the failed records are withdrawn already
            return None
        return self._again(_Part(left, part.kind, outcome), now, jitter)

    def _split_failed(self, records: Records, outcome: FailedItems) -> tuple[Records, Records]:
        """The records that are left to do, and the records that the function processed."""
        if self._policy.progress is not Progress.PREFIX:
            return records.by_record(lambda record: record.id in outcome.ids)
        first = next((i for i, record in enumerate(records) if record.id in outcome.ids), len(records))
        return records[first:], records[:first]

    def _on_failure(self, part: _Part, outcome: Failed, now: Now, jitter: float) -> Retry | Halved | None:
        """An attempt without any progress."""
        part.attempts += 1
        part.failure = outcome
        if self._policy.progress is Progress.NONE:
            self._settle(part.records, RETURNED)
            return None
        if self._policy.bisect and len(part.records) > 1:
            return self._halve(part)
        if self._policy.retries is not None and part.attempts > self._policy.retries:
            self._give_up(part, part.records, DiscardReason.RETRIES_EXHAUSTED, closes=part.ends_window)
            return None
        return self._again(part, now, jitter)

    def _halve(self, part: _Part) -> Halved:
        middle = len(part.records) // 2
        self._put_back(_Part(part.records[middle:], part.kind, part.failure))
        self._put_back(_Part(part.records[:middle], BatchKind.RECORDS, part.failure))
        return Halved(part.records)

    def _again(self, part: _Part, now: Now, jitter: float, after: float | None = None) -> Retry | None:
        """Try the part again after a back-off. A service that asks for more time gets it, up to the cap."""
        part.failures += 1
        delay = self._policy.backoff.delay(part.failures, jitter)
        if after is not None:
            delay = max(delay, min(self._policy.backoff.cap, after))
        part.not_before = now.monotonic + delay
        self._put_back(part)
        return Retry(part.records, part.attempts, delay) if part in self._parts else None

    def is_late(self, now: Now) -> bool:
        """Whether what is in flight has records by now that are too old to be invoked. If it has not begun, `recall` it
        and ask for the `next` step."""
        if self._in_flight is None or self._policy.max_age is None or self._policy.progress is Progress.NONE:
            return False
        born_after = now.earliest(self._policy.max_age) - self._policy.max_age
        return self._is_old_end(self._in_flight, born_after) or bool(
            self._split_old(self._in_flight.records, born_after)[0]
        )

    # --- interruptions ----------------------------------------------------------------------------------------------

    def recall(self, call: int) -> None:
        """The invocation was never begun (no permit came while the records were held): as if not handed out."""
        if call == self._call:
            part, self._in_flight, self._call = self._in_flight, None, None
            if part is not None:
                self._put_back(part)

    def stop(self, lanes: Collection[Lane] | None = None) -> None:
        """Start no further invocation for these lanes (None: for all). What is not in flight becomes ABANDONED now;
        what is in flight, after it ended, unless it is decided then."""
        if lanes is None:
            self._stopped_all = True
        else:
            self._stopped.update(lanes)
        self._settle(self._remove(lambda records: records.by_lane(self._is_stopped)), ABANDONED)

    def withdraw(self, lanes: Collection[Lane] | None = None) -> None:
        """Like `stop`, for what is in flight too: it is ABANDONED at once, and what comes of it is ignored."""
        self.stop(lanes)
        if self._in_flight is None:
            return
        gone, kept = self._in_flight.records.by_lane(self._is_stopped)
        if not kept and (gone or self._is_stopped(self._batch.lane)):
            self._in_flight = None
        else:
            self._in_flight.records = kept
        if gone:
            self._ready.append(SettleStep(gone, ABANDONED, running=True))

    def hold(self, records: Iterable[Record], until: float) -> None:
        """The source leaves these records to us until then (monotonic)."""
        for record in records:
            record.held_until = until
        self._lent = True

    def hasten(self, now: Now) -> bool:
        """Let no back-off be waited for any longer. Whether there was one."""
        waiting = [part for part in self._parts if part.not_before > now.monotonic]
        for part in waiting:
            part.not_before = -inf
        return bool(waiting)

    def skip(self, record: Record) -> Skip | None:
        """Somebody gives up on this record: it is discarded, and what is behind it goes on. None when it has its fate
        already."""
        if self._in_flight is not None and any(each is record for each in self._in_flight.records):
            self._skipped.add(record)
            return Skip(record.name, waits=True)
        for part in self._parts:
            if any(each is record for each in part.records):
                self._skipped.add(record)
                self._drop_skipped(part)
                self._parts = deque(each for each in self._parts if each.records or self._may_be_empty(each))
                return Skip(record.name, waits=False)
        return None

    def _drop_skipped(self, part: _Part) -> None:
        skipped, part.records = part.records.by_record(self._skipped.__contains__)
        self._skipped.difference_update(skipped)
        if skipped:
            self._give_up(part, skipped, DiscardReason.SKIPPED)

    @property
    def in_flight(self) -> int | None:
        """The call that is not answered yet."""
        return self._call

    @property
    def undecided(self) -> Records:
        """The records without a fate, those in flight included, in order."""
        parts = [self._in_flight] if self._in_flight else []
        return Records(page for part in (*parts, *self._parts) for page in part.records.pages)

    @property
    def held_until(self) -> float:
        """When the source takes back the first undecided record; infinite where it never does."""
        return self.undecided.held_until if self._lent else inf

    # --- parts and fates --------------------------------------------------------------------------------------------

    def _is_stopped(self, lane: Lane | None) -> bool:
        return self._stopped_all or lane in self._stopped

    def _put_back(self, part: _Part) -> None:
        """To the front of the queue, without what was stopped meanwhile."""
        gone, part.records = part.records.by_lane(self._is_stopped)
        if self._skipped:
            self._drop_skipped(part)
        if part.records or (part.ends_window and not gone and not self._is_stopped(self._batch.lane)):
            self._parts.appendleft(part)
        self._settle(gone, ABANDONED)

    def _remove(self, parted: Callable[[Records], tuple[Records, Records]]) -> Records:
        """Take records out of all parts that are not in flight; `parted` has them first, then those that stay."""
        removed: list[Page] = []
        for part in self._parts:
            gone, part.records = parted(part.records)
            removed += gone.pages
        self._parts = deque(part for part in self._parts if part.records or self._may_be_empty(part))
        return Records(removed)

    def _may_be_empty(self, part: _Part) -> bool:
        return part.ends_window and not self._is_stopped(self._batch.lane)

    def _deliver(self, part: _Part, records: Records, state: bytes | None, *, last: bool) -> None:
        """`last`: nothing of the part is left, so if it ends the window, the window is over. Only the end of a window
        is invoked without records."""
        closes = last and part.ends_window
        new_state = state if self._policy.windowed and not closes else None
        self._state = self._state if new_state is None else new_state
        self._ready.append(SettleStep(records, DELIVERED, new_state, closes))

    def _settle(self, records: Records, fate: Fate) -> None:
        if records:
            self._ready.append(SettleStep(records, fate))

    def _give_up(self, part: _Part, records: Records, reason: DiscardReason, *, closes: bool = False) -> None:
        last = part.failure.attempt if part.failure else None
        self._ready.append(DiscardStep(records, reason, last, part.attempts, part.failure, closes))
