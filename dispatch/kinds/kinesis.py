"""Records of Kinesis streams. Pure."""

from __future__ import annotations

from ...config.kinds import kinesis
from ..core.events import Fields, base64_text, seconds
from ..patterns.formats import FilterRules
from ..patterns.reach import GIVEN_NUMBER, GIVEN_TEXT, RecordShape, one_of
from .fragments import BatchInfo, decoded, shard_envelope, shard_policy, shard_slots
from .profile import DispatchKind


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
    policy=shard_policy,
    envelope=shard_envelope,
    slots=shard_slots,
    filters=FilterRules("kinesis", "data", only_json=True),
    shape=SHAPE,
    data=lambda item: decoded(item["kinesis"]["data"]),
    called=lambda item: item["kinesis"].get("sequenceNumber"),
    documents=BATCH_INFO.documents,
)
