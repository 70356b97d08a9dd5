"""What each kind of source says of its records, where the loop, the filters and the destinations ask it."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

import pytest

from headrace.config.errors import BugError
from headrace.config.kinds.profile import SourceIdentity
from headrace.config.kinds.sqs import STANDARD
from headrace.config.mapping import EventSourceMapping
from headrace.dispatch.core.documents import Report
from headrace.dispatch.core.model import (
    DiscardReason,
    Fate,
    FateKind,
    Lane,
    Now,
    Position,
    Record,
)
from headrace.dispatch.core.pages import Records
from headrace.dispatch.core.steps import DiscardStep, SettleStep
from headrace.dispatch.kinds.table import FILTERS, KINDS, dispatch_of

QUEUE = "arn:aws:sqs:us-east-1:000000000000:orders"
STREAM = "arn:aws:kinesis:us-east-1:000000000000:stream/s"
TABLE = "arn:aws:dynamodb:eu-west-1:111122223333:table/T"
CLUSTER = "arn:aws:kafka:eu-west-1:111122223333:cluster/c/1"
FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:f"
NOW = Now(0.0, 1_700_000_000.0)


def mapping(source: str, **fields: Any) -> EventSourceMapping:
    return EventSourceMapping.model_validate({"name": "m", "source": source, "function": "f", **fields})


# --- queues -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("source", "behind"), [(QUEUE, []), (f"{QUEUE}.fifo", ["2"])])
def test_a_message_goes_back_with_those_behind_it_in_its_group_in_a_fifo_queue_alone(
    source: str, behind: list[str]
) -> None:
    made = mapping(source, batch_size=1)
    kind = dispatch_of(made)
    slots = kind.feed_slots(made, kind.envelope(made, str), lambda: NOW)(None, None)
    records = [Record(Lane(source), str(number), {}, NOW.wall, key="group") for number in (1, 2)]
    slots.put(Records.of(records), NOW)
    taken = slots.take(NOW)
    assert taken is not None
    step = SettleStep(taken.batch.records, Fate(FateKind.RETURNED))
    assert [record.id for record in slots.settled(taken.slot, step, NOW)] == behind


# --- events -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["sqs", "kinesis", "dynamodb"])
def test_records_are_found_in_an_event(name: str) -> None:
    kind = FILTERS[name]
    assert kind.unpack({"Records": [{"a": 1}, "no record", {"b": 2}]}) == [{"a": 1}, {"b": 2}]
    assert kind.unpack({"records": {"t-0": []}}) is None
    assert kind.is_item({"eventSource": f"aws:{name}"})
    assert not kind.is_item({"eventSource": 1})


def test_the_records_of_all_partitions_are_found_in_the_event_of_a_topic() -> None:
    kind = FILTERS["kafka"]
    assert kind.unpack({"records": {"t-0": [{"offset": 1}], "t-1": [{"offset": 2}, 3]}}) == [
        {"offset": 1},
        {"offset": 2},
    ]
    assert kind.unpack({"Records": []}) is None


def test_a_message_is_known_by_its_id_and_body_too() -> None:
    assert FILTERS["sqs"].is_item({"messageId": "m", "body": "b"})
    assert not FILTERS["sqs"].is_item({"messageId": "m"})
    assert not FILTERS["kinesis"].is_item({"messageId": "m", "body": "b"})


# --- failure documents ------------------------------------------------------------------------------------------------


def report(source: str) -> Report:
    lane = Lane(source, "shard-1")
    record = Record(lane, "7", {"a": 1}, NOW.wall, Position.parse("7"))
    step = DiscardStep(Records.of([record]), DiscardReason.OVERSIZED, None, 0, None)

    def render(records: Sequence[Record]) -> bytes:
        return b"{}"

    return Report(step, lane, NOW.wall, str(uuid.UUID(int=1)), render)


@pytest.mark.parametrize(
    ("source", "member", "servers"),
    [
        (STREAM, "KinesisBatchInfo", None),
        (TABLE, "DDBStreamBatchInfo", None),
        (CLUSTER, "KafkaBatchInfo", "b-1:9092"),
    ],
)
def test_a_document_says_of_a_source_what_its_kind_has_to_say(source: str, member: str, servers: str | None) -> None:
    made = mapping(source)
    document = dispatch_of(made).documents(made, FUNCTION, lambda: "b-1:9092")(report(source))
    context, info = document["requestContext"], document[member]
    assert isinstance(context, dict)
    assert isinstance(info, dict)
    assert (context["functionArn"], info["batchSize"]) == (FUNCTION, 1)
    assert (info.get("bootstrapServers"), info.get("eventSourceArn", source)) == (servers, source)


def test_a_queue_has_no_documents_for_it_has_a_redrive_policy() -> None:
    with pytest.raises(BugError):
        dispatch_of(mapping(QUEUE)).documents(mapping(QUEUE), FUNCTION, str)


def test_the_kind_of_a_source_that_nobody_knows_cannot_be_asked_for() -> None:
    unknown = mapping("arn:aws:mq:us-east-1:000000000000:broker:b")
    assert (unknown.kind, unknown.batch_limit, unknown.window) == (None, 0, 0)
    assert (unknown.pollers, unknown.place) == (None, unknown.source)
    with pytest.raises(BugError, match="should have refused"):
        dispatch_of(unknown)


def test_a_kind_with_sources_without_an_arn_must_say_itself_what_names_them() -> None:
    named = mapping("", topics=["orders"])
    identity = SourceIdentity()
    for fact in (STANDARD.place, identity.named_in, identity.claims, identity.duplicate):
        with pytest.raises(AssertionError, match="must give its own"):
            fact(named)
    with pytest.raises(AssertionError, match="must give its own"):
        identity.same(named, named)


def test_a_record_of_a_topic_is_also_named_as_the_tools_of_kafka_name_it() -> None:
    assert [kind.record_id("my/topic/0/17") for kind in KINDS if kind.record_id("my/topic/0/17")] == ["my/topic-0@17"]
    assert [kind.record_id("orders-0@17") for kind in KINDS if kind.record_id("orders-0@17")] == []
