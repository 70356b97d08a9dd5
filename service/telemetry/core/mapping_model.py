"""What is known of one mapping at work: fed with what happens to its records, asked for a `FlowView`. Pure.

    happens ──► MappingModel ──flow──► status, metrics, /v1

A mapping is *failing* when its function took nothing of the last batches, two at least, or when some records failed
twice without any progress and hold up what is behind them. A delivery ends the first, and the fate of those records the
second. When nothing failed for FORGIVEN seconds and nothing waits to be tried again, it is no longer called so.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf

from ....config.fields.spoken import counted
from ....dispatch.core.model import FateKind, Lane, Record, Settlement
from ....dispatch.core.pages import Records
from .first_records import ENOUGH
from .flow import DocumentView, ErrorView, FlightView, FlowView, LaneView, RetryView
from .history import History
from .rates import COUNTED, Rate

OFTEN = 2
"""Failures in a row that make a mapping a failing one."""
FORGIVEN = 900.0
"""Seconds after which a failure says nothing of the present any more."""
MOST_LANES = 1000
"""Lanes that are remembered; of more, those that were touched last."""
SHOWN = 100
"""Lanes, batches and retries that are shown."""
ERROR_LINES = 3
ERROR_LENGTH = 500


@dataclass(frozen=True, slots=True)
class Instant:
    """Now, by both clocks, in seconds."""

    monotonic: float
    wall: float

    def ago(self, monotonic: float) -> float:
        """When that was, as seconds since the epoch."""
        return self.wall - (self.monotonic - monotonic)


@dataclass(slots=True)
class _FlightState:
    records: Records
    request_id: str
    attempt: int
    began: float


@dataclass(slots=True)
class _RetryState:
    records: Records
    since: float
    used: int
    """Attempts."""
    due: float
    error: ErrorView | None


@dataclass(slots=True)
class _LaneState:
    position: str = ""
    lag_records: int | None = None
    invoked: bool = False
    """Something of it was handed to the function."""
    blocked_since: float | None = None
    """Monotonic, as the feed told."""


@dataclass(slots=True)
class _Open:
    """The last record of a lane that some invocation had, while it has no fate."""

    lane: Lane
    arrived: float
    """Monotonic."""


@dataclass(slots=True)
class _Failures:
    """Since the last delivery."""

    number: int = 0
    since: float = 0.0
    last: float = -inf


@dataclass(slots=True)
class _Totals:
    fetched: int = 0
    filtered: int = 0
    rates: dict[str, Rate] = field(default_factory=dict)


class MappingModel:
    """The model of one mapping. Each method gets the moment."""

    def __init__(self, now: Instant) -> None:
        self._since = now.monotonic
        self._totals = _Totals(rates={name: Rate(now.monotonic) for name in COUNTED})
        self.history = History(now.monotonic)
        self._flights: dict[Record | None, _FlightState] = {}
        """By the first record, which is in one invocation at a time."""
        self._retries: dict[Record | None, _RetryState] = {}
        self._open: dict[Record, _Open] = {}
        self._lanes: dict[Lane, _LaneState] = {}
        self._failures = _Failures()
        self._error: ErrorView | None = None
        self._document: DocumentView | None = None

    # --- what happens -----------------------------------------------------------------------------------------------

    def changed(self, *, over: bool, now: Instant) -> None:
        """The mapping came into another state. `over`: nothing of before is under way any more."""
        self._since = now.monotonic
        if over:
            self._flights.clear()
            self._retries.clear()
            self._open.clear()
            self._failures = _Failures()

    def fetched(self, number: int, now: Instant) -> None:
        self._totals.fetched += number
        self._count("fetched", number, now)

    def filtered(self, number: int, now: Instant) -> None:
        self._totals.filtered += number
        self._count("filtered", number, now)

    def invoking(self, records: Records, request_id: str, age: float, now: Instant) -> None:
        """`age`: seconds since the last record arrived."""
        first = _first(records)
        retry = self._retries.get(first)
        if retry is not None:
            retry.due = now.monotonic
        self._flights[first] = _FlightState(records, request_id, retry.used + 1 if retry else 1, now.monotonic)
        self._opened(records, age, now)

    def succeeded(self, records: Records) -> None:
        self._flights.pop(_first(records), None)
        self._failures = _Failures()

    def failed(self, records: Records, number: int, error: ErrorView, now: Instant) -> None:
        """An invocation of these records failed for `number` of them."""
        self._flights.pop(_first(records), None)
        self._error = replace(error, text=_beginning(error.text))
        self._count("failed", number, now)
        if not self._failures.number:
            self._failures.since = now.monotonic
        self._failures.number += 1
        self._failures.last = now.monotonic

    def held_off(self, records: Records, error: ErrorView) -> None:
        """An invocation was refused, which says nothing of the function (a throttle)."""
        self._flights.pop(_first(records), None)
        self._error = replace(error, text=_beginning(error.text))

    def retrying(self, records: Records, used: int, delay: float, now: Instant) -> None:
        before = self._retries.get(_first(records))
        since = before.since if before else now.monotonic
        self._retries[_first(records)] = _RetryState(records, since, used, now.monotonic + delay, self._error)
        if records:
            self._opened(records, max(0.0, now.wall - records[-1].arrived), now)

    def halved(self, records: Records) -> None:
        """The halves have attempts of their own; that something of them fails goes on."""
        if (retry := self._retries.get(_first(records))) is not None:
            retry.used, retry.due = 0, 0.0

    def settled(self, settlements: Iterable[Settlement], now: Instant) -> None:
        for settlement in settlements:
            self._settled(settlement.records, settlement.fate.kind, now)

    def _settled(self, records: Records, kind: FateKind, now: Instant) -> None:
        if kind is FateKind.DELIVERED:
            self._failures = _Failures()
            self._count("delivered", len(records), now)
        elif kind is FateKind.DISCARDED:
            self._count("discarded", len(records), now)
        moves = kind in (FateKind.DELIVERED, FateKind.FILTERED, FateKind.DISCARDED)
        for last in _last_of_each_lane(records):
            state = self._lane(last.lane)
            if moves and last.position is not None:
                state.position = last.name
            state.blocked_since = None
        if self._retries or self._flights or self._open:
            self._forget(records)

    def _forget(self, records: Records) -> None:
        for record in records.living:  # no other one can be known here
            self._open.pop(record, None)
            self._retries.pop(record, None)
            self._flights.pop(record, None)

    def _opened(self, records: Records, age: float, now: Instant) -> None:
        for last in _last_of_each_lane(records):
            self._lane(last.lane).invoked = True
            if last not in self._open:
                self._open[last] = _Open(last.lane, now.monotonic - age)

    def discarded(self, document: DocumentView) -> None:
        self._document = document

    def blocked(self, lane: Lane, now: Instant) -> None:
        state = self._lane(lane)
        if state.blocked_since is None:
            state.blocked_since = now.monotonic

    def lagging(self, lags: Mapping[Lane, int]) -> None:
        """Records from what is committed to the end, of some lanes."""
        for lane, records in lags.items():
            self._lane(lane).lag_records = records

    def lost(self, lanes: Iterable[Lane]) -> None:
        """They are another's now."""
        for lane in lanes:
            self._lanes.pop(lane, None)

    def _count(self, name: str, number: int, now: Instant) -> None:
        if number:
            self._totals.rates[name].add(number, now.monotonic)

    def _lane(self, lane: Lane) -> _LaneState:
        state = self._lanes.pop(lane, None) or _LaneState()
        self._lanes[lane] = state
        if len(self._lanes) > MOST_LANES:
            del self._lanes[next(iter(self._lanes))]
        return state

    # --- what is seen -----------------------------------------------------------------------------------------------

    def flow(self, now: Instant) -> FlowView:
        retrying = sorted(self._retries.values(), key=lambda retry: retry.since)
        lanes = sorted(self._lane_views(retrying, now), key=_worst_first)
        lag_records, lag_seconds = self._lag(now)
        totals, failing = self._totals, self.failing(now)
        return FlowView(
            since=now.ago(self._failing_since(retrying) if failing else self._since),
            rates={name: rate.per_second(now.monotonic) for name, rate in totals.rates.items()},
            failed=totals.rates["failed"].total,
            in_flight=tuple(_flight_view(each, now) for each in list(self._flights.values())[:SHOWN]),
            retrying=tuple(_retry_view(each, now) for each in retrying[:SHOWN]),
            last_error=self._error,
            lanes=tuple(lanes[:SHOWN]),
            lag_records=lag_records,
            lag_seconds=lag_seconds,
            refused=round(totals.filtered / totals.fetched, 4) if totals.fetched else None,
            refused_everything=totals.filtered >= max(ENOUGH, totals.fetched),
            last_document=self._document,
            failing=failing,
        )

    def sample(self, now: Instant) -> None:
        """One more step of the history."""
        totals = [self._totals.rates[name].total for name in COUNTED]
        self.history.sample(totals, *self._lag(now), now.monotonic)

    def _lag(self, now: Instant) -> tuple[int | None, float | None]:
        """Records to the end of all lanes, and seconds of the lane that is most behind; None for what nobody knows."""
        behind = [state.lag_records for state in self._lanes.values() if state.lag_records is not None]
        if not any(state.invoked for state in self._lanes.values()):
            return sum(behind) if behind else None, None
        oldest = min((each.arrived for each in self._open.values() if self._is_invoked(each.lane)), default=inf)
        age = 0.0 if oldest == inf else round(now.monotonic - oldest, 3)
        return sum(behind) if behind else None, age

    def _is_invoked(self, lane: Lane) -> bool:
        state = self._lanes.get(lane)
        return state is not None and state.invoked

    def failing(self, now: Instant) -> str:
        """Why the mapping counts as failing, in one line; empty when it does not."""
        stuck = max(self._retries.values(), key=lambda retry: retry.used, default=None)
        error = self._error
        if stuck is not None and stuck.used >= OFTEN:
            shard = stuck.records[0].lane.shard if stuck.records else ""
            of_lane = f" of {shard}" if shard else ""
            wait = max(0.0, stuck.due - now.monotonic)
            error = stuck.error or error
            what = (
                f"{counted(len(stuck.records), 'record')}{of_lane} failed {stuck.used} times, next try in {wait:.0f} s"
            )
        elif self._fails_alone(now):
            what = f"the last {counted(self._failures.number, 'invocation')} failed"
        else:
            return ""
        if error is None:
            return what
        return f"{what}: {error.text.splitlines()[0] if error.text else error.kind} (request {error.request_id})"

    def _fails_alone(self, now: Instant) -> bool:
        failures = self._failures
        recent = bool(self._retries) or now.monotonic - failures.last <= FORGIVEN
        return failures.number >= OFTEN and recent

    def _failing_since(self, retrying: Sequence[_RetryState]) -> float:
        """Monotonic."""
        stuck = [retry.since for retry in retrying if retry.used >= OFTEN]
        return min([*stuck, *([self._failures.since] if self._failures.number else [])])

    def _lane_views(self, retrying: Sequence[_RetryState], now: Instant) -> Iterator[LaneView]:
        stuck: dict[Lane, float] = {}
        for retry in retrying:  # the longest first
            if retry.records:
                stuck.setdefault(retry.records[0].lane, retry.since)
        oldest: dict[Lane, float] = {}
        for each in self._open.values():
            oldest[each.lane] = min(each.arrived, oldest.get(each.lane, inf))
        for lane, state in self._lanes.items():
            since = min(stuck.get(lane, inf), inf if state.blocked_since is None else state.blocked_since)
            age = now.monotonic - oldest.get(lane, now.monotonic)
            yield LaneView(
                lane.shard or lane.source,
                state.position,
                state.lag_records,
                round(age, 3) if state.invoked else None,
                None if since == inf else now.ago(since),
            )


def _first(records: Records) -> Record | None:
    return records[0] if records else None


def _last_of_each_lane(records: Records) -> Collection[Record]:
    return {page.lane: page.sheet.record(page.places[-1]) for page in records.pages}.values()


def _beginning(text: str) -> str:
    return "\n".join(text.splitlines()[:ERROR_LINES])[:ERROR_LENGTH]


def _worst_first(lane: LaneView) -> tuple[float, int, float, str]:
    since = inf if lane.blocked_since is None else lane.blocked_since
    return since, -(lane.lag_records or 0), -(lane.lag_seconds or 0.0), lane.lane


def _lane_of(records: Records) -> str:
    return (records[0].lane.shard or records[0].lane.source) if records else ""


def _flight_view(flight: _FlightState, now: Instant) -> FlightView:
    records = flight.records
    held = records.held_until
    return FlightView(
        flight.request_id,
        _lane_of(records),
        len(records),
        records[0].name if records else "",
        flight.attempt,
        round(now.monotonic - flight.began, 3),
        None if held == inf else round(max(0.0, held - now.monotonic), 3),
    )


def _retry_view(retry: _RetryState, now: Instant) -> RetryView:
    return RetryView(
        _lane_of(retry.records),
        len(retry.records),
        retry.records[0].name if retry.records else "",
        now.ago(retry.since),
        retry.used + 1,
        round(max(0.0, retry.due - now.monotonic), 3),
        retry.error,
    )
