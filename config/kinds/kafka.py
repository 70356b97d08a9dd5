"""Kafka topics: of an MSK cluster, which has an ARN, or of a cluster of one's own, which has servers. Pure.

How the brokers are reached is in `config/fields/kafka_security.py`, schemas in `config/fields/schema_registry.py`.

https://docs.aws.amazon.com/lambda/latest/dg/with-msk.html, with-kafka.html
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator

from ..fields import kafka_security, schema_registry
from ..fields.arn import Arn, ArnError
from ..fields.kafka_mapping import KafkaOauth
from ..fields.mapping_fields import MappingFields, is_given
from ..fields.mapping_limits import NO_SHARE_GROUPS, NO_WEB_IDENTITY, POLLERS_MIN, Support
from ..fields.spoken import aws_name
from .destinations import destination_rules
from .fragments import BATCHES, DISCARDS, age_rules, moment_rules, poller_rules
from .profile import (
    UNRECOGNIZED,
    ApiWords,
    NamedServers,
    RuleContext,
    SourceIdentity,
    SourceKind,
    SourceLimits,
    Violation,
    Wording,
    sentence,
)

SERVICE = "kafka"
NOUN = "topic"
POLLERS_MOST = 2000
"""Pollers that a mapping may ask for."""
_OWN, _MANAGED = "self_managed_kafka_event_source_config", "amazon_managed_kafka_event_source_config"


def is_topic(mapping: MappingFields) -> bool:
    if mapping.arn is None:
        return mapping.self_managed_event_source is not None
    return mapping.arn.service == SERVICE


def _unfinished(mapping: MappingFields) -> Violation | None:
    if mapping.arn is not None or not mapping.topics:
        return None
    hint = "give the brokers of the topic, or 'source' with the ARN of an MSK cluster"
    return sentence("self_managed_event_source", UNRECOGNIZED, hint)


def _config_field(mapping: MappingFields) -> str:
    """The field of consumer group and schema registry."""
    return _MANAGED if mapping.source else _OWN


# --- rules ------------------------------------------------------------------------------------------------------------


def _rules(mapping: MappingFields, context: RuleContext) -> Iterator[Violation]:
    if mapping.source and is_given(mapping.self_managed_event_source):
        what = "EventSourceArn and SelfManagedEventSource exclude each other"
        yield sentence("self_managed_event_source", what, "the brokers of an MSK cluster are 'bootstrap_servers'")
    if not mapping.topics:
        yield sentence("topics", "Required 'topics' parameter is missing.", "give the topic, e.g. [orders]")
    yield from moment_rules(mapping, context)
    yield from age_rules(mapping, context)
    yield from destination_rules(mapping, topics=True)
    yield from _config_rules(mapping)
    yield from poller_rules(mapping, NOUN, POLLERS_MIN, POLLERS_MOST)
    yield from (Violation(*fault, Wording.CLAUSE) for fault in kafka_security.violations(mapping))


def _config_rules(mapping: MappingFields) -> Iterator[Violation]:
    field, foreign = _config_field(mapping), _OWN if mapping.source else _MANAGED
    if is_given(getattr(mapping, foreign)):
        spoken = aws_name(foreign)
        what = f"Unsupported '{spoken[0].lower()}{spoken[1:]}' parameter for given event source mapping type."
        yield sentence(foreign, what, f"say it in {field}")
    yield from _consumption_rules(mapping, field)
    yield from (Violation(*fault, Wording.CLAUSE) for fault in schema_registry.violations(mapping))


def _consumption_rules(mapping: MappingFields, field: str) -> Iterator[Violation]:
    mode = mapping.kafka_config.consumption_mode
    if mode is not None and mapping.source:
        yield sentence(field, "ConsumptionMode is for self-managed brokers, not for an MSK cluster", "remove it")
    elif mode == "Queue":
        yield sentence(field, f"ConsumptionMode Queue is not supported: {NO_SHARE_GROUPS}")


def _notes(mapping: MappingFields) -> Iterator[Violation]:
    for access in kafka_security.without_effect(mapping):
        what = f"{access} is recorded and has no effect here"
        yield Violation("source_access_configurations", what, "there is no AWS network here")


_PROVISIONED = (
    "maximum_retry_attempts",
    "maximum_record_age_in_seconds",
    "bisect_batch_on_function_error",
    "function_response_types",
    "logging_config",
)
"""What AWS allows in provisioned mode only."""
_NO_ACCESS = "Required 'sourceAccessConfigurations' parameter is missing."
_PROVISIONED_ONLY = "{member} is for Kafka in provisioned mode only: give ProvisionedPollerConfig, or remove it."


def _stricter(mapping: MappingFields) -> Iterator[Violation]:
    if not mapping.source and not mapping.source_access_configurations:
        yield sentence("source_access_configurations", _NO_ACCESS)
    if not is_given(mapping.provisioned_poller_config):
        for member in _provisioned_only(mapping):
            yield sentence("provisioned_poller_config", _PROVISIONED_ONLY.format(member=member))


def _provisioned_only(mapping: MappingFields) -> Iterator[str]:
    """The members that ask for something which needs provisioned mode."""
    for name in _PROVISIONED:
        value = getattr(mapping, name)
        if is_given(value) and value not in (False, -1):
            yield aws_name(name)
    if is_given(mapping.kafka_config.schema_registry_config):
        yield "SchemaRegistryConfig"
    if mapping.failure_topic:
        yield "DestinationConfig with a Kafka topic"


# --- services ---------------------------------------------------------------------------------------------------------


def _services(mapping: MappingFields) -> Iterator[str]:
    """With given brokers no service is asked for them; an IAM token is signed nevertheless."""
    if kafka_security.plan(mapping).iam or (mapping.arn is not None and not mapping.servers):
        yield SERVICE
    registry = mapping.kafka_config.schema_registry_config
    if registry is not None and schema_registry.glue_registry(registry.schema_registry_uri) is not None:
        yield "glue"
    if any(_is_managed(uri) for uri in _secrets(mapping)):
        yield "secretsmanager"


def _secrets(mapping: MappingFields) -> Iterator[str]:
    """Where the mapping says that secrets are."""
    found = kafka_security.plan(mapping)
    yield from (found.login, found.certificate, found.authority)
    match found.oauth:
        case kafka_security.OauthClient(secret=secret):
            yield secret
        case KafkaOauth(token=token, client_secret=secret):
            yield from (token or "", secret or "")
    registry = mapping.kafka_config.schema_registry_config
    yield from (each.uri for each in (registry.access_configs if registry else ()))


def _is_managed(uri: str) -> bool:
    try:
        return Arn.parse(uri).service == "secretsmanager"
    except ArnError:
        return False


# --- two mappings of one topic ----------------------------------------------------------------------------------------


def _claims(mapping: MappingFields) -> Iterator[Hashable]:
    """Clusters are named in more than one way; a consumer group is the mapping's own."""
    yield from ((server, mapping.topic) for server in (mapping.source, *mapping.servers) if server)
    yield "group", mapping.group


def _same_topic(mapping: MappingFields, other: MappingFields) -> bool:
    """One common server is enough, as on AWS: the others are of the same cluster."""
    same = mapping.source and mapping.source == other.source
    return mapping.topics == other.topics and bool(same or set(mapping.servers) & set(other.servers))


def _duplicate(mapping: MappingFields) -> str:
    servers = ",".join(mapping.servers) or mapping.source
    about = f'event source ("{servers}"), function ("{mapping.function}"), topics ("{mapping.topic}")'
    return f"An event source mapping with {about}"


def _shared_group(mapping: MappingFields, other: MappingFields) -> Violation | None:
    """Two members of one consumer group would each get a part of the records."""
    if not is_topic(other) or mapping.group != other.group:
        return None
    what = f"another mapping already uses the consumer group {mapping.group!r}; each would get a part of the records"
    return Violation(_config_field(mapping), what, "give each mapping its own group")


# --- the kind ---------------------------------------------------------------------------------------------------------

_SHOWS: dict[str, object] = {
    "function_response_types": None,
    "maximum_batching_window_in_seconds": None,
    "starting_position": "TRIM_HORIZON",
    "starting_position_timestamp": None,
    "topics": None,
    "self_managed_event_source": None,
    "source_access_configurations": None,
    _OWN: None,
    _MANAGED: None,
    "provisioned_poller_config": None,
    "bisect_batch_on_function_error": None,
    "destination_config": None,
    "maximum_record_age_in_seconds": None,
    "maximum_retry_attempts": None,
}

TOPIC = SourceKind(
    name="kafka",
    title="Kafka topic",
    noun=NOUN,
    sources="`source` is the ARN of an MSK cluster; a self-managed cluster has `self_managed_event_source` instead.",
    recognises=is_topic,
    limits=SourceLimits(batch_size=100, batch_size_max=10_000, window=0.5, window_max=300),
    honours=frozenset(
        {
            *BATCHES,
            *DISCARDS,
            "starting_position",
            "starting_position_timestamp",
            "provisioned_poller_config",
            "topics",
            "self_managed_event_source",
            _OWN,
            _MANAGED,
            "source_access_configurations",
            "bootstrap_servers",
            "kafka_security",
            "logging_config",
        }
    ),
    rules=_rules,
    services=_services,
    api=ApiWords(
        shows=_SHOWS,
        parts={
            "SelfManagedKafkaEventSourceConfig.ConsumptionMode": (Support.HONOURED, ""),
            "SelfManagedKafkaEventSourceConfig.ConsumptionMode=Queue": (Support.REFUSED, NO_SHARE_GROUPS),
            "SourceAccessConfigurations.Type=IAM_OAUTHBEARER_AUTH": (Support.REFUSED, NO_WEB_IDENTITY),
        },
        shows_trouble=True,
        stricter=_stricter,
    ),
    identity=SourceIdentity(
        named_in=lambda mapping: "source" if mapping.source else "self_managed_event_source",
        claims=_claims,
        same=_same_topic,
        duplicate=_duplicate,
        shared=_shared_group,
    ),
    notes=_notes,
    retries_with_destination=10,
    place=lambda mapping: f"{mapping.cluster}/{mapping.topic}" if mapping.topic else mapping.source,
    servers=NamedServers(lambda mapping: mapping.servers, "brokers", "join the consumer group and move its offsets"),
    names_source=frozenset({"topics", "self_managed_event_source"}),
    unfinished=_unfinished,
    talkative=frozenset({"aiokafka"}),
    has_offset_lag=True,
)
