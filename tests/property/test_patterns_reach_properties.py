"""A report that a filter can match nothing is true: no record of its source passes it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from random import Random
from typing import Any

import pytest

from headrace.dispatch.core.model import Lane, Record
from headrace.dispatch.kinds.dynamodb import dynamodb_item
from headrace.dispatch.kinds.kafka import kafka_item
from headrace.dispatch.kinds.kinesis import kinesis_item
from headrace.dispatch.kinds.sqs import sqs_item
from headrace.dispatch.kinds.table import FILTERS
from headrace.dispatch.patterns.errors import PatternError
from headrace.dispatch.patterns.filters import Pattern
from headrace.dispatch.patterns.formats import RecordFilter
from headrace.dispatch.patterns.reach import unmet
from support.counts import count
from support.pattern_strategies import TEXTS, a_value, near_pair

SEED = 20_261_201
REGION, NAMES = "us-east-1", ["a", "b", "a.b", "S", "é"]
Draw = Callable[[Random], Any]


def some_data(random: Random) -> str:
    return json.dumps(a_value(random, 3)) if random.random() < 0.7 else random.choice(TEXTS)


def some_attribute(random: Random) -> dict[str, Any]:
    if random.random() < 0.5:
        return {"StringValue": random.choice(TEXTS), "DataType": "String"}
    return {"BinaryValue": b"x", "DataType": "Binary"}


def queue_item(random: Random) -> dict[str, object]:
    message = {
        "MessageId": "id",
        "ReceiptHandle": "handle",
        "Body": some_data(random),
        "Attributes": {"ApproximateReceiveCount": random.choice([1, "2"]), "SentTimestamp": "1"},
        "MessageAttributes": {name: some_attribute(random) for name in random.sample(NAMES, random.randint(0, 2))},
        **random.choice([{}, {"MD5OfBody": "m", "MD5OfMessageAttributes": "m"}]),
    }
    return sqs_item(message, arn="arn:aws:sqs:us-east-1:0:q", region=REGION, windowed=random.random() < 0.5)


def stream_item(random: Random) -> dict[str, object]:
    record = {
        "SequenceNumber": "1",
        "PartitionKey": random.choice(TEXTS),
        "Data": random.choice([some_data(random).encode(), b"\xff"]),
        "ApproximateArrivalTimestamp": 1.5,
    }
    return kinesis_item(record, shard="s", arn="arn", region=REGION, role="r")


def typed(random: Random, depth: int = 2) -> dict[str, Any]:
    if depth and random.random() < 0.4:
        inner = [typed(random, depth - 1) for _ in range(2)]
        return random.choice([{"M": dict(zip(random.sample(NAMES, 2), inner, strict=True))}, {"L": inner}])
    plain: list[dict[str, Any]] = [
        {"S": random.choice(TEXTS)},
        {"N": random.choice(["5", "0.1"])},
        {"B": b"x"},
        {"BOOL": random.random() < 0.5},
        {"NULL": True},
        {"SS": ["x", "y"]},
        {"NS": ["1", "2"]},
    ]
    return random.choice(plain)


def some_image(random: Random) -> dict[str, Any]:
    return {name: typed(random) for name in random.sample(NAMES, random.randint(1, 3))}


def table_item(random: Random) -> dict[str, object]:
    name = random.choice(["INSERT", "MODIFY", "REMOVE"])
    change: dict[str, Any] = {"Keys": {"id": {"S": "1"}}, "SequenceNumber": "1", "SizeBytes": 9}
    if random.random() < 0.8:
        change |= {"ApproximateCreationDateTime": 1.0, "StreamViewType": "NEW_AND_OLD_IMAGES"}
    if name != "REMOVE":
        change["NewImage"] = some_image(random)
    if name != "INSERT":
        change["OldImage"] = some_image(random)
    record = {"eventID": "e", "eventName": name, "dynamodb": change}
    if random.random() < 0.2:
        record["userIdentity"] = {"PrincipalId": "dynamodb.amazonaws.com", "Type": "Service"}
    return dynamodb_item(record, arn="arn", region=REGION)


def topic_item(random: Random) -> dict[str, object]:
    return kafka_item(
        topic="t",
        partition=random.randint(0, 2),
        offset=7,
        timestamp=1,
        timestamp_type=random.randint(0, 1),
        key=random.choice([None, b"k"]),
        value=random.choice([None, b"\xff", some_data(random).encode()]),
        headers=[(random.choice(NAMES), random.choice([None, b"", b"h"])) for _ in range(random.randint(0, 2))],
    )


MAKERS: Mapping[str, Draw] = {"sqs": queue_item, "kinesis": stream_item, "dynamodb": table_item, "kafka": topic_item}


@pytest.mark.semantics("FILTER-52")
@pytest.mark.parametrize("source", MAKERS)
def test_no_record_passes_a_filter_that_is_said_to_match_nothing(source: str) -> None:
    kind, make, random = FILTERS[source], MAKERS[source], Random(SEED)
    seen: Counter[str] = Counter()
    for _ in range(count(300, 10_000)):
        items = [make(random) for _ in range(4)]
        view = RecordFilter(kind.filters, ()).view(items[0], kind.data(items[0]))
        text = near_pair(random, view).pattern
        try:
            keeps = kind.keeps([text])
        except PatternError:
            seen["refused"] += 1
            continue
        kept = [item for item in items if keeps(Record(Lane("s", "l"), "1", item, 0.0))]
        why = unmet(Pattern.parse(text), kind.filters, kind.shape, kind.impossible)
        assert not (why and kept), (text, why, kept)
        seen["told" if why else "kept" if kept else "not kept, and nothing told"] += 1
    assert min(seen["told"], seen["kept"]) >= count(30, 1000), f"{seen}: the test has grown blind"


def test_every_source_that_has_filters_is_held_against_them() -> None:
    assert set(MAKERS) == set(FILTERS)
