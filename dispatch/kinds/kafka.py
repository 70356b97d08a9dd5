"""Records of Kafka topics. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import lt
from typing import Protocol

from pybase64 import b64decode, b64encode

from ...config.kinds import kafka
from ...config.mapping import EventSourceMapping
from ..core.batcher import Limits
from ..core.events import Envelope, Fields, base64_text, template
from ..core.model import BatchKind, ItemId, Lane, Now, Position, Record, Window, encode
from ..core.pages import Places, Records, Sheet
from ..core.partition_slots import PartitionSlots
from ..core.policy import Policy, Progress
from ..core.response import Identifiers
from ..core.trace_carriers import TraceCarriers
from ..patterns.formats import FilterRules
from ..patterns.reach import GIVEN_NUMBER, GIVEN_TEXT, NUMBER, TEXT, LeafType, NamedShape, RecordShape, leaf, one_of
from .fragments import decoded, lasting_policy
from .kafka_documents import documents_of, origins
from .profile import Address, DispatchKind, Item, MakeSlots, Sample

# --- records ----------------------------------------------------------------------------------------------------------

TIMESTAMP_TYPES = ("CREATE_TIME", "LOG_APPEND_TIME")  # by Kafka's own number


@dataclass(frozen=True, slots=True)
class SchemaMetadata:
    """Which schema a key or value was decoded with."""

    data_format: str
    """AVRO, PROTOBUF or JSON."""
    schema_id: str


def kafka_item(
    *,
    topic: str,
    partition: int,
    offset: int,
    timestamp: int,
    timestamp_type: int,
    key: bytes | None,
    value: bytes | None,
    headers: Iterable[tuple[str, bytes | None]] = (),
) -> dict[str, object]:
    """The element of one record. `timestamp` in milliseconds.

    What is null is left out, as AWS does: a record without a key has no `key`, a tombstone no `value`, and a header
    without a value is `{}` (https://github.com/aws-powertools/powertools-lambda-typescript/issues/5016,
    https://github.com/Nike-Inc/hal/pull/143).
    """
    item: dict[str, object] = {
        "topic": topic,
        "partition": partition,
        "offset": offset,
        "timestamp": timestamp,
        "timestampType": TIMESTAMP_TYPES[timestamp_type == 1],
    }
    if key is not None:
        item["key"] = base64_text(key)
    if value is not None:
        item["value"] = base64_text(value)
    item["headers"] = kafka_headers(headers)
    return item


def kafka_headers(headers: Iterable[tuple[str, bytes | None]]) -> list[dict[str, list[int]]]:
    return [{} if content is None else {name: _signed(content)} for name, content in headers]


class RawRecord(Protocol):
    """A record as the client gives it."""

    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int | None:
        """Milliseconds; None in the oldest format, which has no place for it."""
        ...

    @property
    def timestamp_type(self) -> int | None: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes | None]]: ...


NO_TIME = -1
"""Kafka's timestamp of a record without one, which brokers take from any producer."""
HOLE_OFFSET, HOLE_TIME = -7, -77
HOLES = {"key": b"\0key", "value": b"\0value"}
"""A key and a value that no record has, which an element shows until its own are written."""


_Kind = tuple[bool, bool, bool]
"""Records whose elements have one form: no key, no value, the time of the append."""


class KafkaSheet(Sheet):
    """The records that one fetch returned from a partition."""

    def __init__(self, lane: Lane, topic: str, partition: int, raws: Sequence[RawRecord], now: float) -> None:
        """`now`: wall-clock seconds, from which the age of a record without a timestamp counts."""
        super().__init__(lane, len(raws))
        self._topic, self._partition, self._now = topic, partition, now
        self._raws = raws
        self._offsets = [raw.offset for raw in raws]
        self._times = [NO_TIME if raw.timestamp is None else raw.timestamp for raw in raws]
        self._keys = [raw.key for raw in raws]
        self._forms: dict[_Kind, bytes] = {}
        self._ordered = all(map(lt, self._offsets, self._offsets[1:]))

    @property
    def ordered(self) -> bool:
        return self._ordered

    def position(self, place: int) -> Position:
        return Position(self._offsets[place], 0, str(self._offsets[place]))

    def arrived(self, place: int) -> float:
        time = self._times[place]
        return self._now if time == NO_TIME else time / 1000

    def name(self, place: int) -> str:
        return f"{self.lane.shard}@{self._offsets[place]}"

    def key(self, place: int) -> str | None:
        key = self._keys[place]
        return None if key is None else key.hex()

    def item(self, place: int) -> Fields:
        raw = self._raws[place]
        return kafka_item(
            topic=self._topic,
            partition=self._partition,
            offset=raw.offset,
            timestamp=self._times[place],
            timestamp_type=raw.timestamp_type or 0,
            key=raw.key,
            value=raw.value,
            headers=raw.headers,
        )

    def view(self, place: int) -> bytes | None:
        return self._raws[place].value

    def seal(self) -> None:
        self._raws = ()

    def _make(self, place: int) -> Record:
        return Record(
            lane=self.lane,
            id=(self.lane.shard, self._offsets[place]),
            item=self.item(place) if self._raws else {},
            arrived=self.arrived(place),
            position=self.position(place),
            key=self.key(place),
            element=self.bodies[place] or None,
        )

    def names(self, places: Places) -> Sequence[str]:
        shard, offsets = self.lane.shard, self._offsets
        return [f"{shard}@{offsets[place]}" for place in places]

    def _write(self, places: Places) -> list[bytes]:
        """Those of one form are written in one go, which all of a page usually are."""
        raws = [self._raws[place] for place in places]
        kinds = [(raw.key is None, raw.value is None, raw.timestamp_type == 1) for raw in raws]
        if kinds.count(kinds[0]) == len(kinds):
            return self._elements(kinds[0], places)
        alike: dict[_Kind, list[int]] = {}
        for place, kind in zip(places, kinds, strict=True):
            alike.setdefault(kind, []).append(place)
        made = {kind: iter(self._elements(kind, chosen)) for kind, chosen in alike.items()}
        return [next(made[kind]) for kind in kinds]

    def _elements(self, kind: _Kind, places: Places) -> list[bytes]:
        """The elements of records of one kind."""
        raws = [self._raws[place] for place in places]
        columns: list[Iterable[object]] = [[self._offsets[at] for at in places], [self._times[at] for at in places]]
        no_key, no_value, _ = kind
        if not no_key:
            columns.append([b64encode(raw.key or b"") for raw in raws])
        if not no_value:
            columns.append([b64encode(raw.value or b"") for raw in raws])
        columns.append([encode(kafka_headers(raw.headers)) if raw.headers else b"[]" for raw in raws])
        form = self._forms.get(kind)
        if form is None:
            form = self._forms[kind] = self._form(*kind)
        return [form % holes for holes in zip(*columns, strict=True)]

    def _form(self, no_key: bool, no_value: bool, appended: bool) -> bytes:
        """With holes for offset, timestamp, key and value as far as there are some, and headers."""
        item = kafka_item(
            topic=self._topic,
            partition=self._partition,
            offset=HOLE_OFFSET,
            timestamp=HOLE_TIME,
            timestamp_type=int(appended),
            key=None if no_key else HOLES["key"],
            value=None if no_value else HOLES["value"],
        )
        numbers = [(HOLE_OFFSET, b"%d"), (HOLE_TIME, b"%d")]
        texts = [(base64_text(value), b'"%b"') for value in HOLES.values()]
        return template(item, *numbers, *texts, ([], b"%b"))


def kafka_bytes(item: Fields) -> tuple[bytes | None, bytes | None]:
    """The key and the value that the element of a record holds."""
    key, value = item.get("key"), item.get("value")
    return None if key is None else b64decode(str(key)), None if value is None else b64decode(str(value))


def kafka_decoded(
    item: Fields,
    *,
    key: bytes | None,
    value: bytes | None,
    key_schema: SchemaMetadata | None = None,
    value_schema: SchemaMetadata | None = None,
) -> dict[str, object]:
    """The element of a record whose key or value was read with a schema: these in the place of its own."""
    decoded = dict(item)
    if key is not None:
        decoded["key"] = base64_text(key)
    if value is not None:
        decoded["value"] = base64_text(value)
    for name, schema in (("keySchemaMetadata", key_schema), ("valueSchemaMetadata", value_schema)):
        if schema is not None:
            decoded[name] = {"dataFormat": schema.data_format, "schemaId": schema.schema_id}
    return decoded


def _signed(content: bytes) -> list[int]:
    """A header's value as Java's bytes, -128 to 127."""
    return memoryview(content).cast("b").tolist()


# --- envelope ---------------------------------------------------------------------------------------------------------


class KafkaEnvelope:
    """Records by partition. `arn` None: a self-managed cluster, whose event has no ARN.

    `bootstrap_servers` may be asked for each time: those of an MSK cluster are known once it is reached."""

    def __init__(self, bootstrap_servers: str | Callable[[], str], arn: str | None = None) -> None:
        self._servers = bootstrap_servers
        self._about: dict[str, object] = {"eventSource": "SelfManagedKafka"}
        if arn is not None:
            self._about = {"eventSource": "aws:kafka", "eventSourceArn": arn}
        self._made: tuple[str, bytes] | None = None

    @property
    def overhead(self) -> int:
        return len(self._head) + len(b"}}")

    @property
    def _head(self) -> bytes:
        servers = self._servers if isinstance(self._servers, str) else self._servers()
        if self._made is None or self._made[0] != servers:
            head = encode(self._about | {"bootstrapServers": servers})[:-1] + b',"records":{'
            self._made = servers, head
        return self._made[1]

    def lane_overhead(self, lane: Lane) -> int:
        return len(encode(lane.shard)) + len(b":[]")

    def render(
        self,
        records: Records,
        *,
        lane: Lane | None = None,
        kind: BatchKind = BatchKind.RECORDS,
        window: Window | None = None,
        terminated_early: bool = False,
        state: bytes = b"{}",
    ) -> bytes:
        lanes: dict[str, list[bytes]] = {}
        for page in records.pages:
            lanes.setdefault(page.lane.shard, []).extend(page.bodies)
        parts = [self._head]
        for at, (shard, bodies) in enumerate(lanes.items()):
            parts += (b"," if at else b"", encode(shard), b":[", b",".join(bodies), b"]")
        return b"".join((*parts, b"}}"))  # at once: an event has megabytes


def _envelope(mapping: EventSourceMapping, address: Address) -> Envelope:
    return KafkaEnvelope(address, mapping.source or None)


def _sample(sample: Sample, mapping: EventSourceMapping) -> Record:
    topic, partition = mapping.topic, 0
    lane = Lane(mapping.source, f"{topic}-{partition}")
    item = kafka_item(
        topic=topic,
        partition=partition,
        offset=sample.place,
        timestamp=int(sample.moment * 1000),
        timestamp_type=0,
        key=None,
        value=sample.text.encode(),
    )
    return Record(lane, (lane.shard, sample.place), item, sample.moment, Position(sample.place))


def _unpack(event: object) -> list[Item] | None:
    match event:
        case {"records": dict(lanes)}:
            return [record for lane in lanes.values() for record in lane if isinstance(record, dict)]
        case _:
            return None


# --- batches ----------------------------------------------------------------------------------------------------------

SLOTS_OF_A_POLLER = 5
"""Batches in flight of each poller in provisioned mode; without it there is one for each partition."""


def _policy(mapping: EventSourceMapping) -> Policy:
    return lasting_policy(mapping, Progress.PER_RECORD)


def _slots(mapping: EventSourceMapping, limits: Limits, now: Callable[[], Now]) -> MakeSlots:
    return lambda lane, window: PartitionSlots(limits, SLOTS_OF_A_POLLER if mapping.pollers else None)


def _identifier(value: object) -> ItemId | None:
    if not isinstance(value, dict):
        return None
    partition, offset = value.get("partition"), value.get("offset")
    if isinstance(partition, str) and type(offset) is int:  # not bool, which is an int
        return (partition, offset)
    return None


OFFSETS = Identifiers(_identifier, 'is not an object like {"partition": "topic-0", "offset": 1}')
"""Records are named by `{"partition": "<topic>-<n>", "offset": n}`."""


# --- the kind ---------------------------------------------------------------------------------------------------------


def _relived(item: Item, source: str) -> Record:
    offset, shard = int(item["offset"]), f"{item['topic']}-{item['partition']}"
    key, _ = kafka_bytes(item)
    return Record(
        lane=Lane(source, shard),
        id=(shard, offset),
        item=item,
        arrived=float(item["timestamp"]) / 1000,
        position=Position(offset, 0, str(offset)),
        key=None if key is None else key.hex(),
    )


_SLASHED = re.compile(r"(.+)/(\d+)/(\d+)", re.ASCII)


def _record_id(text: str) -> str:
    """Kafka's tools write `topic/partition/offset`."""
    found = _SLASHED.fullmatch(text)
    return f"{found[1]}-{found[2]}@{found[3]}" if found else ""


_SCHEMA: RecordShape = {"dataFormat": TEXT, "schemaId": leaf(LeafType.TEXT, LeafType.NUMBER)}
SHAPE: RecordShape = {
    "topic": GIVEN_TEXT,
    "partition": GIVEN_NUMBER,
    "offset": GIVEN_NUMBER,
    "timestamp": GIVEN_NUMBER,
    "timestampType": one_of(*TIMESTAMP_TYPES, always=True),
    "key": TEXT,
    "headers": NamedShape({"": NUMBER}),
    "keySchemaMetadata": _SCHEMA,
    "valueSchemaMetadata": _SCHEMA,
}


def _traces(item: Item) -> Iterator[str]:
    for header in item["headers"]:
        for name, content in header.items():
            if name.lower() == "traceparent":
                yield bytes(byte & 0xFF for byte in content).decode("ascii")


TOPIC = DispatchKind(
    kind=kafka.TOPIC,
    carriers=TraceCarriers((b"raceparent",), _traces),
    messaging_system="kafka",
    destination_name=lambda mapping: mapping.topic,
    consumer_group=lambda mapping: mapping.group,
    policy=_policy,
    envelope=_envelope,
    slots=_slots,
    filters=FilterRules("kafka", "value", ignores_unfit=True),
    shape=SHAPE,
    data=lambda item: decoded(item.get("value")),
    sample=_sample,
    sampled={
        "self_managed_event_source": {"endpoints": {"kafka_bootstrap_servers": ["localhost:9092"]}},
        "topics": ["orders"],
        "starting_position": "LATEST",
    },
    relived=_relived,
    called=lambda item: item.get("offset"),
    documents=documents_of,
    origins=origins,
    identifiers=OFFSETS,
    unpack=_unpack,
    record_id=_record_id,
)
