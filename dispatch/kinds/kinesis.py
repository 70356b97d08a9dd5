"""Records of Kinesis streams. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import lt

from ...config.fields.arn import LOCAL_ACCOUNT
from ...config.kinds import kinesis
from ...config.mapping import EventSourceMapping
from ..core.events import Fields, base64_text, inner_texts, numbers, seconds, template
from ..core.model import Lane, Position, Record, encode
from ..core.pages import Places, Sheet
from ..patterns.formats import FilterRules
from ..patterns.reach import GIVEN_NUMBER, GIVEN_TEXT, RecordShape, one_of
from .fragments import BatchInfo, decoded, region_of, sequence_number, shard_envelope, shard_policy, shard_slots
from .profile import DispatchKind, Item, Sample


def kinesis_item(record: Fields, *, shard: str, arn: str, region: str, role: str) -> dict[str, object]:
    """The element of one record of GetRecords. `arn` is what the mapping reads: the stream's or a consumer's."""
    number = record["SequenceNumber"]
    return {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": record["PartitionKey"],
            "sequenceNumber": number,
            "data": base64_text(record["Data"]),
            "approximateArrivalTimestamp": round(seconds(record["ApproximateArrivalTimestamp"]), 3),
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"{shard}:{number}",
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": role,
        "awsRegion": region,
        "eventSourceARN": arn,
    }


HOLES: Fields = {"PartitionKey": "\0key", "SequenceNumber": "\0number", "Data": "\0data"}
"""A record of which nothing is known but what all of a shard have in common."""
HOLE_TIME = -123.456


@dataclass(frozen=True, slots=True)
class ShardElement:
    """The members that the elements of all records of a shard share."""

    lane: Lane
    arn: str
    """The ARN that the mapping reads: the stream's or a consumer's."""
    region: str
    role: str

    def item(self, record: Fields) -> dict[str, object]:
        """The element of one record of GetRecords."""
        return kinesis_item(record, shard=self.lane.shard, arn=self.arn, region=self.region, role=self.role)

    def template(self) -> str:
        """With holes for key, number, data, time of arrival, and number again."""
        item = self.item({**HOLES, "ApproximateArrivalTimestamp": HOLE_TIME})
        known = encode(self.lane.shard)[1:-1].replace(b"%", b"%%")
        texts = [(text, b'"%s"') for text in HOLES.values()]
        return template(item, *texts, (HOLE_TIME, b"%s"), (item["eventID"], b'"' + known + b':%s"')).decode()


class KinesisSheet(Sheet):
    """Records as GetRecords and SubscribeToShard give them, their data as base64."""

    def __init__(self, element: ShardElement, raws: Sequence[Fields]) -> None:
        """Raises KeyError, TypeError or ValueError for what is no record."""
        super().__init__(element.lane, len(raws))
        self._element = element
        self._raws = raws
        self._texts, self._keys = _column(raws, "SequenceNumber"), _column(raws, "PartitionKey")
        self._data = _column(raws, "Data")
        self._arrived = [seconds(raw["ApproximateArrivalTimestamp"]) for raw in raws]
        places = list(map(int, self._texts))
        self._ordered = all(map(lt, places, places[1:]))

    @property
    def ordered(self) -> bool:
        return self._ordered

    def position(self, place: int) -> Position:
        return Position.parse(self._texts[place])

    def arrived(self, place: int) -> float:
        return self._arrived[place]

    def name(self, place: int) -> str:
        return self._texts[place]

    def names(self, places: Places) -> Sequence[str]:
        if isinstance(places, range):
            return self._texts[places.start : places.stop]
        return [self._texts[place] for place in places]

    def key(self, place: int) -> str:
        return self._keys[place]

    def item(self, place: int) -> Fields:
        return self._element.item(self._raws[place])

    def view(self, place: int) -> bytes | None:
        return decoded(self._data[place])

    def seal(self) -> None:
        self._raws, self._data = (), []

    def _make(self, place: int) -> Record:
        return Record(
            lane=self.lane,
            id=self._texts[place],
            item=self.item(place) if self._raws else {},
            arrived=self._arrived[place],
            position=self.position(place),
            key=self._keys[place],
            element=self.bodies[place] or None,
        )

    def _write(self, places: Places) -> list[bytes]:
        form = self._element.template()
        columns = (self._keys, self._texts, self._data)
        keys, texts, data = (inner_texts([column[each] for each in places]) for column in columns)
        times = numbers([round(self._arrived[each], 3) for each in places])
        return [(form % filled).encode() for filled in zip(keys, texts, data, times, texts, strict=True)]


def _column(raws: Sequence[Fields], name: str) -> list[str]:
    column = [raw[name] for raw in raws]
    if not set(map(type, column)) <= {str}:
        raise TypeError(f"a {name} that is no text")
    return column  # type: ignore[return-value]


def _sample(sample: Sample, mapping: EventSourceMapping) -> Record:
    lane = Lane(mapping.source, "shardId-000000000000")
    role = f"arn:aws:iam::{mapping.arn.account if mapping.arn else LOCAL_ACCOUNT}:role/lambda"
    raw: Fields = {
        "SequenceNumber": sequence_number(sample),
        "PartitionKey": str(sample.place + 1),
        "Data": sample.text.encode(),
        "ApproximateArrivalTimestamp": sample.moment,
    }
    item = ShardElement(lane, mapping.source, region_of(mapping), role).item(raw)
    number = sequence_number(sample)
    return Record(lane, number, item, sample.moment, Position.parse(number))


def kinesis_relived(item: Item, source: str) -> Record:
    """A record out of its element of an event; its id names its shard."""
    about = item["kinesis"]
    number = str(about["sequenceNumber"])
    shard = str(item["eventID"]).removesuffix(f":{number}")
    arrived = float(about["approximateArrivalTimestamp"])
    lane, key = Lane(source, shard), str(about["partitionKey"])
    return Record(lane=lane, id=number, item=item, arrived=arrived, position=Position.parse(number), key=key)


BATCH_INFO = BatchInfo("KinesisBatchInfo", "milliseconds")

SHAPE: RecordShape = {
    "kinesis": {
        "kinesisSchemaVersion": one_of("1.0", always=True),
        "partitionKey": GIVEN_TEXT,
        "sequenceNumber": GIVEN_TEXT,
        "data": GIVEN_TEXT,
        "approximateArrivalTimestamp": GIVEN_NUMBER,
    },
    "eventSource": one_of("aws:kinesis", always=True),
    "eventVersion": one_of("1.0", always=True),
    "eventID": GIVEN_TEXT,
    "eventName": one_of("aws:kinesis:record", always=True),
    "invokeIdentityArn": GIVEN_TEXT,
    "awsRegion": GIVEN_TEXT,
    "eventSourceARN": GIVEN_TEXT,
}

STREAM = DispatchKind(
    kind=kinesis.STREAM,
    messaging_system="aws_kinesis",
    policy=shard_policy,
    envelope=shard_envelope,
    slots=shard_slots,
    filters=FilterRules("kinesis", "data", only_json=True),
    shape=SHAPE,
    data=lambda item: decoded(item["kinesis"]["data"]),
    sample=_sample,
    sampled={"source": "arn:aws:kinesis:us-east-1:000000000000:stream/orders", "starting_position": "LATEST"},
    relived=kinesis_relived,
    called=lambda item: item["kinesis"].get("sequenceNumber"),
    documents=BATCH_INFO.documents,
    origins=BATCH_INFO.origins,
)
