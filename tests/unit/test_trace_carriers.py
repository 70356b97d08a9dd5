"""Contexts of traces in records: both forms, each kind's places, what is handed to a function."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest

from headrace.config.mapping import EventSourceMapping
from headrace.dispatch.core.trace_carriers import (
    MOST_LINKS,
    MOST_READ,
    NO_CARRIERS,
    HandedTrace,
    TraceCarriers,
    TraceContext,
    context_of,
)
from headrace.dispatch.kinds import dynamodb, kafka, kinesis, sqs

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
W3C = f"00-{TRACE}-{SPAN}-01"
XRAY = f"Root=1-{TRACE[:8]}-{TRACE[8:]};Parent={SPAN};Sampled=1"
CONTEXT = TraceContext(int(TRACE, 16), int(SPAN, 16), sampled=True)
UNSAMPLED = TraceContext(int(TRACE, 16), int(SPAN, 16), sampled=False)
OTHER = TraceContext(1, 2, sampled=True)


@pytest.mark.semantics("TRACE-02")
@pytest.mark.parametrize(
    ("text", "context"),
    [
        (W3C, CONTEXT),
        (f" {W3C} ", CONTEXT),
        (f"00-{TRACE}-{SPAN}-00", UNSAMPLED),
        (f"00-{TRACE}-{SPAN}-03", CONTEXT),
        (f"cc-{TRACE}-{SPAN}-01-what-the-future-brings", CONTEXT),
        (f"00-{TRACE}-{SPAN}-01-more", None),
        (f"ff-{TRACE}-{SPAN}-01", None),
        (f"00-{'0' * 32}-{SPAN}-01", None),
        (f"00-{TRACE}-{'0' * 16}-01", None),
        (W3C.upper(), None),
        ("", None),
        ("no context", None),
        (XRAY, CONTEXT),
        (XRAY.replace(";", "; "), CONTEXT),
        (f"Self=1-67891234-12456789abcdef012345678a;{XRAY};Lineage=a:0", CONTEXT),
        (XRAY.replace("Sampled=1", "Sampled=0"), UNSAMPLED),
        (XRAY.replace("Sampled=1", "Sampled=?"), UNSAMPLED),
        (XRAY.replace(f"Parent={SPAN};", ""), None),
        (XRAY.replace("Root=1-", "Root=2-"), None),
        ("Root=;Parent=", None),
        ("=", None),
    ],
)
def test_a_context_in_either_form(text: str, context: TraceContext | None) -> None:
    assert context_of(text) == context


@pytest.mark.semantics("TRACE-03")
def test_a_context_handed_to_a_function() -> None:
    assert HandedTrace.of(CONTEXT, client_context=False) == HandedTrace(XRAY, "")
    handed = HandedTrace.of(UNSAMPLED, client_context=True)
    assert handed.trace == XRAY.replace("Sampled=1", "Sampled=0")
    assert json.loads(handed.client_context) == {"custom": {"traceparent": f"00-{TRACE}-{SPAN}-00"}}


def message(attributes: object = None, **own: str) -> bytes:
    members = {name: {"stringValue": value, "dataType": "String"} for name, value in own.items()}
    return orjson.dumps({"body": "b", "attributes": attributes or {}, "messageAttributes": members})


@pytest.mark.semantics("TRACE-02")
@pytest.mark.parametrize(
    ("element", "producers"),
    [
        (message({"AWSTraceHeader": XRAY}), (CONTEXT,)),
        (message(traceparent=W3C), (CONTEXT,)),
        (message(Traceparent=W3C), (CONTEXT,)),
        (message({"AWSTraceHeader": XRAY}, traceparent=OTHER.traceparent), (OTHER,)),
        (message({"AWSTraceHeader": XRAY}, traceparent="nonsense"), (CONTEXT,)),
        (message(), ()),
        (orjson.dumps({"body": f"traceparent {W3C}", "attributes": {}, "messageAttributes": {}}), ()),
        (orjson.dumps({"traceparent": 1}), ()),
        (b"traceparent, but no JSON", ()),
    ],
)
def test_a_message_carries_it_in_its_attributes(element: bytes, producers: object) -> None:
    assert sqs.STANDARD.carriers.producers([element]) == producers
    assert sqs.FIFO.carriers.producers([element]) == producers


def of_topic(*headers: tuple[str, bytes | None]) -> bytes:
    item: dict[str, Any] = {"topic": "t", "headers": kafka.kafka_headers(headers)}
    return orjson.dumps(item)


@pytest.mark.semantics("TRACE-02")
@pytest.mark.parametrize(
    ("element", "producers"),
    [
        (of_topic(("traceparent", W3C.encode())), (CONTEXT,)),
        (of_topic(("other", None), ("traceparent", W3C.encode())), (CONTEXT,)),
        (of_topic(("traceparent", b"\xff\x80")), ()),
        (of_topic(("traceparent", None)), ()),
        (of_topic(("traceparent", b"00-none"), ("traceparent", W3C.encode())), (CONTEXT,)),
        (of_topic(("traceparent", b"00-none"), ("other", b"x")), ()),
        (of_topic(), ()),
    ],
)
def test_a_record_of_a_topic_carries_it_in_its_headers(element: bytes, producers: object) -> None:
    assert kafka.TOPIC.carriers.producers([element]) == producers


@pytest.mark.semantics("TRACE-02")
@pytest.mark.parametrize("kind", [kinesis.STREAM, dynamodb.STREAM])
def test_a_record_of_a_stream_carries_none(kind: Any) -> None:
    assert kind.carriers.producers([message({"AWSTraceHeader": XRAY}, traceparent=W3C)]) == ()


@pytest.mark.semantics("TRACE-02")
def test_a_batch_has_each_of_its_producers_once_in_order() -> None:
    elements = [message(traceparent=each.traceparent) for each in (OTHER, CONTEXT, OTHER)]
    assert sqs.STANDARD.carriers.producers([message(), *elements]) == (OTHER, CONTEXT)


def test_a_batch_with_many_producers_is_read_to_a_limit() -> None:
    many = [message(traceparent=TraceContext(1 + each, 1, sampled=True).traceparent) for each in range(MOST_LINKS + 9)]
    assert len(sqs.STANDARD.carriers.producers(many)) == MOST_LINKS
    last = message(traceparent=CONTEXT.traceparent)
    assert sqs.STANDARD.carriers.producers([message(traceparent=W3C[:-1])] * MOST_READ + [last]) == ()


@pytest.mark.semantics("TRACE-02")
def test_a_message_whose_own_context_is_damaged_has_that_of_its_sdk() -> None:
    assert sqs.STANDARD.carriers.producers([message({"AWSTraceHeader": XRAY}, traceparent="00-none")]) == (CONTEXT,)


def test_other_attributes_of_a_message_are_passed_over() -> None:
    assert sqs.STANDARD.carriers.producers([message(other="x", traceparent=W3C)]) == (CONTEXT,)


def test_a_kind_that_says_nothing_has_no_carriers_and_its_destination_is_the_resource() -> None:
    assert NO_CARRIERS.producers([message(traceparent=W3C)]) == ()
    assert TraceCarriers((b"traceparent",)).producers([message(traceparent=W3C)]) == ()
    mapping = EventSourceMapping(name="m", source="arn:aws:kinesis:us-east-1:000000000000:stream/orders", function="f")
    assert kinesis.STREAM.destination_name(mapping) == "orders"
