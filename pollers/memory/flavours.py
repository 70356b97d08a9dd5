"""In what the services of streams differ, as far as the shipped fake shows it: limits, spellings, records."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from math import floor
from typing import Any

from ...dispatch.core.events import base64_text
from ...dispatch.core.model import Lane, Position, Record
from ...dispatch.core.pages import Page, Records
from ...dispatch.kinds.dynamodb import dynamodb_item, dynamodb_key
from ...dispatch.kinds.kinesis import KinesisSheet, ShardElement
from ..checkpoints.store import StartKind
from ..streams.polled_shard import Cadence

ROLE = "arn:aws:iam::000000000000:role/lambda"


@dataclass(frozen=True, slots=True)
class StreamEntry:
    """A record of a `MemoryStream`."""

    number: int
    text: str
    """The number as the service spells it."""
    key: str
    data: bytes
    arrived: float
    """Wall-clock seconds."""


@dataclass(frozen=True, slots=True, eq=False)
class FlavourFacts:
    """The facts of a service that a `MemoryStream` needs."""

    page: int
    """Records in one answer."""
    page_bytes: int
    spelled: Callable[[int], str]
    """A sequence number."""
    shard_name: Callable[[int, float], str]
    """Makes a shard's name from its number and the wall-clock seconds of its birth."""
    refuses_trimmed: bool
    """A position whose records are gone is refused; else it is read from the oldest record on."""
    tells_behind: bool
    """Answers tell how old the next record is."""
    latest: StartKind
    """How LATEST is kept."""
    cadence: Cadence
    describe: Callable[[StreamEntry], Mapping[str, Any]]
    """A record as botocore gives it."""
    records: Callable[[Sequence[Mapping[str, Any]], Lane], Records]
    """Makes the records of what `describe` gives."""


# --- Kinesis ----------------------------------------------------------------------------------------------------------


def _kinesis_described(entry: StreamEntry) -> Mapping[str, Any]:
    return {
        "SequenceNumber": entry.text,
        "PartitionKey": entry.key,
        "Data": base64_text(entry.data),
        "ApproximateArrivalTimestamp": entry.arrived,
    }


def _kinesis_records(raws: Sequence[Mapping[str, Any]], lane: Lane) -> Records:
    element = ShardElement(lane, lane.source, _region(lane), ROLE)
    return Records([Page(KinesisSheet(element, raws))] if raws else ())


# --- DynamoDB ---------------------------------------------------------------------------------------------------------


def _dynamodb_described(entry: StreamEntry) -> Mapping[str, Any]:
    image = {"id": {"S": entry.key}, "data": {"S": entry.data.decode(errors="replace")}}
    change = {
        "ApproximateCreationDateTime": floor(entry.arrived),
        "Keys": {"id": {"S": entry.key}},
        "NewImage": image,
        "SequenceNumber": entry.text,
        "SizeBytes": len(entry.data),
        "StreamViewType": "NEW_AND_OLD_IMAGES",
    }
    return {"eventID": f"{entry.number:032x}", "eventName": "INSERT", "dynamodb": change}


def _items_described(entry: StreamEntry) -> Mapping[str, Any]:
    """The record of an entry whose data are an item, and whose key is the item's, both in DynamoDB's form."""
    described = _dynamodb_described(entry)
    images = {"Keys": json.loads(entry.key), "NewImage": json.loads(entry.data)}
    return {**described, "dynamodb": {**described["dynamodb"], **images}}


def _dynamodb_records(raws: Sequence[Mapping[str, Any]], lane: Lane) -> Records:
    return Records.of(_dynamodb_record(raw, lane) for raw in raws)


def _dynamodb_record(raw: Mapping[str, Any], lane: Lane) -> Record:
    item = dynamodb_item(raw, arn=lane.source, region=_region(lane))
    change = raw["dynamodb"]
    text, arrived = change["SequenceNumber"], float(change["ApproximateCreationDateTime"])
    return Record(lane, text, item, arrived, Position.parse(text), dynamodb_key(raw))


def _region(lane: Lane) -> str:
    return lane.source.split(":")[3]


class Flavour(Enum):
    """The service of the stream. Only tests tell services apart by name; the fake asks for the facts."""

    KINESIS = FlavourFacts(
        page=10_000,
        page_bytes=10_000_000,
        spelled=str,
        shard_name=lambda number, born: f"shardId-{number:012d}",
        refuses_trimmed=False,
        tells_behind=True,
        latest=StartKind.LATEST,
        cadence=Cadence(1.0, 5, None, 10_000),
        describe=_kinesis_described,
        records=_kinesis_records,
    )
    DYNAMODB = FlavourFacts(
        page=1_000,
        page_bytes=1_000_000,
        spelled=lambda number: f"{number:021d}",
        shard_name=lambda number, born: f"shardId-{int(born * 1000):020d}-{number:08x}",
        refuses_trimmed=True,
        tells_behind=False,
        latest=StartKind.NEWER_THAN,
        cadence=Cadence(0.25, 5, None, 1_000),
        describe=_dynamodb_described,
        records=_dynamodb_records,
    )


ITEMS = replace(Flavour.DYNAMODB.value, describe=_items_described)
"""The facts of a DynamoDB stream whose entries are items."""
