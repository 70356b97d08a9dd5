"""A mapping's schema registry from what the mapping says of it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path

import anyio.to_thread

from ...config.clients.aws import Clients
from ...config.clients.kafka import tls, tokens
from ...config.clients.kafka.secrets import Secrets
from ...config.fields.kafka_mapping import SchemaRegistryConfig
from ...config.fields.kafka_security import OauthClient
from ...config.fields.schema_registry import glue_registry
from .confluent import ConfluentRegistry, RestAccess
from .glue import GlueRegistry
from .lookups import RegistryClient
from .records import RecordSchemas

LIBRARIES = ("fastavro", "google.protobuf", "jsonschema")
EXTRA = "pip install 'headrace[schemas]'"


def open_schemas(
    config: SchemaRegistryConfig, clients: Clients, base: Path, environ: Mapping[str, str] = os.environ
) -> RecordSchemas:
    """Make the decoder of a mapping that breaks no rule and misses no library. Nothing is looked up yet. `file:`
    references of secrets are relative to `base`."""
    attributes = [each.attribute for each in config.schema_validation_configs]
    return RecordSchemas(
        _registry(config, clients, Secrets(clients, base, environ)), config.event_record_format, attributes
    )


def _registry(config: SchemaRegistryConfig, clients: Clients, secrets: Secrets) -> RegistryClient:
    arn = glue_registry(config.schema_registry_uri)
    if arn is not None:
        return GlueRegistry(arn, clients)
    return ConfluentRegistry(config.schema_registry_uri, lambda: rest_access(config, secrets))


async def rest_access(config: SchemaRegistryConfig, secrets: Secrets) -> RestAccess:
    """Raises SourceError when a secret cannot be read."""
    uris = {each.type: each.uri for each in config.access_configs}
    authority = certificate = context = None
    if uri := uris.get("SERVER_ROOT_CA_CERTIFICATE"):
        authority = await secrets.authority(uri)
    if uri := uris.get("CLIENT_CERTIFICATE_TLS_AUTH"):
        certificate = await secrets.certificate(uri)
    if authority or certificate:
        context = await anyio.to_thread.run_sync(tls.context, authority, certificate)
    if uri := uris.get("BASIC_AUTH"):
        login = await secrets.credentials(uri)
        return RestAccess(login.username, login.password, context)
    if uri := uris.get("OAUTHBEARER_AUTH"):
        return RestAccess(tls=context, token=tokens.granted_to(OauthClient(uri), secrets).token)
    return RestAccess(tls=context)


def missing_libraries(libraries: Iterable[str] = LIBRARIES) -> str:
    """The missing libraries for schemas; empty when all are installed."""
    return ", ".join(name for name in libraries if not _is_there(name))


def _is_there(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:  # the package around it
        return False
