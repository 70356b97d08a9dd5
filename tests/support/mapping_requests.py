"""Requests of the API about mappings, one for each kind of source, and a pure ground to decide them on."""

from __future__ import annotations

from typing import Any

from headrace.service.control.mappings import decisions
from headrace.service.control.mappings.decisions import DecisionContext
from headrace.service.control.mappings.model import NOT_LOOKED_AT, FoundFunction, Mapped, Mappings, SourceLook
from headrace.service.control.model import Moment
from headrace.service.control.names import Home

HERE = Home("us-east-1", "000000000000")
NOW = 1_700_000_000.0
QUEUE = "arn:aws:sqs:us-east-1:000000000000:orders"
FIFO = "arn:aws:sqs:us-east-1:000000000000:orders.fifo"
STREAM = "arn:aws:kinesis:us-east-1:000000000000:stream/orders"
TABLE = "arn:aws:dynamodb:us-east-1:000000000000:table/orders/stream/2024-01-01T00:00:00.000"
CLUSTER = "arn:aws:kafka:us-east-1:000000000000:cluster/c/1"
FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:f"

SQS: dict[str, Any] = {"FunctionName": "f", "EventSourceArn": QUEUE}
KINESIS: dict[str, Any] = {"FunctionName": "f", "EventSourceArn": STREAM, "StartingPosition": "LATEST"}
DYNAMODB: dict[str, Any] = {"FunctionName": "f", "EventSourceArn": TABLE, "StartingPosition": "TRIM_HORIZON"}
KAFKA: dict[str, Any] = {
    "FunctionName": "f",
    "SelfManagedEventSource": {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": ["kafka:1000"]}},
    "Topics": ["orders"],
    "SourceAccessConfigurations": [{"Type": "VPC_SUBNET", "URI": "subnet:s"}],
}
MSK: dict[str, Any] = {"FunctionName": "f", "EventSourceArn": CLUSTER, "Topics": ["orders"]}
PROVISIONED: dict[str, Any] = {"ProvisionedPollerConfig": {"MinimumPollers": 1}}

FUNCTIONS = {("f", ""), ("f", "$LATEST"), ("f", "1"), ("f", "live"), ("g", "")}


def find(name: str, qualifier: str) -> FoundFunction | None:
    return FoundFunction(3.0) if (name, qualifier) in FUNCTIONS else None


GROUND = DecisionContext(HERE, find)


def moment(seed: str = "a", now: float = NOW) -> Moment:
    return Moment(now, seed)


def created(
    request: dict[str, Any],
    mappings: Mappings | None = None,
    *,
    seen: SourceLook = NOT_LOOKED_AT,
    seed: str = "a",
    **more: Any,
) -> Mapped:
    return decisions.create(mappings or {}, {**request, **more}, seen, moment(seed), GROUND)


def updated(before: Mapped, *, seen: SourceLook = NOT_LOOKED_AT, **members: Any) -> Mapped:
    request = {"UUID": before.uuid, **members}
    return decisions.update({before.uuid: before}, request, seen, moment(now=NOW + 60), GROUND)
