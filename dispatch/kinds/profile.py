"""The profile of a kind of source for its records: form in the event, batches, filters, failure documents.

One `DispatchKind` for each kind, in a file of its own; `table.py` lists them. Its counterpart for the configuration is
`config/kinds/`. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ...config.errors import BugError
from ...config.fields.retry_backoff import RetryBackoff
from ...config.kinds.profile import SourceKind
from ...config.mapping import EventSourceMapping
from ..core.backoff import Backoff
from ..core.batcher import Limits
from ..core.documents import Documents
from ..core.events import Envelope
from ..core.found_documents import NamedIn, NamedRecords
from ..core.keeping import Keeps
from ..core.model import Lane, Now, OpenWindow, Record
from ..core.policy import Policy
from ..core.response import TEXT, Identifiers
from ..core.slots import Slots
from ..core.trace_carriers import NO_CARRIERS, TraceCarriers
from ..patterns.formats import Data, FilterRules, RecordFilter
from ..patterns.reach import Impossible, RecordShape, never_impossible

Item = Mapping[str, Any]
"""A record as it stands in the Lambda event."""
Address = Callable[[], str]
"""The address at which the source was reached, which may be known late (brokers); empty where the ARN is enough."""
MakeSlots = Callable[[Lane | None, OpenWindow | None], Slots]
"""Makes the slots of one feed: for its reader's only lane, and the tumbling window that was under way in it."""
MakeDocuments = Callable[[EventSourceMapping, str, Address], Documents]
"""Makes the documents from a mapping, the ARN of its function, and the address of its source."""


def no_documents(mapping: EventSourceMapping, function_arn: str, address: Address) -> Documents:
    """A source that discards nothing has no documents. Raises BugError."""
    raise BugError(f"mapping {mapping.name} has a failure destination that the rules should have refused")


def names_nothing(document: Mapping[str, Any]) -> tuple[NamedRecords, ...]:
    """A source that discards nothing has no documents that name its records."""
    return ()


def records_in(event: object) -> list[Item] | None:
    """The records of `{"Records":[…]}`; None for what is no such event."""
    match event:
        case {"Records": [*records]}:
            return [record for record in records if isinstance(record, dict)]
        case _:
            return None


def no_other_form(text: str) -> str:
    return ""


def _resource_of(mapping: EventSourceMapping) -> str:
    return mapping.arn.segment(1) or mapping.arn.resource if mapping.arn else ""


def names_its_source(value: Item) -> bool:
    return isinstance(value.get("eventSource"), str)


@dataclass(frozen=True, slots=True)
class Sample:
    """The parts of a record made by hand."""

    text: str
    """Its payload: a message's body, a record's data or value, an item as JSON."""
    place: int
    """In its event, from 0."""
    moment: float
    """Wall-clock seconds of its arrival."""
    unique: str
    """A UUID."""


class UnfitSample(ValueError):
    """A payload that no record of the kind can have; the message says what it must be."""


MakeSample = Callable[[Sample, EventSourceMapping], Record]
"""Raises UnfitSample."""


@dataclass(frozen=True, slots=True, eq=False)
class DispatchKind:
    """One kind of source, as far as its records go."""

    kind: SourceKind
    policy: Callable[[EventSourceMapping], Policy]
    """The handling of failures, without the pauses between attempts."""
    envelope: Callable[[EventSourceMapping, Address], Envelope]
    slots: Callable[[EventSourceMapping, Limits, Callable[[], Now]], MakeSlots]
    """Which records go together. The clock is asked whenever slots are made."""
    filters: FilterRules
    """The members of a record that filters may look into."""
    shape: RecordShape
    """The form of its records for filters. A filter that can match no such record is reported."""
    data: Callable[[Item], Data]
    """The data of a record for the filters' rules on data. Raises KeyError, TypeError or ValueError for what is no
    record of this kind."""
    sample: MakeSample
    """A record by hand, as one of the mapping's source."""
    sampled: Mapping[str, object]
    """The source of a record by hand where no mapping names one: fields of a mapping."""
    relived: Callable[[Item, str], Record]
    """A record out of its element of an event, of a source with this name. Raises KeyError, TypeError or ValueError for
    what is no record of this kind."""
    called: Callable[[Item], object]
    """The name of a record among the others of its event, for people; None for a record without one."""
    undecoded: Callable[[Item], bool] = lambda item: False
    """Whether filters saw the data of a record decoded, and its element of the event holds them as they came."""
    impossible: Impossible = never_impossible
    """Rules of filters that no record of this kind meets together."""
    documents: MakeDocuments = no_documents
    """The documents about discarded records, for failure destinations."""
    origins: NamedIn = names_nothing
    """The records that such a document names."""
    identifiers: Identifiers = TEXT
    """How functions name the records that they did not take."""
    unpack: Callable[[object], list[Item] | None] = records_in
    """The records of an event; None for what is no event of this kind."""
    record_id: Callable[[str], str] = no_other_form
    """The id of a record as we name it, from another form in which users may write it; empty for a text that is not in
    this form."""
    is_item: Callable[[Item], bool] = names_its_source
    """Whether an object that is no event is a record."""

    carriers: TraceCarriers = NO_CARRIERS
    """Where a record carries the context of its producer's trace."""
    messaging_system: str = ""
    """`messaging.system` of OpenTelemetry's semantic conventions; a name of our own where they have none."""
    destination_name: Callable[[EventSourceMapping], str] = lambda mapping: _resource_of(mapping)
    """The name of the queue, stream, table or topic of a mapping."""
    consumer_group: Callable[[EventSourceMapping], str] = lambda mapping: ""
    """The group in which a mapping reads; empty where the source has no groups."""

    def policy_of(self, mapping: EventSourceMapping, pauses: RetryBackoff) -> Policy:
        """The handling of a mapping's failures. `pauses` are the daemon's, between the attempts of mappings
        that have none of their own."""
        given = mapping.retry_backoff or pauses
        return replace(self.policy(mapping), backoff=Backoff(base=given.base, cap=given.cap))

    def feed_slots(self, mapping: EventSourceMapping, envelope: Envelope, now: Callable[[], Now]) -> MakeSlots:
        """How a mapping's feeds make their slots."""
        return self.slots(mapping, Limits(mapping.batch_limit, mapping.window, envelope), now)

    def keeps(self, patterns: Sequence[object]) -> Keeps:
        """The filters of a mapping. Raises PatternError."""
        return Keeps(RecordFilter.parse(self.filters, patterns), self.data)
