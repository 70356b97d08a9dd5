"""Prometheus metrics: an observer that counts, and a collector that reads the daemon's state at a scrape.

Every series of a mapping exists from the start, with zero. Labels are the mapping, its source's kind and its function;
a label never has an unbounded number of values.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import anyio
from prometheus_client import CollectorRegistry, Gauge, disable_created_metrics
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from ...config.kinds import table as kinds
from ...config.kinds.profile import SourceKind
from ...config.version import version
from ...dispatch.core import observer as seen
from ...dispatch.core.model import (
    DiscardReason,
    FailedItems,
    Failure,
    FateKind,
    FunctionFailed,
    Lane,
    Outcome,
    Succeeded,
    Throttled,
    Unreachable,
)
from ...pollers.core.lifecycle import PollState
from .core.flow import FlowView
from .core.series import Count, Distribution, Level
from .exposition import text_of
from .view import FAILING, PAUSED, FunctionView, MappingView, View

LABELS = ("mapping", "source", "function")
OUTCOMES = ("success", "items", *(failure.value for failure in Failure), "throttled", "unreachable")
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900)
RECORDS = (1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000)
BYTES = (256, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576, 2_097_152, 4_194_304, 6_291_456)
STATES = ("disabled", PAUSED, FAILING, *(state.value for state in PollState))


@dataclass(frozen=True, slots=True)
class Labels:
    """The labels of a mapping's series."""

    mapping: str
    source: str
    """The name of its kind of source."""
    function: str

    @property
    def values(self) -> tuple[str, str, str]:
        return self.mapping, self.source, self.function


Number = Count | Level | Distribution


@dataclass(frozen=True, slots=True)
class _Family:
    """One metric with a series for each mapping."""

    name: str
    """Without what its samples have behind it."""
    text: str
    type: str
    """The type, in Prometheus's word."""
    make: Callable[[], Number]
    further: tuple[str, tuple[str, ...]] | None = None
    """The further label with each value that it can have; None for a metric without one."""
    has: Callable[[SourceKind], bool] | None = None
    """Which kinds of source have it; None: all."""

    def series(self, kind: SourceKind | None) -> Any:
        """The series of a mapping: one, one for each value of the further label, or None where its kind has none."""
        if self.has is not None and (kind is None or not self.has(kind)):
            return None
        if self.further is None:
            return self.make()
        return {value: self.make() for value in self.further[1]}

    def metric(self, of_mappings: Iterable[tuple[Labels, Any]]) -> Metric:
        """What the registry collects, out of the series of all mappings."""
        found = Metric(self.name, self.text, self.type)
        for labels, series in of_mappings:
            named = dict(zip(LABELS, labels.values, strict=True))
            if isinstance(series, dict):
                assert self.further is not None
                for value, number in series.items():
                    self._add(found, {**named, self.further[0]: value}, number)
            elif series is not None:
                self._add(found, named, series)
        return found

    def _add(self, metric: Metric, labels: dict[str, str], number: Number) -> None:
        for suffix, below, value in number.samples():
            bucket = {} if below is None else {"le": floatToGoString(below)}  # type: ignore[no-untyped-call]
            metric.add_sample(self.name + suffix, {**labels, **bucket}, value)


REASONS = (*OUTCOMES[1:], *(reason.value for reason in DiscardReason))


class _Families:
    """The metrics, by the names that users know. `_Series` has a mapping's series under the names of the attributes."""

    def __init__(self) -> None:
        def counter(name: str, text: str, **further: tuple[str, ...]) -> _Family:
            """`further`: a further label, with each value that it can have."""
            return _Family(f"headrace_{name}", text, "counter", Count, next(iter(further.items()), None))

        def histogram(name: str, text: str, bounds: tuple[float, ...]) -> _Family:
            return _Family(f"headrace_{name}", text, "histogram", partial(Distribution, bounds))

        def gauge(name: str, text: str, has: Callable[[SourceKind], bool]) -> _Family:
            return _Family(f"headrace_{name}", text, "gauge", Level, has=has)

        self.received = counter("records_received", "Records fetched from the source.")
        self.filtered = counter("records_filtered", "Records that a filter refused.")
        self.delivered = counter("records_delivered", "Records that the function processed and the source settled.")
        self.returned = counter("records_returned", "Records returned to the source, which delivers them again.")
        self.abandoned = counter("records_abandoned", "Records without a fate when the mapping stopped.")
        self.failed = counter("records_failed", "Records of failed invocations, and discarded records.", reason=REASONS)
        self.dropped = counter("records_dropped", "Discarded records that are in no failure destination.")
        self.documented = counter("destination_records", "Discarded records that the failure destination has.")
        self.documents = counter("destination_documents", "Documents that the failure destination has.")
        self.undelivered = counter("destination_failures", "Documents that could not be written at all.")
        self.destination_errors = counter("destination_errors", "Failed attempts to write a document.")
        self.unsettled = counter("records_unsettled", "Decided records whose fate the source did not accept.")
        self.batches = counter("batches", "Invocations by outcome.", outcome=OUTCOMES)
        self.retries = counter("retries", "Batches that are invoked again.")
        self.bisects = counter("bisects", "Failing batches that were split in two.")
        self.polls = counter("polls", "Fetches that were answered, empty ones included.")
        self.poll_errors = counter("poll_errors", "Fetches that failed.")
        self.gaps = counter("gaps", "Ranges of records that the source lost before they were read.")
        self.commit_errors = counter("commit_errors", "Positions that could not be stored when they were due.")
        self.committed = counter("offsets_committed", "Offsets by which consumer groups were moved.")
        self.rebalances = counter("rebalances", "Times that the group revoked partitions from a poller.")
        self.recreated = counter("streams_recreated", "Streams and topics that were created again.")
        self.batch_records = histogram("batch_size_records", "Records per invocation.", RECORDS)
        self.batch_bytes = histogram("batch_size_bytes", "Bytes of the event per invocation.", BYTES)
        self.invoke_seconds = histogram("invoke_duration_seconds", "Length of an invocation.", SECONDS)
        self.poll_seconds = histogram("poll_duration_seconds", "Length of a fetch, its waiting included.", SECONDS)
        about = "Milliseconds from the arrival of the last record of a stream's batch to its invocation."
        self.iterator_age = gauge("iterator_age_milliseconds", about, lambda kind: kind.has_iterator_age)
        about = "The largest lag of a partition: offsets from the committed offset to the end."
        self.lag_max = gauge("offset_lag_max", about, lambda kind: kind.has_offset_lag)
        about = "The sum of the lags of all partitions that this daemon reads."
        self.lag_sum = gauge("offset_lag_sum", about, lambda kind: kind.has_offset_lag)


class _Series:
    """The series of one mapping, looked up once."""

    def __init__(self, families: _Families, source: str) -> None:
        kind = kinds.named(source)
        for name, family in vars(families).items():
            setattr(self, name, family.series(kind))
        self.lags: dict[Lane, int] = {}

    def __getattr__(self, name: str) -> Any:  # the series made in the constructor
        raise AttributeError(name)

    def lagging(self, lags: Mapping[Lane, int], lost: Iterable[Lane] = ()) -> None:
        """Update the lag of one member's partitions; other members' values stay."""
        self.lags.update(lags)
        for lane in lost:
            self.lags.pop(lane, None)
        if self.lag_max is not None and self.lag_sum is not None:
            self.lag_max.set(max(self.lags.values(), default=0))
            self.lag_sum.set(sum(self.lags.values()))


def name_of(outcome: Outcome) -> str:
    """The outcome as a label."""
    match outcome:
        case Succeeded():
            return "success"
        case FailedItems():
            return "items"
        case FunctionFailed(failure=failure):
            return failure.value
        case Throttled():
            return "throttled"
        case Unreachable():
            return "unreachable"


class Metrics:
    """The observer. One scrape is one text, `render`."""

    def __init__(self, mappings: Iterable[Labels]) -> None:
        # The start times of series are a third of all lines, and not part of the text format.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry(auto_describe=True)
        self._looks: _Looks | None = None
        self._scraping = anyio.Lock()
        self._families = _Families()
        self._series: dict[str, _Series] = {}
        """The series of each mapping as it is now."""
        self._kept: dict[Labels, _Series] = {}
        """These, and those of functions that mappings had before."""
        self.registry.register(_Counted(self._families, self._kept))
        for labels in mappings:
            self.add(labels)
        build = Gauge("headrace_build_info", "The running version.", ("version",), registry=self.registry)
        build.labels(version()).set(1)
        self._count: dict[type, Callable[[_Series, Any], None]] = {
            seen.Fetched: _fetched,
            seen.FetchFailed: lambda series, _: series.poll_errors.inc(),
            seen.Filtered: lambda series, event: series.filtered.inc(len(event.records)),
            seen.Invoking: _invoking,
            seen.Invoked: _invoked,
            seen.Retrying: lambda series, _: series.retries.inc(),
            seen.Bisected: lambda series, _: series.bisects.inc(),
            seen.Settled: _settled,
            seen.SettleFailed: lambda series, event: series.unsettled.inc(len(event.records)),
            seen.Discarded: _discarded,
            seen.DestinationFailed: lambda series, _: series.destination_errors.inc(),
            seen.Gap: lambda series, _: series.gaps.inc(),
            seen.CommitFailed: lambda series, _: series.commit_errors.inc(),
            seen.StreamRecreated: lambda series, _: series.recreated.inc(),
            seen.OffsetsCommitted: lambda series, event: series.committed.inc(event.offsets),
            seen.Lagging: lambda series, event: series.lagging(event.lags),
            seen.Rebalanced: _rebalanced,
        }

    def add(self, labels: Labels) -> None:
        """Add a mapping, or change its function."""
        if labels not in self._kept:
            self._kept[labels] = _Series(self._families, labels.source)
        self._series[labels.mapping] = self._kept[labels]

    def remove(self, mapping: str) -> None:
        """Delete the series of a deleted mapping, so that their number follows the number of mappings."""
        self._series.pop(mapping, None)
        for labels in [each for each in self._kept if each.mapping == mapping]:
            del self._kept[labels]

    def observe(self, event: seen.Event) -> None:
        count = self._count.get(type(event))
        series = self._series.get(getattr(event, "mapping", "")) if count is not None else None
        if count is not None and series is not None:
            count(series, event)

    def look_at(self, view: View) -> None:
        """Also show the states of this daemon."""
        self._looks = _Looks(view)
        self.registry.register(self._looks)

    async def scrape(self) -> bytes:
        """All metrics as text, made in a thread beside the event loop; one at a time."""
        async with self._scraping:
            self._look()
            return await asyncio.to_thread(self._text)

    def render(self) -> bytes:
        """The same at once."""
        self._look()
        return self._text()

    def _look(self) -> None:
        if self._looks is not None:
            self._looks.look()

    def _text(self) -> bytes:
        return text_of(self.registry.collect())


def _fetched(series: _Series, event: seen.Fetched) -> None:
    series.polls.inc()
    series.poll_seconds.observe(event.seconds)
    if event.records:
        series.received.inc(len(event.records))


def _invoking(series: _Series, event: seen.Invoking) -> None:
    series.batch_records.observe(len(event.records))
    series.batch_bytes.observe(event.payload_bytes)
    if series.iterator_age is not None and event.records:
        series.iterator_age.set(event.age * 1000)


def _invoked(series: _Series, event: seen.Invoked) -> None:
    outcome = name_of(event.outcome)
    series.batches[outcome].inc()
    series.invoke_seconds.observe(event.seconds)
    match event.outcome:
        case Succeeded():
            pass
        case FailedItems(ids=ids):
            series.failed[outcome].inc(len(ids))
        case _:
            series.failed[outcome].inc(len(event.records))


def _discarded(series: _Series, event: seen.Discarded) -> None:
    series.failed[event.reason.value].inc(len(event.records))
    if event.destination:
        series.documents.inc()
        series.documented.inc(len(event.records))
        return
    series.dropped.inc(len(event.records))
    if event.cause:
        series.undelivered.inc()


def _rebalanced(series: _Series, event: seen.Rebalanced) -> None:
    series.lagging({}, event.lost)
    if event.lost:
        series.rebalances.inc()


def _settled(series: _Series, event: seen.Settled) -> None:
    for settlement in event.settlements:
        match settlement.fate.kind:
            case FateKind.DELIVERED:
                series.delivered.inc(len(settlement.records))
            case FateKind.RETURNED:
                series.returned.inc(len(settlement.records))
            case FateKind.ABANDONED:
                series.abandoned.inc(len(settlement.records))
            case FateKind.FILTERED | FateKind.DISCARDED:
                pass  # counted when it was decided, with the reason


class _Counted(Collector):
    """What was counted of mappings, read in a thread beside the event loop."""

    def __init__(self, families: _Families, series: Mapping[Labels, _Series]) -> None:
        self._families = families
        self._series = series

    def describe(self) -> Iterator[Metric]:
        return (Metric(family.name, family.text, family.type) for family in vars(self._families).values())

    def collect(self) -> Iterator[Metric]:
        of_mappings = list(self._series.items())
        for name, family in vars(self._families).items():
            yield family.metric((labels, getattr(series, name)) for labels, series in of_mappings)


class _Looks(Collector):
    """The gauges of states: read at a scrape in the event loop, then rendered in a thread."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._mappings: tuple[MappingView, ...] = ()
        self._functions: tuple[FunctionView, ...] = ()

    def look(self) -> None:
        self._mappings, self._functions = self._view.mappings(), self._view.functions()

    def describe(self) -> Iterator[GaugeMetricFamily]:
        return iter(())

    def collect(self) -> Iterator[GaugeMetricFamily]:
        state = GaugeMetricFamily(
            "headrace_mapping_state", "1 for the state that the mapping is in.", labels=(*LABELS, "state")
        )
        feeds = GaugeMetricFamily("headrace_feeds", "Receivers, shards or pollers that are read now.", labels=LABELS)
        flows = _FlowGauges()
        for mapping in self._mappings:
            values = (mapping.name, mapping.kind, mapping.function)
            feeds.add_metric(values, mapping.feeds)
            flows.add(values, mapping.flow)
            for name in STATES:
                state.add_metric((*values, name), float(name == mapping.state))
        in_flight = GaugeMetricFamily("headrace_invocations_in_flight", "Invocations in flight.", labels=("function",))
        up = GaugeMetricFamily("headrace_function_up", "Whether the function can start.", labels=("function",))
        for function in self._functions:
            in_flight.add_metric((function.name,), function.in_flight)
            up.add_metric((function.name,), float(function.up))
        yield from (state, feeds, in_flight, up, *vars(flows).values())


class _FlowGauges:
    """What is retried, blocked and behind, of each mapping."""

    def __init__(self) -> None:
        def gauge(name: str, text: str) -> GaugeMetricFamily:
            return GaugeMetricFamily(f"headrace_{name}", text, labels=LABELS)

        self.attempt = gauge("retry_attempt", "The next attempt of the batch that failed most often; 0 for none.")
        about = "When the records that have been tried again for longest failed first: seconds since the epoch."
        self.since = gauge("retrying_since_timestamp_seconds", f"{about} 0 for none.")
        self.blocked = gauge("lanes_blocked", "Shards or partitions that records which fail hold up.")
        about = "Seconds since the arrival of the oldest last record of a batch without a fate, over all lanes."
        self.lag = gauge("lag_seconds", about)

    def add(self, values: tuple[str, str, str], flow: FlowView | None) -> None:
        if flow is None:
            return
        self.attempt.add_metric(values, max((each.attempt for each in flow.retrying), default=0))
        self.since.add_metric(values, min((each.since for each in flow.retrying), default=0))
        self.blocked.add_metric(values, sum(lane.blocked_since is not None for lane in flow.lanes))
        if flow.lag_seconds is not None:
            self.lag.add_metric(values, flow.lag_seconds)
