"""The hard cases of the sources as scripts: slots, planners and watermarks together, on paper.

`Feed` is the feed loop without a source and without time of its own: the script says what is fetched, how each
invocation ends, and when. Comments give the time.
"""

from __future__ import annotations

import json
from math import inf

import pytest

from headrace.dispatch.core.batcher import Limits
from headrace.dispatch.core.events import RecordsEnvelope, WindowEnvelope
from headrace.dispatch.core.model import (
    ABANDONED,
    DELIVERED,
    BatchKind,
    DiscardReason,
    Fate,
    FateKind,
    Lane,
    Outcome,
    Position,
    Record,
    discarded,
)
from headrace.dispatch.core.pages import NONE, Records
from headrace.dispatch.core.partition_slots import PartitionSlots
from headrace.dispatch.core.planner import DiscardStep, Done, InvokeStep, Planner, SettleStep, Wait
from headrace.dispatch.core.policy import Policy, Progress
from headrace.dispatch.core.slots import KeyHash, Slots
from headrace.dispatch.core.watermark import Watermark
from headrace.dispatch.core.windows import WindowSlot, window_of
from headrace.dispatch.kinds.kafka import KafkaEnvelope
from support.paper import EPOCH, LANE, Function, at, failed, ids, kafka_records, named, naming, ok, partition, poison

EXHAUSTED = discarded(DiscardReason.RETRIES_EXHAUSTED)


class Feed:
    """Slots, a planner for each batch in flight, a watermark for each lane."""

    def __init__(self, slots: Slots, policy: Policy, cap: int = 1000) -> None:
        self.slots = slots
        self.policy = policy
        self.cap = cap
        self.time = 0.0
        self.planners: dict[int, Planner] = {}
        self.flying: dict[int, InvokeStep] = {}
        self.waiting: dict[int, float] = {}
        self.marks: dict[Lane, Watermark] = {}
        self.fates: list[tuple[int, Fate]] = []
        self.steps: list[SettleStep | DiscardStep] = []
        self.calls: list[list[int]] = []

    def fetch(self, records: Records) -> None:
        for page in records.pages:
            mark = self.marks.setdefault(page.lane, Watermark(self.cap, 10**9))
            assert mark.fresh(page) is page
            page.write()
            mark.add(page)
        self.slots.put(records, at(self.time))
        self.pump()

    def pump(self) -> None:
        """Start what can start, hand out what is decided, until only outcomes and time can move anything."""
        moved = True
        while moved:
            moved = False
            while (taken := self.slots.take(at(self.time))) is not None:
                self.planners[taken.slot] = Planner(self.policy, taken.batch, discard=taken.discard, state=taken.state)
            for slot in list(self.planners):
                moved = self.drive(slot) or moved

    def drive(self, slot: int) -> bool:
        """True when the slot became free."""
        planner = self.planners[slot]
        while True:
            step = planner.next(at(self.time))
            match step:
                case SettleStep() | DiscardStep():
                    self.settle(slot, step)
                case InvokeStep():
                    self.flying[slot] = step
                    self.calls.append(ids(step.records))
                    return False
                case Wait(until):
                    self.waiting[slot] = until
                    return False
                case Done():
                    if planner.in_flight is not None:
                        return False
                    del self.planners[slot]
                    self.waiting.pop(slot, None)
                    self.slots.completed(slot, at(self.time))
                    return True

    def settle(self, slot: int, step: SettleStep | DiscardStep) -> None:
        assert self.slots.settled(slot, step, at(self.time)) == NONE
        self.steps.append(step)
        self.fates += [(number, step.fate) for number in ids(step.records)]
        for page in step.records.pages:
            if step.fate.kind is not FateKind.ABANDONED and page.lane in self.marks:
                self.marks[page.lane].done(page)

    def answer(self, outcome: Outcome, slot: int | None = None) -> None:
        """The invocation of a slot (the only one, by default) ends."""
        slot = next(iter(self.flying)) if slot is None else slot
        invoke = self.flying.pop(slot)
        self.slots.invoked(slot, at(self.time))
        self.planners[slot].on(invoke.call, outcome, at(self.time))
        self.pump()

    def sleep(self, until: float) -> None:
        self.time = until
        self.pump()

    def work(self, function: Function) -> None:
        """To the end."""
        while self.flying or any(until != inf for until in self.waiting.values()) or self.slots.deadline() is not None:
            if self.flying:
                self.answer(function(next(iter(self.flying.values()))))
            else:
                times = [*self.waiting.values(), self.slots.deadline() or inf]
                self.sleep(max(self.time, min(times)))

    def revoke(self, *lanes: Lane) -> None:
        dropped = self.slots.drop(lanes)
        self.fates += [(ids([each])[0], ABANDONED) for each in dropped]
        for planner in self.planners.values():
            planner.withdraw(lanes)
        self.pump()
        for lane in lanes:
            self.marks.pop(lane)

    def slot_of(self, number: int) -> int:
        return next(slot for slot, invoke in self.flying.items() if number in ids(invoke.records))

    def mark(self, lane: Lane) -> int | None:
        mark = self.marks[lane].mark
        return mark.number if mark else None

    def having(self, fate: Fate) -> list[int]:
        return [number for number, given in self.fates if given == fate]


# --- Kafka across partitions with a revoke in mid-retry ---------------------------------------------------------------


def kafka_feed(**policy: object) -> Feed:
    limits = Limits(10, 0.0, KafkaEnvelope("b:9092"))
    return Feed(PartitionSlots(limits, None), Policy(Progress.PER_RECORD, **policy))  # type: ignore[arg-type]


@pytest.mark.semantics("RETRY-20", "BATCH-13")
def test_kafka_a_revoke_in_mid_retry() -> None:
    feed = kafka_feed(retries=5)
    feed.fetch(Records.of((*kafka_records(partition(0), [1, 2, 3]), *kafka_records(partition(1), [11, 12, 13]))))
    assert feed.calls == [[1, 2, 3, 11, 12, 13]]
    # 0.0: two records fail, one of each partition; the rest is committed up to them.
    feed.answer(named(("orders-0", 2), ("orders-1", 12)))
    assert feed.having(DELIVERED) == [1, 3, 11, 13]
    assert (feed.mark(partition(0)), feed.mark(partition(1))) == (1, 11)
    # 0.5: both are tried again, and while they are, partition 0 is revoked.
    feed.sleep(0.5)
    assert feed.calls[-1] == [2, 12]
    feed.revoke(partition(0))
    assert feed.having(ABANDONED) == [2]
    # 1.0: it comes back and is fetched from its committed position; the old invocation still has record 2.
    feed.time = 1.0
    back = kafka_records(partition(0), [2, 3, 4])
    feed.fetch(back)
    assert len(feed.calls) == 2
    # 2.0: the old invocation ends: partition 1 by its outcome, partition 0 starts afresh.
    feed.time = 2.0
    feed.answer(named(("orders-0", 2), ("orders-1", 12)))
    assert feed.calls[2:] == [[2, 3, 4]]
    assert feed.marks[partition(0)].pending == 3
    feed.work(lambda invoke: ok())
    assert feed.calls[2:] == [[2, 3, 4], [12]]
    assert (feed.mark(partition(0)), feed.mark(partition(1))) == (4, 13)
    assert feed.having(DELIVERED).count(2) == 1
    assert feed.slots.idle


def test_kafka_a_revoke_in_a_back_off_lets_the_partition_go_at_once() -> None:
    feed = kafka_feed()
    feed.fetch(Records.of((*kafka_records(partition(0), [1, 2]), *kafka_records(partition(1), [11]))))
    feed.answer(failed())
    feed.revoke(partition(0))
    assert feed.having(ABANDONED) == [1, 2]
    feed.fetch(kafka_records(partition(0), [1, 2]))
    assert feed.calls == [[1, 2, 11], [1, 2]]
    feed.work(lambda invoke: ok())
    assert (feed.mark(partition(0)), feed.mark(partition(1))) == (2, 11)


def test_kafka_a_revoke_gives_up_what_waits_too() -> None:
    feed = kafka_feed()
    feed.fetch(kafka_records(partition(0), range(15)))
    feed.revoke(partition(0))
    assert sorted(feed.having(ABANDONED)) == list(range(15))
    feed.answer(ok())
    assert feed.slots.idle
    assert feed.having(DELIVERED) == []


@pytest.mark.semantics("BATCH-11")
def test_kafka_a_partition_goes_on_while_its_neighbour_in_the_batch_is_retried() -> None:
    feed = kafka_feed()
    feed.fetch(Records.of((*kafka_records(partition(0), [1, 2]), *kafka_records(partition(1), [11]))))
    feed.answer(named(("orders-1", 11)))
    feed.fetch(kafka_records(partition(0), [3]))
    feed.answer(ok(), feed.slot_of(3))
    assert feed.mark(partition(0)) == 3
    assert feed.mark(partition(1)) is None
    feed.fetch(kafka_records(partition(1), [12]))
    feed.sleep(0.5)
    assert feed.calls == [[1, 2, 11], [3], [11]]
    feed.answer(ok())
    assert feed.calls[-1] == [12]


def test_kafka_the_tenth_retry_is_the_last_with_a_destination() -> None:
    feed = kafka_feed(retries=10, bisect=True)
    feed.fetch(kafka_records(partition(0), range(4)))
    feed.work(poison(2))
    assert feed.calls == [[0, 1, 2, 3], [0, 1], [2, 3], *[[2]] * 11, [3]]
    assert feed.having(EXHAUSTED) == [2]
    assert feed.mark(partition(0)) == 3


# --- F = 4 with one poison key ----------------------------------------------------------------------------------------


@pytest.mark.semantics("BATCH-09", "RETRY-24")
def test_one_poison_key_of_a_shard_with_four_slots_blocks_its_slot_alone() -> None:
    slots = KeyHash(Limits(5, 0.0, RecordsEnvelope()), 4)
    keys = {slots.slot_of(f"k{n}"): f"k{n}" for n in range(40)}
    assert sorted(keys) == [0, 1, 2, 3]
    feed = Feed(slots, Policy(Progress.PREFIX), cap=100)

    def keyed(number: int) -> Record:
        return Record(LANE, str(number), {"n": number}, EPOCH, Position(number), keys[number % 4])

    def function(invoke: InvokeStep) -> Outcome:
        return failed() if any(each.key == keys[0] for each in invoke.records) else ok()

    fetched = 0
    while fetched == 0 or not feed.marks[LANE].full:
        feed.fetch(Records.of(keyed(number) for number in range(fetched, fetched + 20)))
        fetched += 20
        while feed.flying:
            feed.answer(function(next(iter(feed.flying.values()))))
    # The others are done up to the cap; position, memory and what a crash would repeat stay bounded by it.
    assert fetched == 100
    assert sorted(feed.having(DELIVERED)) == [number for number in range(100) if number % 4]
    blocker = feed.marks[LANE].blocker
    assert blocker is not None
    assert (blocker.position.number, blocker.key) == (0, keys[0])
    assert feed.mark(LANE) is None
    # The poison is cured: its slot works through what waited, in order, and the mark passes everything.
    feed.work(lambda invoke: ok())
    poisoned = [batch for batch in feed.calls if batch[0] % 4 == 0]
    assert [number for batch in poisoned[-5:] for number in batch] == list(range(0, 100, 4))
    assert feed.mark(LANE) == 99


@pytest.mark.semantics("RETRY-24")
def test_a_blocked_slot_that_gives_up_frees_the_mark() -> None:
    feed = Feed(KeyHash(Limits(5, 0.0, RecordsEnvelope()), 4), Policy(Progress.PREFIX, retries=1))
    keys = ["a", "b", "c", "d", "e", "f", "g", "h"]
    feed.fetch(Records.of(Record(LANE, str(n), {"n": n}, EPOCH, Position(n), keys[n % 8]) for n in range(40)))
    feed.work(naming(8))
    assert feed.mark(LANE) == 39
    assert 8 in feed.having(EXHAUSTED)
    assert len(feed.fates) == 40


# --- tumbling windows with bisect -------------------------------------------------------------------------------------

WINDOW = window_of(EPOCH, 60)


def window_feed(policy: Policy) -> Feed:
    return Feed(WindowSlot(Limits(10, 0.0, WindowEnvelope()), 60, LANE, at(0)), policy)


def arriving(number: int, second: float) -> Record:
    return Record(LANE, str(number), {"n": number}, WINDOW.start + second, Position(number))


def summing(bad: int, seen: list[tuple[list[int], BatchKind, list[int]]]) -> Function:
    """A function that keeps the numbers it saw as the window's state, and fails while `bad` is in the batch."""

    def function(invoke: InvokeStep) -> Outcome:
        before = json.loads(invoke.state).get("n", [])
        seen.append((ids(invoke.records), invoke.kind, before))
        if bad in ids(invoke.records):
            return failed()
        return ok(json.dumps({"n": before + ids(invoke.records)}).encode())

    return function


@pytest.mark.semantics("WINDOW-10", "WINDOW-11")
def test_a_windows_last_batch_is_bisected_and_only_its_last_part_ends_the_window() -> None:
    feed = window_feed(Policy(Progress.PREFIX, 0, bisect=True, windowed=True))
    seen: list[tuple[list[int], BatchKind, list[int]]] = []
    feed.fetch(Records.of((arriving(1, 1), arriving(2, 2), arriving(3, 3), arriving(4, 4), arriving(5, 61))))
    records, end = BatchKind.RECORDS, BatchKind.WINDOW_END
    for _ in range(8):
        if feed.flying:
            feed.answer(summing(2, seen)(next(iter(feed.flying.values()))))
    assert seen == [
        ([1, 2, 3, 4], end, []),
        ([1, 2], records, []),
        ([1], records, []),
        ([2], records, [1]),
        ([3, 4], end, [1]),
        ([5], records, []),
    ]
    assert [(ids(step.records), step.closes) for step in feed.steps] == [
        ([1], False),
        ([2], False),
        ([3, 4], True),
        ([5], False),
    ]
    assert [step.state for step in feed.steps if isinstance(step, SettleStep)] == [b'{"n": [1]}', None, b'{"n": [5]}']


@pytest.mark.semantics("WINDOW-10")
def test_a_windows_last_part_that_gives_up_drops_the_state() -> None:
    feed = window_feed(Policy(Progress.PREFIX, 0, bisect=True, windowed=True))
    feed.fetch(Records.of((arriving(1, 1), arriving(2, 2), arriving(3, 61))))
    seen: list[tuple[list[int], BatchKind, list[int]]] = []
    for _ in range(4):
        feed.answer(summing(2, seen)(next(iter(feed.flying.values()))))
    assert seen[-1] == ([3], BatchKind.RECORDS, [])
    gave_up = next(step for step in feed.steps if isinstance(step, DiscardStep))
    assert (ids(gave_up.records), gave_up.closes) == ([2], True)


@pytest.mark.semantics("WINDOW-11")
@pytest.mark.parametrize(
    ("outcome", "state"),
    [
        (ok(b'{"n":1}'), b'{"n":1}'),
        (named(2, state=b'{"n":1}'), b'{"n":1}'),
        (named(1, state=b'{"n":1}'), b"{}"),
        (failed(), b"{}"),
    ],
)
def test_state_is_taken_over_on_success_and_on_progress_only(outcome: Outcome, state: bytes) -> None:
    feed = window_feed(Policy(Progress.PREFIX, windowed=True))
    feed.fetch(Records.of((arriving(1, 1), arriving(2, 2))))
    feed.answer(outcome)
    slots = feed.slots
    assert isinstance(slots, WindowSlot)
    assert slots.stored is not None
    assert slots.stored.state == state
    feed.sleep(1.0)
    if feed.flying:
        assert next(iter(feed.flying.values())).state == state


@pytest.mark.semantics("WINDOW-09")
def test_an_end_without_records_has_attempts() -> None:
    feed = window_feed(Policy(Progress.PREFIX, 2, windowed=True))
    feed.fetch(Records.of((arriving(1, 1),)))
    feed.answer(ok(b'{"n":1}'))
    feed.fetch(Records.of((arriving(2, 61),)))
    calls = []
    while feed.calls[-1] != [2]:
        if feed.flying:
            calls.append(next(iter(feed.flying.values())))
            feed.answer(failed())
        else:
            feed.sleep(min(feed.waiting.values()))
    assert [(call.kind, call.attempt, call.state) for call in calls] == [
        (BatchKind.WINDOW_END, attempt, b'{"n":1}') for attempt in (1, 2, 3)
    ]
    gave_up = feed.steps[-1]
    assert isinstance(gave_up, DiscardStep)
    assert (gave_up.records, gave_up.reason, gave_up.closes) == (NONE, DiscardReason.RETRIES_EXHAUSTED, True)


@pytest.mark.semantics("WINDOW-09")
def test_an_end_without_records_is_as_old_as_its_window_but_no_older_than_its_first_attempt() -> None:
    feed = window_feed(Policy(Progress.PREFIX, max_age=60.0, windowed=True))
    feed.fetch(Records.of((arriving(1, 1),)))
    feed.answer(ok(b'{"n":1}'))
    feed.time = WINDOW.end + 59.0 - EPOCH
    feed.fetch(Records.of((arriving(2, 121),)))
    assert feed.calls[-1] == []
    feed.answer(failed())
    for later in (61.0, 100.0):
        feed.sleep(WINDOW.end + later - EPOCH)
        assert feed.calls[-1] == []
        feed.answer(failed())
    feed.sleep(WINDOW.end + 119.1 - EPOCH)
    gave_up = feed.steps[-1]
    assert isinstance(gave_up, DiscardStep)
    assert (gave_up.records, gave_up.reason, gave_up.closes) == (NONE, DiscardReason.AGE_EXCEEDED, True)
    assert feed.calls[-1] == [2]


@pytest.mark.semantics("WINDOW-09")
def test_when_all_records_of_a_last_batch_are_too_old_the_window_still_ends() -> None:
    feed = window_feed(Policy(Progress.PREFIX, max_age=60.0, windowed=True))
    feed.time = WINDOW.start + 65.0 - EPOCH
    feed.fetch(Records.of((arriving(1, 1), arriving(2, 61))))
    assert isinstance(feed.steps[0], DiscardStep)
    assert (ids(feed.steps[0].records), feed.steps[0].closes) == ([1], False)
    assert feed.calls == [[]]
    feed.answer(ok(b'{"n":0}'))
    assert isinstance(feed.steps[1], SettleStep)
    assert (feed.steps[1].records, feed.steps[1].closes) == (NONE, True)
    assert feed.calls[-1] == [2]


def test_an_end_that_is_stopped_leaves_the_window_open() -> None:
    feed = window_feed(Policy(Progress.PREFIX, windowed=True))
    feed.fetch(Records.of((arriving(1, 1),)))
    feed.answer(ok(b'{"n":1}'))
    feed.fetch(Records.of((arriving(2, 61),)))
    feed.answer(failed())
    (planner,) = feed.planners.values()
    planner.stop()
    assert planner.next(at(feed.time)) == Done()
    slots = feed.slots
    assert isinstance(slots, WindowSlot)
    assert slots.stored is not None
    assert slots.stored.state == b'{"n":1}'


def test_an_end_in_flight_that_is_withdrawn_is_over() -> None:
    feed = window_feed(Policy(Progress.PREFIX, windowed=True))
    feed.fetch(Records.of((arriving(1, 1),)))
    feed.answer(ok(b'{"n":1}'))
    feed.fetch(Records.of((arriving(2, 61),)))
    (planner,) = feed.planners.values()
    planner.withdraw({LANE})
    assert planner.next(at(feed.time)) == Done()
