"""The brokers of one mapping: secrets, tokens and addresses are looked up when a client is made."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread

from ...errors import ConfigError, SourceError, SourceRefused
from ...fields.kafka_security import OauthClient, SecurityPlan, plan
from ...mapping import EventSourceMapping
from ..aws import Clients
from . import msk, tls, tokens
from .connection import KafkaConnection, servers_of
from .faults import translate
from .secrets import Secrets


class MappingAccess:
    """Values that were looked up are kept until they fail; then secrets and addresses are read again."""

    def __init__(
        self, mapping: EventSourceMapping, clients: Clients, base: Path, environ: Mapping[str, str] = os.environ
    ) -> None:
        """Nothing is looked up yet. `file:` references are relative to `base`."""
        self._plan = plan(mapping)
        self._arn = mapping.arn
        own = mapping.self_managed_event_source
        self._servers = servers_of(mapping.bootstrap_servers or (own.endpoints.kafka_bootstrap_servers if own else ()))
        self._clients = clients
        self._secrets = Secrets(clients, base, environ)
        self._lock = anyio.Lock()
        self._kept: KafkaConnection | None = None
        self._fresh = False

    async def connection(self) -> KafkaConnection:
        """Raises SourceError when a secret or the brokers' addresses cannot be read."""
        async with self._lock:
            if self._kept is None or not self._fresh:
                self._kept, self._fresh = await self._made(), True
            return self._kept

    async def explain(self, error: Exception, what: str) -> SourceError:
        """Why a client did not reach the brokers. What was looked up is forgotten: it may have changed."""
        self._fresh = False
        return await self._kept.explain(error, what) if self._kept else translate(error, what)

    async def look(self, what: str) -> SourceError | None:
        """Why the brokers cannot be worked with now, with what is known; None when they can."""
        try:
            connection = await self.connection()
        except SourceError as error:
            return error
        failure = await connection.look(what)
        self._fresh = self._fresh and failure is None
        return failure

    def __str__(self) -> str:
        """The brokers as they are given, or as the cluster's endpoint named them; until then the cluster."""
        return ",".join(self._servers) or (str(self._kept) if self._kept else str(self._arn))

    async def _made(self) -> KafkaConnection:
        found, servers = self._plan, self._servers
        if not servers:
            assert self._arn is not None, "a mapping without servers has a cluster's ARN"
            servers, protocol = await msk.brokers(self._arn, found, self._clients)
            found = replace(found, protocol=protocol)
        made = KafkaConnection(servers, found.protocol, found.mechanism, tls=await self._tls(found))
        if found.login:
            login = await self._secrets.credentials(found.login)
            return replace(made, username=login.username, password=login.password)
        return replace(made, tokens=await self._tokens(found))

    async def _tls(self, found: SecurityPlan) -> ssl.SSLContext | None:
        if not found.protocol.endswith("SSL"):
            return None
        authority = await self._secrets.authority(found.authority) if found.authority else None
        certificate = await self._secrets.certificate(found.certificate) if found.certificate else None
        return await anyio.to_thread.run_sync(tls.context, authority, certificate)

    async def _tokens(self, found: SecurityPlan) -> Any:
        if found.iam:
            region = self._arn.region if self._arn else await self._region()
            return tokens.provider(msk.iam_tokens(region, self._clients))
        match found.oauth:
            case None:
                return None
            case OauthClient(extensions=extensions) as client:
                return tokens.provider(tokens.granted_to(client, self._secrets), extensions)
            case oauth:
                return tokens.provider(tokens.asked_of(oauth, self._secrets))

    async def _region(self) -> str:
        """The region of brokers that no ARN names."""
        try:
            return await self._clients.region("kafka")
        except ConfigError as error:
            raise SourceRefused(f"the region to sign for is not known: {error}") from error
