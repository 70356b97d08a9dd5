"""THE loop: fetch, filter, batch, dispatch, settle. One loop for all sources.

A feed reads from one `Reader` and has the slots in which its batches are in flight. It decides nothing by itself: the
slots say what makes a batch, the planner what becomes of it, the watermarks how far a lane is done.

    fetch -> filter -> slots -> delivery -> settle -> watermark -> commit
      ^                  |
      +---- room --------+
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import anyio
from anyio.abc import TaskGroup

from ..config.errors import SourceError, SourceUnavailable
from ..dispatch.backoff import Backoff
from ..dispatch.dispatcher import SETTLE_DEADLINE, Delivery, Dispatcher
from ..dispatch.model import ABANDONED, FILTERED, FateKind, Lane, Now, Record, Settlement
from ..dispatch.observer import Fetched as FetchedEvent
from ..dispatch.observer import FetchFailed, Filtered, Settled, SettleFailed, Settling
from ..dispatch.planner import Discard, Settle
from ..dispatch.slots import Slots
from ..dispatch.watermark import Watermark
from .source import Fetched, Reader

PASSED = frozenset({FateKind.DELIVERED, FateKind.FILTERED, FateKind.DISCARDED})
"""Fates that a position may move past."""

REFUSALS = 5
"""Fetches whose filtered records the source may still have to be told of while the next fetch begins: a source that is
slow to hear of them is not to be read without bound."""

Keeps = Callable[[Record], bool]
"""A mapping's filters: whether the function shall get the record."""


@dataclass(frozen=True, slots=True)
class FeedSettings:
    """What all feeds of one mapping have in common."""

    dispatcher: Dispatcher
    slots: Callable[[], Slots]
    """Makes a feed's slots."""
    keeps: Keeps
    backoff: Backoff
    """Between fetches that failed."""
    lent: bool
    """Records are only lent: fetch nothing that cannot be invoked, and no batch ahead."""
    fetch_limit: int = 10_000
    """Records that one fetch may ask for."""
    ahead_records: int = 10_000
    """Records that may be fetched and not yet settled, per lane."""
    ahead_bytes: int = 32 * 1024 * 1024


class Feed:
    """One reader at work. `run` ends when the feed was stopped or retired, or raises what its source said for good."""

    def __init__(self, settings: FeedSettings, reader: Reader, polled: Callable[[Fetched], None]) -> None:
        self._settings = settings
        self._dispatcher = settings.dispatcher
        self._observer = settings.dispatcher.observer
        self._clock = settings.dispatcher.clock
        self._mapping = settings.dispatcher.mapping
        self._reader = reader
        self._polled = polled
        self._slots = settings.slots()
        self._watermarks: dict[Lane, Watermark] = {}
        self._deliveries: set[Delivery] = set()
        self._refusals = 0
        self._trouble = ""
        self._tasks: TaskGroup | None = None
        self._wanted = True
        self._stopped = False
        self._waiting = anyio.CancelScope()
        self._fetching = anyio.CancelScope()
        self._changed = anyio.Event()
        self._committing = anyio.Lock()

    @property
    def busy(self) -> bool:
        """Whether any record is here without a fate."""
        return bool(self._deliveries) or self._refusals > 0 or self._slots.waiting().records > 0

    @property
    def trouble(self) -> str:
        """Why the last fetch failed; empty when it did not."""
        return self._trouble

    async def run(self) -> None:
        failure: SourceError | None = None
        async with anyio.create_task_group() as tasks:
            self._tasks = tasks
            try:
                await self._fetch_while_wanted()
            except SourceError as error:
                failure = error
            await self._drain()
        if self._stopped:  # while the last of a feed that had retired was being delivered
            await self._give_back()
        with anyio.CancelScope(shield=True):
            await self._reader.aclose()
        if failure is not None:
            raise failure

    def retire(self) -> None:
        """Fetch no more; what is here is delivered."""
        self._wanted = False
        self._waiting.cancel()

    def stop(self) -> None:
        """Fetch no more and begin nothing new; invocations in flight go on, and so does a fetch of what is only lent:
        a queue may answer a poll that was hung up on, and lend a message to nobody."""
        self.retire()
        self._stopped = True
        if not self._settings.lent:
            self._fetching.cancel()
        for delivery in tuple(self._deliveries):
            delivery.stop()

    def cut(self) -> None:
        """End the invocations in flight as well, and the fetch."""
        self.stop()
        self._fetching.cancel()
        for delivery in tuple(self._deliveries):
            delivery.cut()

    # --- the loop ---------------------------------------------------------------------------------------------------

    async def _fetch_while_wanted(self) -> None:
        failures = 0
        while await self._has_room():
            try:
                fetched = await self._fetch()
            except SourceUnavailable as error:
                failures += 1
                self._trouble = str(error)
                await self._rest(self._trouble, failures)
                continue
            failures, self._trouble = 0, ""
            self._take_in(fetched)
            self._pump()

    async def _fetch(self) -> Fetched:
        limit = self._slots.room() if self._settings.lent else self._settings.fetch_limit
        started = self._clock.monotonic()
        fetched = Fetched()
        with anyio.CancelScope() as self._fetching:
            fetched = await self._reader.fetch(limit, self._slots.deadline())
        self._observer.observe(FetchedEvent(self._mapping, fetched.records, self._clock.monotonic() - started))
        self._polled(fetched)
        return fetched

    async def _rest(self, cause: str, failures: int) -> None:
        """Back off after a failed fetch, but never beyond the end of an open batch's window."""
        delay = self._settings.backoff.delay(failures, self._dispatcher.jitter())
        self._observer.observe(FetchFailed(self._mapping, cause, delay))
        with self._cancellable() as self._waiting:
            await self._sleep(delay)
        self._pump()

    def _take_in(self, fetched: Fetched) -> None:
        """Everything that happens to records between the fetch and their batch."""
        for gap in fetched.gaps:
            self._observer.observe(gap)
        fresh = [record for record in fetched.records if self._track(record)]
        verdicts = [self._settings.keeps(record) for record in fresh]
        refused = tuple(record for record, kept in zip(fresh, verdicts, strict=True) if not kept)
        if refused:
            self._observer.observe(Filtered(self._mapping, refused))
            self._refusals += 1
            self._start(self._tell_refused, refused)
        self._slots.put([record for record, kept in zip(fresh, verdicts, strict=True) if kept], self._now())

    async def _tell_refused(self, refused: tuple[Record, ...]) -> None:
        try:
            await self.tell(Settlement(refused, FILTERED))
        finally:
            self._refusals -= 1
            self._wake()

    def _pump(self, *, flush: bool = False) -> None:
        """Put every batch that is ready into its slot."""
        while not self._stopped and (taken := self._slots.take(self._now(), flush=flush)):
            delivery = self._dispatcher.delivery(taken, _SlotLedger(self, taken.slot))
            self._deliveries.add(delivery)  # now, not when its task first runs: until then the loop must see it too
            self._start(self._deliver, delivery, taken.slot)

    async def _deliver(self, delivery: Delivery, slot: int) -> None:
        try:
            await delivery.run()
        finally:
            self._deliveries.discard(delivery)
            self._slots.completed(slot, self._now())
            self._wake()
        self._pump(flush=not self._wanted)

    async def _drain(self) -> None:
        """The end of fetching: what waits for a batch is delivered, or on a stop given back."""
        self._pump(flush=True)
        if self._stopped:
            await self._give_back()

    async def _give_back(self) -> None:
        """What will not be in a batch any more."""
        dropped = self._slots.drop()
        with anyio.move_on_after(SETTLE_DEADLINE, shield=True):
            await self.tell(Settlement(dropped, ABANDONED))
            await self.release(dropped)

    # --- room -------------------------------------------------------------------------------------------------------

    async def _has_room(self) -> bool:
        """Wait until a fetch makes sense; False when none is wanted any more."""
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
            return not self._deliveries and target.gate.is_open and target.permits.slack
        return not any(mark.full for mark in self._watermarks.values())

    async def _wait_room(self) -> None:
        """Until something changes that `_free` looks at, or the open batch's window ends."""
        with anyio.move_on_after(self._until_deadline()):
            target = self._dispatcher.target
            if self._settings.lent and not self._deliveries and self._refusals < REFUSALS:
                await target.gate.wait_open()
                await target.permits.wait_slack()
            else:
                await self._wait_changed()

    def _until_deadline(self) -> float | None:
        deadline = self._slots.deadline()
        return None if deadline is None else max(0.0, deadline - self._clock.monotonic())

    async def _sleep(self, seconds: float) -> None:
        until = self._until_deadline()
        await anyio.sleep(seconds if until is None else min(seconds, until))

    # --- the ledger: what deliveries do to records ------------------------------------------------------------------

    async def settle(self, slot: int, step: Settle | Discard) -> None:
        shared = self._slots.settled(slot, step, self._now())
        await self.tell(Settlement((*step.records, *shared), step.fate))
        if step.fate.kind is FateKind.ABANDONED:
            await self.release(shared)

    def invoked(self, slot: int) -> None:
        self._slots.invoked(slot, self._now())

    async def tell(self, settlement: Settlement) -> None:
        """Tell the source a fate; then, and only then, move the positions past it."""
        if not settlement.records:
            return
        self._observer.observe(Settling(self._mapping, (settlement,)))
        unheard = set(await self._reader.settle((settlement,)))
        if unheard:
            self._observer.observe(SettleFailed(self._mapping, tuple(unheard), "the source did not accept it"))
        heard = tuple(record for record in settlement.records if record not in unheard)
        if heard:
            self._observer.observe(Settled(self._mapping, (Settlement(heard, settlement.fate),)))
        if settlement.fate.kind in PASSED:
            await self._commit(heard)

    async def hold(self, records: Sequence[Record], until: float) -> float:
        """What waits behind the batch of a function that cannot start could not be invoked either: it is held too."""
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

    def _track(self, record: Record) -> bool:
        """False for a record that the lane already knows (a reader that was reopened may repeat some)."""
        if record.position is None:
            return True
        mark = self._watermarks.get(record.lane)
        if mark is None:
            mark = Watermark(self._settings.ahead_records, self._settings.ahead_bytes)
            self._watermarks[record.lane] = mark
        return mark.add(record.position, len(record.body), record.key)

    async def _commit(self, records: Sequence[Record]) -> None:
        """Store the positions that moved because these records are done; one commit at a time, so none goes back."""
        lanes = {record.lane for record in records if self._pass(record)}
        if not lanes:
            return
        async with self._committing:
            marks = {lane: mark for lane in lanes if (mark := self._watermarks[lane].mark) is not None}
            await self._reader.commit(marks)
        self._wake()

    def _pass(self, record: Record) -> bool:
        """Whether the record's end moved its lane's mark."""
        return record.position is not None and self._watermarks[record.lane].done(record.position)

    # --- small ------------------------------------------------------------------------------------------------------

    def _start(self, function: Callable[..., object], *arguments: object) -> None:
        assert self._tasks is not None
        self._tasks.start_soon(function, *arguments)  # type: ignore[arg-type]

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

    async def _wait_changed(self) -> None:
        await self._changed.wait()


@dataclass(frozen=True, slots=True)
class _SlotLedger:
    """What the delivery of one slot may do to its records."""

    feed: Feed
    slot: int

    async def settle(self, step: Settle | Discard) -> None:
        await self.feed.settle(self.slot, step)

    def invoked(self) -> None:
        self.feed.invoked(self.slot)

    async def hold(self, records: Sequence[Record], until: float) -> float:
        return await self.feed.hold(records, until)

    async def release(self, records: Sequence[Record]) -> None:
        await self.feed.release(records)
