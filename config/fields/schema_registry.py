"""What a mapping says of its schema registry, and what it must not say. Pure; used by the rules and by the code that
opens the registry.

https://docs.aws.amazon.com/lambda/latest/dg/services-consume-kafka-events.html
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

from .arn import Arn, ArnError
from .kafka_mapping import SchemaRegistryConfig
from .kafka_security import REFERENCE, Fault, reference_fault
from .mapping_fields import MappingFields

_LOGINS = ("BASIC_AUTH", "OAUTHBEARER_AUTH")
_CERTIFICATES = ("CLIENT_CERTIFICATE_TLS_AUTH", "SERVER_ROOT_CA_CERTIFICATE")


def glue_registry(uri: str) -> Arn | None:
    """The registry of Glue that the URI names; None when it names none."""
    try:
        arn = Arn.parse(uri)
    except ArnError:
        return None
    return arn if arn.service == "glue" and arn.resource.startswith("registry/") else None


def is_url(uri: str) -> bool:
    """Whether a registry with Confluent's REST API may be there."""
    try:
        parts = urlsplit(uri)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number, a bracket without its other
        return False


def url_login(url: str) -> tuple[str, str]:
    """User name and password in the URL of a registry; empty where it has none."""
    parts = urlsplit(url)
    return unquote(parts.username or ""), unquote(parts.password or "")


def violations(mapping: MappingFields) -> Iterator[Fault]:
    """What is wrong with the registry of a Kafka mapping."""
    registry = mapping.kafka_config.schema_registry_config
    if registry is not None:
        field = ("amazon" if mapping.source else "self") + "_managed_kafka_event_source_config"
        yield from ((field, f"schema_registry_config: {what}", hint) for what, hint in _faults(registry))


def _faults(registry: SchemaRegistryConfig) -> Iterator[tuple[str, str]]:
    uri = registry.schema_registry_uri
    glue = glue_registry(uri) is not None
    if not glue and not is_url(uri):
        what = f"{uri!r} is neither the ARN of a Glue registry nor an http:// or https:// URL"
        yield what, "give arn:aws:glue:<region>:<account>:registry/<name>, or the URL"
        return
    if not registry.schema_validation_configs:
        what = "schema_validation_configs has neither KEY nor VALUE, so nothing would be decoded"
        yield what, "give [{attribute: VALUE}], or remove schema_registry_config"
    if glue and registry.access_configs:
        yield "a Glue registry is asked with the daemon's own AWS credentials", "remove access_configs"
        return
    yield from _access_faults(registry)


def _access_faults(registry: SchemaRegistryConfig) -> Iterator[tuple[str, str]]:
    for kind, number in Counter(each.type for each in registry.access_configs).items():
        if number > 1:
            yield f"access_configs: {kind} is given {number} times", "keep one of them"
    for each in registry.access_configs:
        if fault := reference_fault(each.uri):
            yield f"access_configs: {each.type}: the uri {fault}", f"give {REFERENCE}"
        elif each.type in _CERTIFICATES and registry.schema_registry_uri.startswith("http://"):
            yield f"access_configs: {each.type} is for TLS, and the URL is http://", "say https://, or remove it"
        elif each.type in _LOGINS and any(url_login(registry.schema_registry_uri)):
            yield f"access_configs: the URL has a login, and {each.type} is one too", "remove it from the URL"
    if {each.type for each in registry.access_configs}.issuperset(_LOGINS):
        yield f"access_configs: {' and '.join(_LOGINS)} are two logins", "keep one of them"
