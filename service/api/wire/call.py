"""The input and output of a served call: the contract between the protocol and the calls. Values only."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Call:
    """One request, read and checked against the shapes of its operation."""

    operation: str
    """The model's name, `CreateFunction`."""
    parameters: Mapping[str, Any]
    """By the model's member names. Members not sent, or sent as null, are absent. Blobs are bytes (their base64 is
    decoded), timestamps are seconds since the epoch as floats, a payload is the raw body."""
    request_id: str
    """A lower-case UUID, this call's own; goes out as `x-amzn-RequestId`."""
    hops: int = 0
    """How many daemons have forwarded it already (`x-headrace-hops`), so that loops end."""
    host: str = ""
    """The host and port that the caller used; empty where the request does not have it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The result of a call."""

    output: Mapping[str, Any] = field(default_factory=dict)
    """By the model's member names, those that travel in headers too. A member that is None is left out. Timestamps
    may be seconds since the epoch or aware datetimes; blobs are bytes."""
    status: int | None = None
    """None: the model's status, or AWS's observed one."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Headers in addition to the model's."""


Serve = Callable[[Call], Awaitable[Answer]]
"""Serves one operation. Raises `refusals.ApiError` to refuse; any other exception is a fault of ours."""


class Group(Protocol):
    """Calls that belong together."""

    def calls(self) -> Mapping[str, Serve]:
        """The handlers of operations, by the model's name."""
        ...
