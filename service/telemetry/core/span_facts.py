"""What a span tells of an invocation of a mapping: its name, attributes and status. Pure.

Names are OpenTelemetry's semantic conventions of messaging and of functions, in the version of `SCHEMA`; those that
begin with `headrace.` are ours. https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import assert_never

from ....dispatch.core.model import (
    FailedItems,
    FunctionFailed,
    Outcome,
    Succeeded,
    Throttled,
    Unreachable,
)
from ....dispatch.core.pages import Records
from ....dispatch.core.trace_carriers import TraceCarriers

SCHEMA = "https://opentelemetry.io/schemas/1.44.0"

SYSTEM = "messaging.system"
OPERATION = "messaging.operation.name"
OPERATION_TYPE = "messaging.operation.type"
DESTINATION = "messaging.destination.name"
PARTITION = "messaging.destination.partition.id"
GROUP = "messaging.consumer.group.name"
COUNT = "messaging.batch.message_count"
MESSAGE = "messaging.message.id"
ERROR = "error.type"
FUNCTION = "faas.invoked_name"
INVOCATION = "faas.invocation_id"
NAMES = (SYSTEM, OPERATION, OPERATION_TYPE, DESTINATION, PARTITION, GROUP, COUNT, MESSAGE, ERROR, FUNCTION, INVOCATION)

MAPPING = "headrace.mapping"
ATTEMPT = "headrace.attempt"
FAILED = "headrace.failed_records"
PROCESS = "process"

Attributes = dict[str, str | int]


@dataclass(frozen=True, slots=True)
class TracedMapping:
    """What all spans of a mapping have in common."""

    name: str
    system: str
    destination: str
    group: str
    carriers: TraceCarriers

    @property
    def span_name(self) -> str:
        return f"{PROCESS} {self.destination}"


def begun(mapping: TracedMapping, function: str, request_id: str, records: Records, attempt: int) -> Attributes:
    """The attributes of an invocation that begins; `attempt` counts from 1."""
    facts: Attributes = {
        SYSTEM: mapping.system,
        OPERATION: PROCESS,
        OPERATION_TYPE: PROCESS,
        DESTINATION: mapping.destination,
        COUNT: len(records),
        FUNCTION: function,
        INVOCATION: request_id,
        MAPPING: mapping.name,
        ATTEMPT: attempt,
    }
    if mapping.group:
        facts[GROUP] = mapping.group
    if len(lanes := records.lanes) == 1 and (shard := next(iter(lanes)).shard):
        facts[PARTITION] = shard
    if len(records) == 1:
        facts[MESSAGE] = records.ends[0]
    return facts


@dataclass(frozen=True, slots=True)
class SpanEnding:
    """How a span ends."""

    error: str = ""
    """`error.type`; empty where all went well."""
    text: str = ""
    """For people."""
    failed: int = 0
    """Records that the function named as failed."""

    @property
    def attributes(self) -> Attributes:
        facts: Attributes = {ERROR: self.error} if self.error else {}
        return facts | ({FAILED: self.failed} if self.failed else {})


CUT = SpanEnding("cut", "the mapping stopped, or lost these records, before the invocation ended")


def ending_of(outcome: Outcome) -> SpanEnding:
    match outcome:
        case Succeeded():
            return SpanEnding()
        case FailedItems(ids=ids):
            return SpanEnding("items", f"the function named {len(ids)} records as failed", len(ids))
        case FunctionFailed(failure=failure, detail=detail):
            return SpanEnding(failure.value, detail)
        case Throttled(said=said):
            return SpanEnding("throttled", said or "no room for the invocation")
        case Unreachable(cause=cause):
            return SpanEnding("unreachable", cause.text)
        case _:
            assert_never(outcome)


def asked_by(environ: Mapping[str, str]) -> bool:
    """Whether the usual variables of OpenTelemetry ask for traces: an endpoint is named, and nothing forbids it."""
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    if environ.get("OTEL_TRACES_EXPORTER", "").strip().lower() == "none":
        return False
    return any(environ.get(name) for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"))
