"""A mapping's schema registry from what the mapping says of it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

import anyio.to_thread

from ...config.arn import Arn
from ...config.clients.aws import Clients
from ...config.clients.kafka import tls
from ...config.clients.kafka.secrets import Secrets
from ...config.errors import ConfigError, Problem
from ...config.mapping import SchemaRegistryConfig
from .confluent import ConfluentRegistry, RestAccess
from .glue import GlueRegistry
from .lookups import Registry
from .records import RecordSchemas

LIBRARIES = ("fastavro", "google.protobuf", "jsonschema")


def open_schemas(
    config: SchemaRegistryConfig, clients: Clients, base: Path, environ: Mapping[str, str] = os.environ
) -> RecordSchemas:
    """Nothing is looked up yet. `file:` references of secrets are relative to `base`.

    Raises ConfigError: the URI is no registry's, or the libraries for schemas are not installed.
    """
    _check_libraries()
    attributes = [each.attribute for each in config.schema_validation_configs]
    return RecordSchemas(
        _registry(config, clients, Secrets(clients, base, environ)), config.event_record_format, attributes
    )


def _registry(config: SchemaRegistryConfig, clients: Clients, secrets: Secrets) -> Registry:
    uri = config.schema_registry_uri
    if _is_url(uri):
        return ConfluentRegistry(uri, lambda: rest_access(config, secrets))
    try:
        arn = Arn.parse(uri)
    except ValueError:
        arn = None
    if arn is None or arn.service != "glue":
        what = f"schema registry {uri} is neither the ARN of a Glue registry nor an http:// or https:// URL"
        raise ConfigError([Problem(what, hint="arn:aws:glue:<region>:<account>:registry/<name>, or the URL")])
    return GlueRegistry(arn, clients)


def _is_url(uri: str) -> bool:
    try:
        parts = urlsplit(uri)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number, a bracket without its other
        return False


async def rest_access(config: SchemaRegistryConfig, secrets: Secrets) -> RestAccess:
    """Raises SourceError when a secret is not had."""
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
    return RestAccess(tls=context)


def _check_libraries() -> None:
    missing = [name for name in LIBRARIES if not _is_there(name)]
    if missing:
        what = f"a schema registry needs {', '.join(missing)}, which is not installed"
        raise ConfigError([Problem(what, hint="pip install 'penstock[schemas]'")])


def _is_there(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:  # the package around it
        return False
