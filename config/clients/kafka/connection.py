"""The arguments of an aiokafka client: the brokers' addresses, and our credentials."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

from ...errors import SourceError
from ...fields import kafka_security
from .faults import explain, look

REQUEST_TIMEOUT = 20_000
"""Milliseconds."""
CLIENT_ID = "headrace"


class BrokerAccess(Protocol):
    """How to get at brokers whose addresses, secrets and tokens are looked up, and may change."""

    async def connection(self) -> KafkaConnection:
        """For one client that is made now. Raises SourceError when a secret or the brokers' addresses cannot be
        read."""
        ...

    async def explain(self, error: Exception, what: str) -> SourceError:
        """Why a client did not reach the brokers; see `faults.explain`."""
        ...

    async def look(self, what: str) -> SourceError | None:
        """Why the brokers cannot be worked with now; see `faults.look`."""
        ...


@dataclass(frozen=True, slots=True)
class KafkaConnection:
    """All connection settings of a client. An Access that needs nothing looked up."""

    servers: tuple[str, ...]
    """`host:port` of each bootstrap server."""
    protocol: kafka_security.Protocol = "PLAINTEXT"
    mechanism: kafka_security.Mechanism = ""
    username: str = ""
    password: str = field(default="", repr=False)
    tokens: Any = field(default=None, repr=False)
    """An aiokafka token provider, for OAUTHBEARER."""
    tls: ssl.SSLContext | None = field(default=None, repr=False)

    def arguments(self) -> dict[str, Any]:
        """For any aiokafka client."""
        _make_no_topics()
        return self.login() | {
            "bootstrap_servers": list(self.servers),
            "client_id": CLIENT_ID,
            "request_timeout_ms": REQUEST_TIMEOUT,
        }

    def login(self) -> dict[str, Any]:
        """The settings of a single connection, which is a part of them."""
        arguments: dict[str, Any] = {"security_protocol": self.protocol, "ssl_context": self.tls}
        if self.mechanism:
            _keep_out_of_logs()
            arguments |= {"sasl_mechanism": self.mechanism}
        if self.username:
            arguments |= {"sasl_plain_username": self.username, "sasl_plain_password": self.password}
        if self.tokens is not None:
            arguments |= {"sasl_oauth_token_provider": self.tokens}
        return arguments

    async def connection(self) -> KafkaConnection:
        return self

    async def explain(self, error: Exception, what: str) -> SourceError:
        return await explain(error, what, self.servers, self.login())

    async def look(self, what: str) -> SourceError | None:
        return await look(what, self.servers, self.login())

    def __str__(self) -> str:
        return ",".join(self.servers)


def _make_no_topics() -> None:
    """aiokafka's clients let brokers make the topics that they ask for: one that a user deletes while it is read
    would be there again at once, empty and with the brokers' own settings."""
    from aiokafka import client
    from aiokafka.protocol.metadata import MetadataRequest

    if client.MetadataRequest is MetadataRequest:
        client.MetadataRequest = partial(MetadataRequest, allow_auto_topic_creation=False)


def _keep_out_of_logs() -> None:
    """aiokafka's lines at DEBUG contain what it sends, passwords and tokens included: these lines are switched off."""
    log = logging.getLogger("aiokafka.conn")
    if log.getEffectiveLevel() < logging.INFO:
        log.setLevel(logging.INFO)


def servers_of(endpoints: Sequence[str]) -> tuple[str, ...]:
    """Bootstrap servers, without blanks and repetitions."""
    return tuple(dict.fromkeys(server.strip() for server in endpoints if server.strip()))
