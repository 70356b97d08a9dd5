"""What each source allows, and what this version does with each field of a mapping: one table, read by the rules, by
the reference page and by the README.

A follow-up that teaches Headrace a source changes its column here and nothing else in this layer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum
from types import MappingProxyType


class SourceKind(StrEnum):
    """The kinds of source that differ in their rules."""

    SQS = "sqs"
    SQS_FIFO = "sqs-fifo"
    KINESIS = "kinesis"
    DYNAMODB = "dynamodb"
    KAFKA = "kafka"

    @property
    def is_queue(self) -> bool:
        return self in {SourceKind.SQS, SourceKind.SQS_FIFO}

    @property
    def is_stream(self) -> bool:
        return self in {SourceKind.KINESIS, SourceKind.DYNAMODB}


class Support(Enum):
    """What becomes of a field that a user gives."""

    HONOURED = "honoured"
    REFUSED = "refused"  # AWS has no such parameter for the source
    RECORDED = "recorded"  # kept and echoed, without a local effect


@dataclass(frozen=True, slots=True)
class SourceLimits:
    """The numbers of one source. Windows are in seconds."""

    title: str
    batch_size: int
    """The default."""
    batch_size_max: int
    window: float
    """The default."""
    window_max: int
    """0 where a window cannot be set."""


LIMITS: Mapping[SourceKind, SourceLimits] = MappingProxyType(
    {
        SourceKind.SQS: SourceLimits("SQS standard queue", 10, 10_000, 0, 300),
        SourceKind.SQS_FIFO: SourceLimits("SQS FIFO queue", 10, 10, 0, 0),
        SourceKind.KINESIS: SourceLimits("Kinesis stream", 100, 10_000, 0, 300),
        SourceKind.DYNAMODB: SourceLimits("DynamoDB stream", 100, 10_000, 0, 300),
        SourceKind.KAFKA: SourceLimits("Kafka topic", 100, 10_000, 0.5, 300),
    }
)

RECEIVERS_DEFAULT = 5
"""Receivers of a queue where neither the mapping nor the function gives a number (AWS starts with five too)."""
POLLERS_MIN, POLLERS_MAX = 1, 200
"""Pollers of a Kafka topic in provisioned mode where the mapping gives no number."""
TOPIC_POLLERS_MAX = 2000
"""Pollers of a Kafka topic that a mapping may ask for."""
QUEUE_POLLERS_MIN = 2
"""Pollers of a queue in provisioned mode at least."""
NO_SHARE_GROUPS = "it needs a share group of Kafka, and this version has consumer groups only; say Stream, or remove it"
NO_WEB_IDENTITY = (
    "it needs a web identity token that AWS gives to a function's role, and no role is assumed here; give "
    "OAUTHBEARER_AUTH with a client of your identity provider"
)
RECEIVERS_OF_A_POLLER = 10
"""Batches that a queue's poller has in flight at most; here each is a receiver's."""
RETRIES_WITH_DESTINATION = 10
"""What AWS makes of retries without end where a Kafka topic has a failure destination."""
FILTERS_QUOTA = 5
FILTERS_MAX = 10
"""AWS's quota is 5 filters, and on request up to 10."""

_LEGEND = {"+": Support.HONOURED, "-": Support.REFUSED, "r": Support.RECORDED}

# Columns: sqs, sqs-fifo, kinesis, dynamodb, kafka. Names are the mapping model's.
_FIELDS = {
    "source": "+ + + + +",
    "function": "+ + + + +",
    "enabled": "+ + + + +",
    "uuid": "+ + + + +",
    "batch_size": "+ + + + +",
    "maximum_batching_window_in_seconds": "+ - + + +",
    "filter_criteria": "+ + + + +",
    "function_response_types": "+ + + + +",
    "scaling_config": "+ + - - -",
    "receivers": "+ + - - -",
    "provisioned_poller_config": "+ + - - +",
    "starting_position": "- - + + +",
    "starting_position_timestamp": "- - + - +",
    "parallelization_factor": "- - + + -",
    "tumbling_window_in_seconds": "- - + + -",
    "destination_config": "- - + + +",
    "maximum_record_age_in_seconds": "- - + + +",
    "maximum_retry_attempts": "- - + + +",
    "bisect_batch_on_function_error": "- - + + +",
    "retry_backoff": "+ + + + +",
    "deaggregate": "- - + - -",
    "recreated_stream": "- - + + -",
    "topics": "- - - - +",
    "self_managed_event_source": "- - - - +",
    "self_managed_kafka_event_source_config": "- - - - +",
    "amazon_managed_kafka_event_source_config": "- - - - +",
    "source_access_configurations": "- - - - +",
    "bootstrap_servers": "- - - - +",
    "kafka_security": "- - - - +",
    "logging_config": "- - - - +",
    "queues": "- - - - -",
    "document_db_event_source_config": "- - - - -",
    "kms_key_arn": "r r r r r",
    "metrics_config": "r r r r r",
    "tags": "r r r r r",
}

FIELDS: Mapping[str, Mapping[SourceKind, Support]] = MappingProxyType(
    {
        name: MappingProxyType(dict(zip(SourceKind, (_LEGEND[sign] for sign in row.split()), strict=True)))
        for name, row in _FIELDS.items()
    }
)

RECORDED: Mapping[str, str] = MappingProxyType(
    {
        "kms_key_arn": "filters are not encrypted at rest locally",
        "metrics_config": "every metric is always served at /metrics",
        "tags": "nothing local reads them",
    }
)
"""The closed list of fields that are kept without effect, each with its reason."""


def polled() -> str:
    """The sources that this version polls, for messages."""
    titles = [f"{row.title}s" for row in LIMITS.values()]
    return f"{', '.join(titles[:-1])} and {titles[-1]}"


def standing(field: str, kind: SourceKind) -> Support:
    """What this version does with `field` of a mapping of that kind."""
    return FIELDS[field][kind]


def honoured_table() -> str:
    """The table of fields and sources, as Markdown, for the README and the reference page."""
    head = "| field | " + " | ".join(LIMITS[kind].title for kind in SourceKind) + " |"
    rows = [
        f"| `{name}` | " + " | ".join(row[kind].value for kind in SourceKind) + " |" for name, row in FIELDS.items()
    ]
    return "\n".join([head, "|---" * (len(SourceKind) + 1) + "|", *rows])
