"""How Kafka brokers are reached: the one place that knows security protocols, mechanisms and credentials.

Used by the source, the `kafka://` destination and whatever else talks to a broker: each asks for the arguments of its
aiokafka client, and says in its own words what failed (`translate`).
"""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from ..errors import SourceError, SourceRefused, SourceUnavailable

REQUEST_TIMEOUT = 20_000
"""Milliseconds."""


@dataclass(frozen=True, slots=True)
class KafkaConnection:
    """Where the brokers are, and who we are to them."""

    servers: tuple[str, ...]
    """`host:port` of each bootstrap server."""
    protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER", ""] = ""
    username: str = ""
    password: str = field(default="", repr=False)
    tokens: Any = None
    """An aiokafka token provider, for OAUTHBEARER."""
    tls: ssl.SSLContext | None = field(default=None, repr=False)

    def arguments(self) -> dict[str, Any]:
        """For any aiokafka client."""
        arguments: dict[str, Any] = {
            "bootstrap_servers": list(self.servers),
            "client_id": "penstock",
            "security_protocol": self.protocol,
            "ssl_context": self.tls,
            "request_timeout_ms": REQUEST_TIMEOUT,
        }
        if self.mechanism:
            arguments |= {"sasl_mechanism": self.mechanism}
        if self.username:
            arguments |= {"sasl_plain_username": self.username, "sasl_plain_password": self.password}
        if self.tokens is not None:
            arguments |= {"sasl_oauth_token_provider": self.tokens}
        return arguments

    def __str__(self) -> str:
        return ",".join(self.servers)


def translate(error: Exception, what: str) -> SourceError:
    """What a failed call means. `what` says what was tried, in words that a user understands."""
    from aiokafka import errors

    if isinstance(error, SourceError):
        return error
    detail = _detail(error)
    if isinstance(error, errors.AuthenticationFailedError | errors.UnsupportedSaslMechanismError):
        return SourceRefused(f"{what}: the brokers do not know us ({detail}); check user, password and mechanism")
    not_allowed = (
        errors.TopicAuthorizationFailedError,
        errors.GroupAuthorizationFailedError,
        errors.ClusterAuthorizationFailedError,
    )
    if isinstance(error, not_allowed):
        return SourceRefused(f"{what}: not allowed ({detail}); ask for the rights on topic and group")
    return SourceUnavailable(f"{what}: {detail}")


def _detail(error: Exception) -> str:
    text = str(error) or type(error).__name__
    return text if type(error).__name__ in text else f"{type(error).__name__}: {text}"


def servers_of(endpoints: Sequence[str]) -> tuple[str, ...]:
    """Bootstrap servers, without blanks and repetitions."""
    return tuple(dict.fromkeys(server.strip() for server in endpoints if server.strip()))
