"""THE loop: fetch, filter, batch, dispatch, settle. One loop for all sources.

A feed reads from one `Reader` and has the slots in which its batches are in flight. It decides nothing by itself: the
slots decide what makes a batch, the planner decides the fates, and the ledger of its positions (`core/marks.py`) how
far a lane is done. `intake.py` fetches for it, and `committer.py` stores its positions.

    fetch -> filter -> slots -> delivery -> settle -> marks -> commit
      ^                  |
      +---- room --------+
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import anyio
import anyio.lowlevel
from anyio.abc import TaskGroup

from ..config.core.stop_budget import NEVER, StopTimes, soon
from ..config.errors import SourceError, SourceUnavailable
from ..config.reasons import Reason
from ..dispatch.core.model import ABANDONED, FILTERED, FateKind, Lane, Now, OpenWindow, Position, Record, Settlement
from ..dispatch.core.observer import Blocked, Filtered, Settled, SettleFailed, Settling
from ..dispatch.core.pages import NONE, Records
from ..dispatch.core.planner import DiscardStep, SettleStep
from ..dispatch.core.steps import Skip
from ..dispatch.dispatcher import Delivery
from .committer import Committer
from .core.blockage import BLOCKED_AFTER, Blockage
from .core.marks import Marks
from .feed_settings import FeedSettings
from .intake import Intake
from .slot_ledger import SlotLedger
from .source import NOT_ACCEPTED, FetchResult, Reader

PASSED = frozenset({FateKind.DELIVERED, FateKind.FILTERED, FateKind.DISCARDED})
"""Fates that a position may move past."""

REFUSALS = 5
"""Fetches whose filtered records may still be unsettled at the source when the next fetch begins. The limit exists
because a source may be slow to settle them."""

NOWHERE = Position(0)
"""In the place of a position where there is none."""


class Feed:
    """One reader at work. `run` ends when the feed was stopped or retired, or raises what its source said for good."""

    def __init__(
        self,
        settings: FeedSettings,
        reader: Reader,
        polled: Callable[[FetchResult], None],
        took: Callable[[bool], None],
    ) -> None:
        """`polled` is called after each fetch. `took` is called for each batch of lent records, with whether more
        records wait behind it."""
        self._settings = settings
        self._dispatcher = settings.dispatcher
        self._observer = settings.dispatcher.observer
        self._clock = settings.dispatcher.clock
        self._mapping = settings.dispatcher.mapping
        self._reader = reader
        self._took = took
        self._slots = settings.slots(reader.lane, reader.window)
        self._marks = Marks(settings.ahead_records, settings.ahead_bytes, reader.lane, reader.window, settings.pool)
        self._ended: set[Lane] = set()
        self._intake = Intake(settings, reader, self._slots, self._marks, polled)
        self._committer = Committer(settings, reader, self._marks, self._stored)
        self._deliveries: set[Delivery] = set()
        self._refusals = 0
        self._blockage = Blockage()
        self._tasks: TaskGroup | None = None
        self._wanted = True
        self._stopped = False
        self._times = NEVER
        self._waiting = anyio.CancelScope()
        self._ending = anyio.CancelScope()
        self._changed = anyio.Event()
        reader.attach(self)

    @property
    def busy(self) -> bool:
        """Whether the feed holds a record without a fate, or a window without its end."""
        return bool(self._deliveries) or self._refusals > 0 or not self._slots.idle

    @property
    def trouble(self) -> Reason | None:
        """Why the last fetch failed; None when it did not."""
        return self._intake.trouble

    @property
    def unanswered(self) -> float:
        """Seconds for which the fetch under way has had no answer; below zero where none is under way."""
        return self._intake.unanswered

    async def run(self) -> None:
        try:
            failure = await self._read()
        finally:
            self._marks.close()
            with self._until(self._times.close):
                await self._reader.aclose()
        if failure := failure or self._committer.lost:
            raise failure

    async def _read(self) -> SourceError | None:
        failure: SourceError | None = None
        async with anyio.create_task_group() as tasks:
            self._tasks = tasks
            try:
                await self._fetch_while_wanted()
            except SourceError as error:
                failure = error
            await self._drain()
        if self._stopped:  # the stop came while a retired feed delivered its last batch
            await self._give_back()
        with self._until(self._times.settle):
            await self._last_commit()
        return failure

    def retire(self) -> None:
        """Fetch no more; what is here is delivered. Where other readers can continue (in a group), only batches in
        flight are delivered: a failing record may fail forever, and while we hold our lanes no other member reads
        them."""
        if self._reader.lane is None and not self._settings.lent:
            self.stop(self._times)
        else:
            self._fetch_no_more()

    def _fetch_no_more(self) -> None:
        self._wanted = False
        self._waiting.cancel()
        self._committer.hurry()

    def stop(self, times: StopTimes = NEVER) -> None:
        """Fetch no more and begin nothing new. Invocations in flight go on. A fetch from a source that lends records
        (SQS) goes on too: a queue may answer a poll whose client has gone, and make a message invisible that nobody
        received. `times`: the deadline of each phase; NEVER where nobody waits for the end."""
        self._fetch_no_more()
        self._stopped, self._times = True, times
        self._ending.deadline = min(self._ending.deadline, times.close)
        self._committer.stop(times)
        if not self._settings.lent:
            self._intake.cut()
        for delivery in tuple(self._deliveries):
            delivery.stop(times)

    def hasten(self) -> int:
        """Invoke now the records that wait for their next attempt. Returns the number of batches that waited."""
        return sum(delivery.hasten() for delivery in tuple(self._deliveries))

    def skip(self, lane: str, name: str) -> Skip | None:
        """Give up on the record that holds up a lane, or on the one of this name there. None when none of it is in a
        batch."""
        found = [(record, each) for each in self._deliveries if (record := each.blocking(lane, name)) is not None]
        found = [each for each in found if each[0].position is not None]
        if not found:
            return None
        record, delivery = min(found, key=lambda each: each[0].position or NOWHERE)
        return delivery.skip(record)

    def cut(self) -> None:
        """After a stop: end the invocations in flight as well, and the fetch."""
        self._intake.cut()
        for delivery in tuple(self._deliveries):
            delivery.cut()

    # --- the loop ---------------------------------------------------------------------------------------------------

    async def _fetch_while_wanted(self) -> None:
        failures = 0
        while await self._has_room():
            try:
                await self._take_in()
            except SourceUnavailable as error:
                failures += 1
                await self._rest(error.reason, failures)
                continue
            failures = 0
            self._pump()
            self._commit_soon()  # what could not be stored before

    async def _rest(self, cause: Reason, failures: int) -> None:
        """Back off after a failed fetch, but never beyond the end of an open batch's window."""
        delay = self._settings.backoff.delay(failures, self._dispatcher.jitter())
        self._intake.failed(cause, delay)
        with self._cancellable() as self._waiting:
            await self._sleep(delay)
        self._pump()

    async def _take_in(self) -> None:
        """Fetch, filter the records and put them into the slots."""
        try:
            fetched = await self._intake.fetch()
            await self._sort_in(fetched)
        finally:
            self._intake.taken()
            self._wake()
        self._end(fetched.ended)

    async def _sort_in(self, fetched: FetchResult) -> None:
        for gap in fetched.gaps:
            self._observer.observe(gap)
        kept, refused = await self._intake.sorted(fetched)
        if refused:
            self._refuse(refused)
        for page in fetched.records.pages:  # not before: observers look at what was refused
            page.sheet.seal()
        self._slots.put(kept, self._now())
        if not fetched.full:
            self._slots.heard(self._now())

    def _refuse(self, records: Records) -> None:
        self._observer.observe(Filtered(self._mapping, records))
        self._refusals += 1
        self._start(self._tell_refused, records)

    def _end(self, lanes: Sequence[Lane]) -> None:
        """These lanes have no more records. A feed whose only lane is among them ends."""
        self._ended.update(lanes)
        if self._reader.lane in self._ended:
            self._slots.close(self._now())
            self.retire()

    async def _tell_refused(self, refused: Records) -> None:
        try:
            await self._tell(Settlement(refused, FILTERED))
            self._marks.done(refused)
            self._commit_soon()
        finally:
            self._refusals -= 1
            self._wake()

    async def revoke(self, lanes: Collection[Lane], until: float) -> None:
        """The reader calls this; see `source.Owner.revoke`."""
        while self._intake.taking:
            await self._changed.wait()
        await self._tell(Settlement(self._begin_no_more(lanes), ABANDONED))
        with anyio.move_on_after(max(0.0, until - self._clock.monotonic())):
            while any(delivery.works_on(lanes) for delivery in self._deliveries):
                await self._changed.wait()
        for delivery in tuple(self._deliveries):
            delivery.withdraw(lanes)
        await self._committer.commit()
        self._marks.forget(lanes)
        self._wake()

    def _begin_no_more(self, lanes: Collection[Lane]) -> Records:
        """Drop the waiting records of these lanes, and let no delivery begin any of them. In one step: otherwise a
        batch would take waiting records before they are dropped."""
        for delivery in tuple(self._deliveries):
            delivery.stop_lanes(lanes)
        return self._slots.drop(lanes)

    def _pump(self, *, flush: bool = False) -> None:
        """Put every batch that is ready into its slot."""
        while not self._stopped and (taken := self._slots.take(self._now(), flush=flush)):
            delivery = self._dispatcher.delivery(taken, SlotLedger(self, taken.slot))
            self._deliveries.add(delivery)  # now, not when its task first runs: until then the loop must see it too
            self._start(self._deliver, delivery, taken.slot)
            if self._settings.lent:
                self._took(self._slots.waiting().records > 0)

    async def _deliver(self, delivery: Delivery, slot: int) -> None:
        try:
            await delivery.run()
        finally:
            self._delivered(delivery, slot)
        self._pump(flush=not self._wanted)

    def _delivered(self, delivery: Delivery, slot: int) -> None:
        """Free the slot in the same step in which its delivery ends."""
        self._deliveries.discard(delivery)
        self._slots.completed(slot, self._now())
        self._wake()

    async def _drain(self) -> None:
        """The end of fetching: deliver the records that wait for a batch, or give them back on a stop."""
        self._pump(flush=True)
        if self._stopped:
            await self._give_back()

    async def _give_back(self) -> None:
        """Give the waiting records back to the source, because no batch will take them."""
        dropped = self._slots.drop()
        with self._until(self._times.settle):
            await self._tell(Settlement(dropped, ABANDONED))
            await self.release(dropped)

    # --- room -------------------------------------------------------------------------------------------------------

    async def _has_room(self) -> bool:
        """Wait until a fetch makes sense; False when none is wanted any more."""
        if self._marks.tight:
            self._tell_blocked()
        with self._cancellable() as self._waiting:
            while self._wanted and not self._free():
                await self._wait_room()
                self._pump()
        return self._wanted

    def _free(self) -> bool:
        if self._refusals >= REFUSALS:
            return False
        if self._settings.lent:
            target = self._dispatcher.target
            return not self._deliveries and target.gate.is_seen and target.permits.slack
        if self._reader.lane is None:
            return True  # lanes that hold enough are skipped: no lane waits for another
        return not self._marks.crowded and not self._marks.full

    async def _wait_room(self) -> None:
        """Until something changes that `_free` looks at, or the open batch's window ends."""
        with anyio.move_on_after(self._until_deadline()):
            target = self._dispatcher.target
            if self._settings.lent and not self._deliveries and self._refusals < REFUSALS:
                await target.gate.wait_seen()
                await target.permits.wait_slack()
            else:
                await self._wait_changed_or_tell()

    def _until_deadline(self) -> float | None:
        deadline = self._slots.deadline()
        return None if deadline is None else max(0.0, deadline - self._clock.monotonic())

    async def _sleep(self, seconds: float) -> None:
        until = self._until_deadline()
        await anyio.sleep(seconds if until is None else min(seconds, until))

    # --- the ledger: what deliveries do to records ------------------------------------------------------------------

    async def settle(self, slot: int, step: SettleStep | DiscardStep) -> None:
        shared, window = self._booked(slot, step)
        accepted = await self._tell(Settlement(step.records + shared, step.fate))
        if step.fate.kind in PASSED:
            self._marks.done_in_window(accepted, window)
            self._commit_soon()
        if step.fate.kind is FateKind.ABANDONED:
            await self.release(shared)

    def _booked(self, slot: int, step: SettleStep | DiscardStep) -> tuple[Records, OpenWindow | None]:
        """Enter a fate into the slot's books. Returns the waiting records that share it, and the tumbling window as it
        is after these records: a later settlement changes the window, and has a later position."""
        shared = self._slots.settled(slot, step, self._now())
        return shared, self._slots.stored

    def invoked(self, slot: int) -> None:
        self._slots.invoked(slot, self._now())
        self._wake()

    async def _tell(self, settlement: Settlement) -> Records:
        """Settle a fate at the source. Returns the records that were settled."""
        if not settlement.records:
            return NONE
        self._observer.observe(Settling(self._mapping, (settlement,)))
        refused = set(await self._reader.settle((settlement,)))
        if not refused:
            self._observer.observe(Settled(self._mapping, (settlement,)))
            return settlement.records
        lost, accepted = settlement.records.by_record(refused.__contains__)
        self._observer.observe(SettleFailed(self._mapping, lost, NOT_ACCEPTED))
        if accepted:
            self._observer.observe(Settled(self._mapping, (Settlement(accepted, settlement.fate),)))
        return accepted

    async def hold(self, records: Sequence[Record], until: float) -> float:
        """Hold the records that wait behind the batch of a function that cannot start, because they could not be
        invoked either."""
        down = not self._dispatcher.target.gate.is_open
        behind = [record for record in self._slots.behind() if record.held_until < until] if down else []
        try:
            reached = await self._reader.hold([*records, *behind], until)
        except SourceError:
            return min(record.held_until for record in records)
        for record in behind:
            record.held_until = max(record.held_until, reached)
        return reached

    async def release(self, records: Sequence[Record]) -> None:
        if records:
            await self._reader.release(records)

    # --- positions --------------------------------------------------------------------------------------------------

    def _commit_soon(self) -> None:
        """Records are done: there may be room, and marks to store."""
        self._wake()
        self._committer.soon(self._start)

    def _stored(self) -> None:
        """A position is durable, which makes room; or the lane has another owner, who works on it now."""
        if self._committer.lost:
            self.stop(self._times)
        else:
            self._wake()

    async def _last_commit(self) -> None:
        """Store the last positions when no batch is in flight any more, and the end of each lane that was read to its
        end."""
        if self._slots.idle:
            self._marks.end(self._ended)
        await self._committer.last()

    # --- small ------------------------------------------------------------------------------------------------------

    def _start(self, function: Callable[..., object], *arguments: object) -> None:
        assert self._tasks is not None
        self._tasks.start_soon(function, *arguments)  # type: ignore[arg-type]

    def _until(self, end: float) -> anyio.CancelScope:
        """Work that must be done during cancellation, but only until this phase of a stop ends."""
        self._ending = anyio.CancelScope(shield=True, deadline=soon(end, self._clock.monotonic()))
        return self._ending

    def _now(self) -> Now:
        return self._dispatcher.now()

    def _cancellable(self) -> anyio.CancelScope:
        scope = anyio.CancelScope()
        if not self._wanted:
            scope.cancel()
        return scope

    def _wake(self) -> None:
        changed, self._changed = self._changed, anyio.Event()
        changed.set()

    async def _wait_changed_or_tell(self) -> None:
        """Wait until a delivery or a commit changes something, or until a blockage must be reported."""
        self._tell_blocked()
        with anyio.move_on_after(BLOCKED_AFTER):
            await self._changed.wait()
        self._tell_blocked()

    def _tell_blocked(self) -> None:
        if (stuck := self._blockage.due(self._marks.stuck, self._clock.monotonic())) is not None:
            key = stuck.blocker.key or ""
            self._observer.observe(Blocked(self._mapping, stuck.lane, key, stuck.records))
