"""Reasons for tests in which the text is enough."""

from __future__ import annotations

from headrace.config.reasons import Reason, ReasonCode

MISLEADING = (
    "Exception: read topic orders: not allowed",
    "botocore.errorfactory.AccessDenied: the secret orders cannot be read",
    "KafkaError: the brokers refuse the login (no); check user name, password and mechanism",
    "OSError: the client's certificate cannot be used: the private key belongs to another certificate",
    "KeyError: there is no function f",
    "the listener does not know PLAIN, the brokers want a client certificate, the brokers' certificate has expired",
)
"""What a function may print of its own brokers, secrets and functions, in our own words for a mapping's."""


def why(text: str, code: ReasonCode = ReasonCode.UNAVAILABLE) -> Reason:
    """Why a source, a destination or a store does not do what was asked."""
    return Reason(code, text)


def no_start(text: str) -> Reason:
    """Why a function cannot start."""
    return Reason(ReasonCode.FUNCTION_CANNOT_START, text)
