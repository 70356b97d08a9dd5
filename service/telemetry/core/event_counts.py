"""AWS's metrics of the group EventCount, of mappings that ask for it. Pure.

https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html#event-source-mapping-metrics
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from ....dispatch.core import observer as seen
from ....dispatch.core.model import FateKind, Succeeded

GROUP = "EventCount"
POLLED = "PolledEventCount"
FILTERED = "FilteredOutEventCount"
INVOKED = "InvokedEventCount"
FAILED = "FailedInvokeEventCount"
DELETED = "DeletedEventCount"
DROPPED = "DroppedEventCount"
DOCUMENTED = "OnFailureDestinationDeliveredEventCount"
COMMITTED = "CommittedEventCount"
OF_EACH = frozenset({POLLED, FILTERED, INVOKED, FAILED})


def names_of(*, lends: bool, commits: bool) -> frozenset[str]:
    """The metrics that a kind of source has. `lends`: a queue; `commits`: a topic, whose group has offsets."""
    if lends:
        return OF_EACH | {DELETED}
    return OF_EACH | {DROPPED, DOCUMENTED} | ({COMMITTED} if commits else set())


@dataclass(frozen=True, slots=True)
class CountedMapping:
    """A mapping that asks for these metrics."""

    uuid: str
    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class EventCount:
    """The value of one metric of one mapping."""

    uuid: str
    name: str
    value: int


class EventCounts:
    """Counts by mapping, since they were taken last. What did not happen has no value; an empty poll has a 0."""

    def __init__(self) -> None:
        self._mappings: dict[str, CountedMapping] = {}
        self._counts: Counter[tuple[str, str]] = Counter()

    def watch(self, mapping: str, asked: CountedMapping | None) -> None:
        """By its name. None: it does not ask for them."""
        self._mappings.pop(mapping, None)
        if asked is not None:
            self._mappings[mapping] = asked

    def observe(self, event: seen.Event) -> None:
        mapping = self._mappings.get(getattr(event, "mapping", ""))
        if mapping is None:
            return
        for name, count in _counts(event):
            if name in mapping.names:
                self._counts[mapping.uuid, name] += count

    def take(self) -> list[EventCount]:
        taken = [EventCount(uuid, name, count) for (uuid, name), count in self._counts.items()]
        self._counts.clear()
        return taken

    def put_back(self, counts: list[EventCount]) -> None:
        """They were not put: they count with the next ones."""
        for each in counts:
            self._counts[each.uuid, each.name] += each.value


def _counts(event: seen.Event) -> Iterator[tuple[str, int]]:
    match event:
        case seen.Fetched(records=records):
            yield from ((POLLED, len(records)), (FILTERED, 0))
        case seen.Filtered(records=records):
            yield FILTERED, len(records)
        case seen.Invoking(records=records):
            yield INVOKED, len(records)
        case seen.Invoked(records=records, outcome=outcome):
            yield FAILED, 0 if isinstance(outcome, Succeeded) else len(records)
        case seen.Settled(settlements=settlements):
            for each in settlements:
                if each.fate.kind is FateKind.DELIVERED:
                    yield DELETED, len(each.records)
        case seen.SettleFailed():
            yield DELETED, 0
        case seen.Discarded(records=records, destination=destination):
            yield DOCUMENTED if destination else DROPPED, len(records)
        case seen.OffsetsCommitted(offsets=offsets):
            yield COMMITTED, offsets
        case _:
            pass
