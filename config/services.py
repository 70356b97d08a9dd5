"""Which services of AWS a mapping calls: what the guard against real AWS looks at before anything begins. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from .arn import Arn, ArnError
from .kafka_mapping import KafkaOauth
from .kafka_security import OauthClient, plan
from .limits import SourceKind
from .mapping import EventSourceMapping
from .schema_registry import glue_registry

_CLIENTS = {"dynamodb": "dynamodbstreams"}
"""The client of a source whose ARN names another service."""


def services_of(mapping: EventSourceMapping) -> tuple[str, ...]:
    """By botocore's names, the source's own first. Of a mapping that breaks no rule."""
    found = [*_of_source(mapping), *_of_registry(mapping)]
    if any(_is_managed(uri) for uri in _secrets(mapping)):
        found.append("secretsmanager")
    if mapping.failure_destination:
        found.append(mapping.failure_destination.service)
    return tuple(dict.fromkeys(found))


def _of_source(mapping: EventSourceMapping) -> Iterator[str]:
    """Where the brokers of a topic are given, nobody is asked for them; a token of IAM is signed for all that."""
    arn = mapping.arn
    iam = mapping.kind is SourceKind.KAFKA and plan(mapping).iam
    if arn is None and iam:
        yield "kafka"
    if arn is None or (mapping.servers and not iam):
        return
    yield _CLIENTS.get(arn.service, arn.service)
    if arn.is_table:
        yield "dynamodb"


def _of_registry(mapping: EventSourceMapping) -> Iterator[str]:
    registry = mapping.kafka_config.schema_registry_config
    if registry is not None and glue_registry(registry.schema_registry_uri) is not None:
        yield "glue"


def _secrets(mapping: EventSourceMapping) -> Iterator[str]:
    """Where the mapping says that secrets are."""
    if mapping.kind is not SourceKind.KAFKA:
        return
    found = plan(mapping)
    yield from (found.login, found.certificate, found.authority)
    match found.oauth:
        case OauthClient(secret=secret):
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
