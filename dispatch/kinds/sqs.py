"""Messages of SQS queues, standard and FIFO. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace

from ...config.kinds import sqs
from ...config.mapping import EventSourceMapping
from ..core.batcher import Limits
from ..core.events import Fields, RecordsEnvelope, base64_text, fields_of
from ..core.model import Lane, Now, Record
from ..core.policy import Policy, Progress
from ..core.slots import SingleSlot
from ..core.trace_carriers import TraceCarriers
from ..patterns.formats import FilterRules
from ..patterns.reach import GIVEN_TEXT, TEXT, TEXT_OR_NULL, NamedShape, RecordShape, one_of
from .fragments import region_of, sequence_number
from .profile import DispatchKind, Item, MakeSlots, Sample, names_its_source


def sqs_item(message: Fields, *, arn: str, region: str, windowed: bool) -> dict[str, object]:
    """The element of one message of ReceiveMessage.

    `windowed`: MaximumBatchingWindowInSeconds is above 0. AWS then sends `md5OfMessageAttributes: null` for a message
    without attributes, else leaves it out.
    """
    attributes = fields_of(message.get("MessageAttributes"))
    item: dict[str, object] = {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message.get("Body", ""),
        "attributes": {name: str(value) for name, value in fields_of(message.get("Attributes")).items()},
        "messageAttributes": {name: _message_attribute(fields_of(value)) for name, value in attributes.items()},
    }
    if attributes and "MD5OfMessageAttributes" in message:
        item["md5OfMessageAttributes"] = message["MD5OfMessageAttributes"]
    elif not attributes and windowed:
        item["md5OfMessageAttributes"] = None
    item["md5OfBody"] = message.get("MD5OfBody")
    item["eventSource"], item["eventSourceARN"], item["awsRegion"] = "aws:sqs", arn, region
    return item


def _message_attribute(attribute: Fields) -> dict[str, object]:
    value: dict[str, object] = {}
    if "StringValue" in attribute:
        value["stringValue"] = attribute["StringValue"]
    if "BinaryValue" in attribute:
        value["binaryValue"] = base64_text(attribute["BinaryValue"])
    return value | {"stringListValues": [], "binaryListValues": [], "dataType": attribute.get("DataType")}


def _sample(sample: Sample, mapping: EventSourceMapping, more: Fields | None = None) -> Record:
    """`more`: attributes of a FIFO queue's message."""
    arn = mapping.source
    at = str(int(sample.moment * 1000))
    message: Fields = {
        "MessageId": sample.unique,
        "ReceiptHandle": f"by-hand-{sample.unique}",
        "Body": sample.text,
        "MD5OfBody": hashlib.md5(sample.text.encode(), usedforsecurity=False).hexdigest(),
        "Attributes": {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": at,
            "SenderId": "AIDAIENQZJOLO23YVJ4VO",
            "ApproximateFirstReceiveTimestamp": at,
            **(more or {}),
        },
    }
    item = sqs_item(message, arn=arn, region=region_of(mapping), windowed=mapping.window > 0)
    return Record(Lane(arn), sample.unique, item, sample.moment)


def _fifo_sample(sample: Sample, mapping: EventSourceMapping) -> Record:
    number = sequence_number(sample)
    more = {"SequenceNumber": number, "MessageGroupId": "by-hand", "MessageDeduplicationId": sample.unique}
    return _sample(sample, mapping, more)


def sqs_relived(item: Item, source: str) -> Record:
    """A message out of its element of an event. Its receipt handle is of no use any more."""
    attributes = fields_of(item.get("attributes"))
    sent = float(str(attributes.get("SentTimestamp", 0))) / 1000
    group = attributes.get("MessageGroupId")
    key = None if group is None else str(group)
    return Record(lane=Lane(source), id=str(item["messageId"]), item=item, arrived=sent, key=key)


def _policy(mapping: EventSourceMapping) -> Policy:
    """Failed messages go back to the queue, whose own redrive counts."""
    return Policy(Progress.NONE, partial=mapping.partial_responses)


def _slots(mapping: EventSourceMapping, limits: Limits, now: Callable[[], Now]) -> MakeSlots:
    return lambda lane, window: SingleSlot(limits)


def _fifo_slots(mapping: EventSourceMapping, limits: Limits, now: Callable[[], Now]) -> MakeSlots:
    return lambda lane, window: SingleSlot(limits, grouped=True)


def _is_item(value: Item) -> bool:
    return names_its_source(value) or (isinstance(value.get("messageId"), str) and isinstance(value.get("body"), str))


def _traces(item: Item) -> Iterator[str]:
    """What the producer itself wrote goes before what its SDK did."""
    for name, attribute in item["messageAttributes"].items():
        if name.lower() == "traceparent" and attribute.get("stringValue"):
            yield attribute["stringValue"]
    if header := item["attributes"].get("AWSTraceHeader"):
        yield header


CARRIERS = TraceCarriers((b"AWSTraceHeader", b"raceparent"), _traces)

SHAPE: RecordShape = {
    "messageId": GIVEN_TEXT,
    "receiptHandle": GIVEN_TEXT,
    "attributes": NamedShape({"": TEXT}),
    "messageAttributes": NamedShape(
        {"stringValue": TEXT, "binaryValue": TEXT, "dataType": TEXT_OR_NULL},
        "does not end in stringValue, binaryValue or dataType",
        'an attribute is matched as {"color": {"stringValue": ["red"]}}',
    ),
    "md5OfMessageAttributes": TEXT_OR_NULL,
    "md5OfBody": TEXT_OR_NULL,
    "eventSource": one_of("aws:sqs", always=True),
    "eventSourceARN": GIVEN_TEXT,
    "awsRegion": GIVEN_TEXT,
}

STANDARD = DispatchKind(
    kind=sqs.STANDARD,
    policy=_policy,
    envelope=lambda mapping, address: RecordsEnvelope(),
    slots=_slots,
    filters=FilterRules("sqs", "body"),
    shape=SHAPE,
    data=lambda item: item.get("body"),
    sample=_sample,
    sampled={"source": "arn:aws:sqs:us-east-1:000000000000:orders"},
    relived=sqs_relived,
    called=lambda item: item.get("messageId"),
    is_item=_is_item,
    carriers=CARRIERS,
    messaging_system="aws_sqs",
)
FIFO = replace(
    STANDARD,
    kind=sqs.FIFO,
    slots=_fifo_slots,
    sample=_fifo_sample,
    sampled={"source": "arn:aws:sqs:us-east-1:000000000000:orders.fifo"},
)
