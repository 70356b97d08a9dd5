"""What a user may say about an event source mapping: the fields, their shapes, and what they mean whatever the source.

What a kind of source allows is in `kinds/`; a mapping with its kind is in `mapping.py`. Names are AWS's in snake_case;
AWS's own spelling is accepted too, nested objects included. Used by the kinds, and by `mapping.py` alone besides.
"""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, StringConstraints, model_validator
from pydantic.json_schema import SkipJsonSchema, WithJsonSchema

from . import mapping_limits
from .arn import Arn
from .kafka_mapping import KafkaSecurity, KafkaSourceConfig, SelfManagedEventSource, SourceAccessConfiguration
from .retry_backoff import RetryBackoff
from .spoken import WHOLE, Spoken

Text = Annotated[str, StringConstraints(strip_whitespace=True)]
UUID_FORM = r"^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"
OWN_UUID_FORM = UUID_FORM + "|^$"
GROUP_FORM = r"^[a-zA-Z0-9-_]*$"
DESTINATION_FORM = r"^($|kafka://[^.][a-zA-Z0-9_.-]{0,248}$|plugin://[A-Za-z0-9][A-Za-z0-9_.-]{0,63}(\?\S*)?$|arn:.+)"
TOPIC_FORM = r"^[^.][a-zA-Z0-9\-_.]*$"
KMS_FORM = r"^(arn:.+|)$"
TOPIC_SCHEME = "kafka://"
"""How a failure destination begins that is a topic in the cluster of the source."""
PLUGIN_SCHEME = "plugin://"
"""How a failure destination begins that a plug-in adds."""


def _arn(text: str) -> str:
    """The text, once it is an ARN or empty."""
    if "://" in text:
        name = text.rstrip("/").rpartition("/")[2] or "orders"
        raise ValueError(f"is a URL, and the ARN is needed: arn:aws:sqs:<region>:<account>:{name}")
    if text:
        Arn.parse(text)
    return text


def _moment(value: object) -> object:
    """Seconds since the epoch, out of a number or an ISO 8601 time (UTC when it has no zone)."""
    seconds = _seconds(value)
    if seconds is None or not math.isfinite(seconds) or seconds < 0:
        raise ValueError("must be seconds since the epoch or a time such as 2025-01-31T12:00:00Z")
    return seconds


def _seconds(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        pass
    try:
        moment = datetime.fromisoformat(str(value))
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


class Filter(Spoken):
    pattern: Annotated[Any, WithJsonSchema({"type": ["string", "object"]})] = Field(
        examples=[{"body": {"type": ["created"]}}]
    )
    """An EventBridge pattern: a structure, or its JSON as text."""

    @model_validator(mode="after")
    def _text_or_structure(self) -> Filter:
        if not isinstance(self.pattern, str | dict):
            raise ValueError("must be a pattern: a mapping of fields, or its JSON as text")
        return self

    @property
    def text(self) -> str:
        """The pattern as AWS echoes it: the user's own text, or compact JSON of the structure."""
        if isinstance(self.pattern, str):
            return self.pattern
        return json.dumps(self.pattern, separators=(",", ":"), ensure_ascii=False)


class FilterCriteria(Spoken):
    filters: list[Filter] = Field(default_factory=list, max_length=mapping_limits.FILTERS_MAX)
    """A record that passes one of the filters is kept; without filters every record is kept."""


class ScalingConfig(Spoken):
    maximum_concurrency: Annotated[int, Field(ge=2, le=1000), WHOLE] | None = None
    """Maximum batches of this mapping in flight."""


class ProvisionedPollerConfig(Spoken):
    minimum_pollers: Annotated[int, Field(ge=1, le=200), WHOLE] | None = None
    """For a topic: minimum members of the consumer group, each with up to 5 batches in flight; default 1. For a queue:
    minimum receivers, 2 or more; default 2."""
    maximum_pollers: Annotated[int, Field(ge=1, le=10_000), WHOLE] | None = None
    """For a topic: maximum members, up to 2000 and never more than the topic has partitions. For a queue: a tenth of
    the maximum receivers, which are never more than the function's concurrency. Default 200."""
    poller_group_name: str | None = Field(None, pattern=GROUP_FORM, max_length=128)
    """Recorded: mappings share no pollers here."""


class OnFailureDestination(Spoken):
    destination: str | None = Field(None, max_length=350, pattern=DESTINATION_FORM)
    """ARN of a queue, topic or bucket, `kafka://<topic>`, or `plugin://<name>?<setting>=<value>`."""


class DestinationConfig(Spoken):
    on_failure: OnFailureDestination | None = None
    """Where discarded records go."""
    on_success: OnFailureDestination | None = None
    """Refused, as AWS refuses it for mappings."""


class MetricsConfig(Spoken):
    metrics: list[Literal["EventCount", "ErrorCount", "KafkaMetrics"]] = Field(default_factory=list, max_length=3)


class LoggingConfig(Spoken):
    system_log_level: Literal["DEBUG", "INFO", "WARN"] | None = None


class DocumentDbConfig(Spoken):
    database_name: str | None = Field(None, min_length=1, max_length=63)
    collection_name: str | None = Field(None, min_length=1, max_length=57)
    full_document: Literal["UpdateLookup", "Default"] | None = None


_Topic = Annotated[str, StringConstraints(min_length=1, max_length=249, pattern=TOPIC_FORM)]


class MappingFields(Spoken):
    """The fields of one mapping."""

    name: SkipJsonSchema[str] = Field("", alias="name")  # the key under `mappings`; never written by a user

    source: Annotated[Text, AfterValidator(_arn)] = Field("", examples=["arn:aws:sqs:us-east-1:000000000000:orders"])
    """ARN of the source. Empty for a source without an ARN, which other fields name."""
    function: Text = Field(min_length=1, max_length=256, examples=["orders"])
    """Name of a function of this configuration, or its ARN."""
    enabled: bool = True
    """Whether Headrace fetches records."""
    uuid: Text = Field("", pattern=OWN_UUID_FORM)
    """Identity of the mapping. Derived from account, region and name when not given, so it survives restarts."""

    batch_size: Annotated[int, Field(ge=1, le=10_000), WHOLE] | None = None
    """Maximum records per invocation. The source has a default and a limit of its own; a queue needs a window for more
    than 10."""
    maximum_batching_window_in_seconds: Annotated[int, Field(ge=0, le=300), WHOLE] | None = None
    """Seconds to gather a batch; 0: the records of one receive are invoked at once. The source has a default of its
    own."""
    filter_criteria: FilterCriteria | None = None
    """Which records reach the function. A record that no filter matches is removed from the source."""
    function_response_types: list[Literal["ReportBatchItemFailures"]] = Field(default_factory=list, max_length=1)
    """`[ReportBatchItemFailures]`: the function's answer names the failed records."""
    scaling_config: ScalingConfig | None = None
    """Limits the batches in flight."""
    receivers: Annotated[int, Field(ge=1, le=1000), WHOLE] | None = Field(None, alias="receivers")
    """Maximum receivers of a queue (Headrace's own). Default: the maximum concurrency, else the function's concurrency,
    else 5. With a batching window one receiver gathers a batch, and each other receiver has a batch in flight."""
    provisioned_poller_config: ProvisionedPollerConfig | None = None
    """AWS's dedicated pollers. Without it a Kafka topic has one poller, with a batch in flight per partition."""

    starting_position: Literal["TRIM_HORIZON", "LATEST", "AT_TIMESTAMP"] | None = None
    """Where the first read of a stream or a topic starts; later, stored positions win. Shards and partitions that
    appear later are read from their beginning. Kafka's default is TRIM_HORIZON."""
    starting_position_timestamp: (
        Annotated[float, BeforeValidator(_moment), WithJsonSchema({"type": ["number", "string"]})] | None
    ) = Field(None, examples=["2025-01-31T12:00:00Z"])
    """For AT_TIMESTAMP: seconds since the epoch, or an ISO 8601 time (UTC when it has no zone)."""
    parallelization_factor: Annotated[int, Field(ge=1, le=10), WHOLE] | None = None
    """Maximum batches in flight per shard; the records of one key stay in order. Default 1."""
    tumbling_window_in_seconds: Annotated[int, Field(ge=0, le=900), WHOLE] | None = None
    """Seconds of a tumbling window, in which each invocation passes a state to the next; 0, the default, is off."""
    destination_config: DestinationConfig | None = None
    """Where to report discarded records: a standard queue, a standard topic or a bucket; for Kafka also
    `kafka://<topic>` in the same cluster."""
    maximum_record_age_in_seconds: Annotated[int, Field(ge=-1, le=604_800), WHOLE] | None = None
    """Older records are discarded; -1, the default, means never. Otherwise at least 60."""
    maximum_retry_attempts: Annotated[int, Field(ge=-1, le=10_000), WHOLE] | None = None
    """Retries of a failed batch; -1, the default, means no limit. For Kafka with a failure destination, -1 means 10."""
    bisect_batch_on_function_error: bool | None = None
    """Split a failed batch in half to isolate the bad record. Default: false."""
    retry_backoff: RetryBackoff | None = Field(None, alias="retry_backoff")
    """The pause before a batch is invoked again (Headrace's own). Default: the setting `retry_backoff`. A queue's
    failed messages come again after its visibility timeout; for a queue this is the pause after a throttle."""
    deaggregate: bool | None = Field(None, alias="deaggregate")
    """Unpack records that the Kinesis Producer Library packed into one (Headrace's own). Default: false, as on AWS."""
    recreated_stream: Literal["start_over", "stop"] | None = Field(None, alias="recreated_stream")
    """What to do when the stream was deleted and created again (Headrace's own): `start_over`, the default, reads the
    new stream from its beginning; `stop` does not read it until the stored positions are removed."""

    topics: list[_Topic] | None = Field(None, min_length=1, max_length=1)
    """The Kafka topic: exactly one."""
    self_managed_event_source: SelfManagedEventSource | None = None
    """The brokers of a self-managed Kafka cluster."""
    self_managed_kafka_event_source_config: KafkaSourceConfig | None = None
    """Consumer group and schema registry of self-managed Kafka."""
    amazon_managed_kafka_event_source_config: KafkaSourceConfig | None = None
    """Consumer group and schema registry of Amazon MSK."""
    source_access_configurations: list[SourceAccessConfiguration] | None = Field(None, max_length=23)
    """How to authenticate with Kafka brokers. Each `uri` is a secret's ARN, `file:<path>` or `env:<name>`."""
    bootstrap_servers: (
        list[Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300)]] | None
    ) = Field(None, alias="bootstrap_servers", min_length=1, max_length=10, examples=[["localhost:9092"]])
    """`host:port` of the brokers of an MSK cluster (Headrace's own). Default: Headrace asks the endpoint."""
    kafka_security: KafkaSecurity | None = Field(None, alias="kafka_security")
    """Connection to Kafka brokers, for settings that AWS does not have (Headrace's own)."""
    logging_config: LoggingConfig | None = None
    """`system_log_level`: the log level of a Kafka mapping's own lines. Default: `log.level`. Needs no provisioned mode
    here."""
    queues: list[str] | None = Field(None, min_length=1, max_length=1)
    """Amazon MQ, which Headrace does not poll."""
    document_db_event_source_config: DocumentDbConfig | None = None
    """Amazon DocumentDB, which Headrace does not poll."""

    kms_key_arn: str | None = Field(None, pattern=KMS_FORM)
    """Recorded: filters are not encrypted locally."""
    metrics_config: MetricsConfig | None = None
    """`EventCount`: put AWS's metrics of this group to the endpoint's CloudWatch once a minute. The other groups are
    recorded."""
    tags: dict[str, str] | None = None
    """Recorded."""

    @cached_property
    def arn(self) -> Arn | None:
        """The source's ARN; None for a source without one."""
        return Arn.parse(self.source) if self.source else None

    @property
    def function_name(self) -> str:
        """The bare name, without the account of an ARN and without a qualifier."""
        return split_function(self.function)[0]

    @property
    def partial_responses(self) -> bool:
        """Whether the function reports the records that failed."""
        return bool(self.function_response_types)

    @property
    def maximum_concurrency(self) -> int | None:
        return self.scaling_config.maximum_concurrency if self.scaling_config else None

    @property
    def failure_destination(self) -> Arn | None:
        """The failure destination that has an ARN, if any. Raises ArnError for a destination that the rules refuse."""
        other = self.failure_topic or self.failure_plugin
        return Arn.parse(self._on_failure) if self._on_failure and not other else None

    @property
    def failure_plugin(self) -> str:
        """The failure destination that a plug-in adds, with its settings; empty when there is none."""
        return self._on_failure if self._on_failure.startswith(PLUGIN_SCHEME) else ""

    @property
    def failure_topic(self) -> str:
        """The Kafka topic that is the failure destination; empty when there is none."""
        topic = self._on_failure.removeprefix(TOPIC_SCHEME)
        return "" if topic == self._on_failure else topic

    @property
    def _on_failure(self) -> str:
        on_failure = self.destination_config.on_failure if self.destination_config else None
        return (on_failure.destination if on_failure else None) or ""

    @property
    def has_failure_destination(self) -> bool:
        """Whether there is a failure destination of any kind."""
        return bool(self._on_failure)

    @property
    def max_age(self) -> int | None:
        """Seconds after which a record is discarded; None for never."""
        return bounded(self.maximum_record_age_in_seconds)

    @property
    def servers(self) -> tuple[str, ...]:
        """The brokers that the mapping names; empty for an MSK cluster whose brokers come from the endpoint."""
        own = self.self_managed_event_source
        return tuple(self.bootstrap_servers or (own.endpoints.kafka_bootstrap_servers if own else ()))

    @property
    def topic(self) -> str:
        """The Kafka topic; empty for other sources."""
        return self.topics[0] if self.topics else ""

    @property
    def kafka_config(self) -> KafkaSourceConfig:
        """The mapping's settings of consumer group and schemas, for either kind of cluster."""
        given = self.amazon_managed_kafka_event_source_config or self.self_managed_kafka_event_source_config
        return given or KafkaSourceConfig()

    @property
    def group(self) -> str:
        """The consumer group."""
        return self.kafka_config.consumer_group_id or self.uuid

    @property
    def cluster(self) -> str:
        """The identity of the Kafka cluster: its ARN, or its servers."""
        return self.source or ",".join(self.servers)

    @property
    def starts_over(self) -> bool:
        """Whether to read a stream that was created again from its beginning."""
        return self.recreated_stream != "stop"

    @property
    def patterns(self) -> tuple[object, ...]:
        """The filter patterns, each JSON text or a structure."""
        return tuple(item.pattern for item in self.filter_criteria.filters) if self.filter_criteria else ()

    @property
    def recorded(self) -> tuple[str, ...]:
        """The given fields that are recorded without effect."""
        return tuple(name for name in mapping_limits.RECORDED if is_given(getattr(self, name)))


def bounded(limit: int | None) -> int | None:
    """A limit; None when it is absent or -1, AWS's value for no limit."""
    return None if limit is None or limit < 0 else limit


def is_given(value: object) -> bool:
    """Whether a field has a value: AWS's values for clearing (`{}`, `""`, `[]`) count as none."""
    if isinstance(value, BaseModel):
        return any(is_given(getattr(value, name)) for name in type(value).model_fields)
    return value is not None and value not in ("", [], {})


def split_function(text: str) -> tuple[str, str]:
    """Name and qualifier of any spelling that AWS takes for a function: `orders`, `orders:live`,
    `000000000000:function:orders`, or an ARN."""
    _, found, rest = text.rpartition("function:")
    name, _, qualifier = (rest if found else text).partition(":")
    return name, qualifier
