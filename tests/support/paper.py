"""Records, outcomes and a dispatcher on paper: what the tests of the pure core are written with.

`Paper` does what a planner says, without a function or a source: a plain function from Invoke to an outcome stands for
both. Time moves only by the planner's own waits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import inf

from headrace.dispatch.core.model import (
    Attempt,
    Batch,
    DiscardReason,
    FailedItems,
    Failure,
    Fate,
    Flaw,
    FunctionFailed,
    Lane,
    Now,
    Outcome,
    Position,
    Record,
    Succeeded,
    Throttled,
    Unreachable,
)
from headrace.dispatch.core.pages import Page, Records, RecordSheet
from headrace.dispatch.core.planner import DiscardStep, Done, Halved, InvokeStep, Planner, Retry, SettleStep, Wait
from support.reasons import no_start

EPOCH = 1_700_000_000.0
"""Wall-clock time at monotonic zero."""

LANE = Lane("arn:aws:kinesis:us-east-1:000000000000:stream/s", "shardId-000000000000")


def at(monotonic: float) -> Now:
    return Now(monotonic, EPOCH + monotonic)


def record(number: int, *, lane: Lane = LANE, key: str | None = None, arrived: float = EPOCH, size: int = 0) -> Record:
    """A record named by its number, its element padded to at least `size` bytes."""
    name = str(number)
    item = {"id": name, "pad": ""}
    item["pad"] = "x" * max(0, size - len('{"id":"","pad":""}') - len(name))
    return Record(lane, name, item, arrived, Position(number, 0, name), key)


def records(numbers: Iterable[int], *, lane: Lane = LANE, arrived: float = EPOCH) -> Records:
    return Records.of(record(number, lane=lane, arrived=arrived) for number in numbers)


def page(*records: Record) -> Page:
    """These, of one lane, as one fetch gives them."""
    return Page(RecordSheet(records))


def flawed(record: Record) -> Record:
    """The same record, once it is known that it cannot be read."""
    record.flaw = Flaw(DiscardReason.SCHEMA_NOT_FOUND, "names a schema that nobody has")
    return record


def kafka_records(lane: Lane, offsets: Iterable[int], arrived: float = EPOCH) -> Records:
    return Records.of(
        Record(lane, (lane.shard, offset), {"o": offset}, arrived, Position(offset)) for offset in offsets
    )


def partition(number: int) -> Lane:
    return Lane("broker:9092/orders", f"orders-{number}")


ATTEMPT = Attempt("00000000-0000-4000-8000-000000000000", EPOCH, EPOCH + 1, 200, "$LATEST")


def ok(state: bytes | None = None) -> Succeeded:
    return Succeeded(ATTEMPT, state)


def failed(detail: str = "boom") -> FunctionFailed:
    attempt = Attempt(ATTEMPT.request_id, EPOCH, EPOCH + 1, 200, "$LATEST", "Unhandled")
    return FunctionFailed(attempt, Failure.ERROR, detail)


def named(*ids: str | int | tuple[str, int], state: bytes | None = None) -> FailedItems:
    return FailedItems(ATTEMPT, frozenset(str(i) if isinstance(i, int) else i for i in ids), state)


def throttled(after: float | None = None) -> Throttled:
    return Throttled(ATTEMPT, after)


def unreachable() -> Unreachable:
    return Unreachable(ATTEMPT, no_start("connection refused"))


def ids(batch: Iterable[Record]) -> list[int]:
    """Numbers of records: of the last part of a Kafka identifier."""
    return [int(each.id if isinstance(each.id, str) else each.id[1]) for each in batch]


Function = Callable[[InvokeStep], Outcome]


class Paper:
    """Drives one planner to its end and keeps what happened."""

    def __init__(self, planner: Planner, function: Function, *, start: float = 0.0, jitter: float = 0.0) -> None:
        self.planner = planner
        self.function = function
        self.time = start
        self.jitter = jitter
        self.calls: list[InvokeStep] = []
        self.times: list[float] = []
        self.steps: list[SettleStep | DiscardStep] = []
        self.fates: dict[Record, Fate] = {}
        self.news: list[Retry | Halved | None] = []

    def advance(self) -> InvokeStep | Wait | Done:
        """Up to the next Invoke, Wait or Done."""
        while True:
            step = self.planner.next(at(self.time))
            match step:
                case SettleStep() | DiscardStep():
                    self.steps.append(step)
                    for each in step.records:
                        assert each not in self.fates, f"{each.id} got a second fate"
                        self.fates[each] = step.fate
                case InvokeStep():
                    self.calls.append(step)
                    self.times.append(self.time)
                    return step
                case _:
                    return step

    def answer(self, outcome: Outcome) -> None:
        """Answer the call in flight."""
        call = self.planner.in_flight
        assert call is not None
        self.news.append(self.planner.on(call, outcome, at(self.time), self.jitter))

    def run(self, most: int = 100_000) -> Paper:
        """To the end."""
        for _ in range(most):
            match self.advance():
                case InvokeStep() as invoke:
                    self.answer(self.function(invoke))
                case Wait(until):
                    assert until != inf, "waits for ever"
                    assert until > self.time, "waits for the past"
                    self.time = until
                case Done():
                    return self
        raise AssertionError(f"not done after {most} steps")

    @property
    def batches(self) -> list[list[int]]:
        """The numbers of the records of each invocation."""
        return [ids(call.records) for call in self.calls]

    def having(self, fate: Fate) -> list[int]:
        return ids(each for each, given in self.fates.items() if given == fate)


def batch(numbers: Iterable[int], *, lane: Lane = LANE, arrived: float = EPOCH) -> Batch:
    return Batch(records(numbers, lane=lane, arrived=arrived))


def poison(*bad: int) -> Function:
    """A function that fails while any of these is in the batch."""
    return lambda invoke: failed() if set(bad) & set(ids(invoke.records)) else ok()


def naming(*bad: int) -> Function:
    """A function that names these and takes the rest."""

    def function(invoke: InvokeStep) -> Outcome:
        these = [each.id for each in invoke.records if ids([each])[0] in bad]
        return named(*these) if these else ok()

    return function
