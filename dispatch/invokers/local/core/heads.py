"""Heads of requests that were parsed before. A runtime sends the same headers with each request, so that what the
parser made of them once holds again. Pure; used by `http1.py`, one object for each connection.

The first line is not part of what is remembered: it names the invocation. Only a head that leaves no choice is learned:
its body is as long as it says, and nothing in it changes the connection.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

MOST = 16
"""Heads that are remembered; then all are forgotten, for a runtime that sends more has no few of them."""
LONGEST = 4 * 1024
"""Bytes of a head that is remembered."""
DECISIVE = frozenset({"transfer-encoding", "expect", "upgrade"})
"""Headers by which a request needs more than its length to be read."""

_TARGET = re.compile(rb"(GET|POST) (/[A-Za-z0-9/._-]*)")


class SeenRequest(NamedTuple):
    """A request whose head is known."""

    method: str
    path: str
    headers: dict[str, str]
    start: int
    """Where its body begins in the data."""
    end: int
    """Where it ends, which may be beyond the data."""


class KnownHeads:
    """Reads the heads of one connection."""

    def __init__(self, body_limit: int) -> None:
        """`body_limit`: bytes; a request with a longer body is not known."""
        self._body_limit = body_limit
        self._known: dict[bytes, tuple[dict[str, str], int]] = {}
        self._whole: dict[bytes, SeenRequest] = {}
        """Requests without a body, such as the question for the next invocation, which is always the same."""

    def read(self, data: bytes) -> SeenRequest | None:
        """The request that begins with `data`; None where its head is not complete, or was not seen before."""
        return self._whole.get(data) or self._read(data)

    def _read(self, data: bytes) -> SeenRequest | None:
        first, end = data.find(b" HTTP/1.1\r\n"), data.find(b"\r\n\r\n")
        known = self._known.get(data[first:end]) if 0 < first < end else None
        target = _TARGET.fullmatch(data, 0, first) if known is not None else None
        if known is None or target is None:
            return None
        headers, length = known
        seen = SeenRequest(target[1].decode(), target[2].decode(), headers, end + 4, end + 4 + length)
        if seen.start == seen.end == len(data) and len(self._whole) < MOST:
            self._whole[data] = seen
        return seen

    def learn(self, data: bytes, headers: Mapping[str, str], size: int) -> None:
        """`data` began with a whole head; its request has these headers (names in lower case), a body of `size` bytes,
        and the connection stays open after it."""
        line, end = data.find(b" HTTP/1.1\r\n"), data.find(b"\r\n\r\n")
        if not 0 < line < end < LONGEST or size > self._body_limit or not DECISIVE.isdisjoint(headers):
            return
        if headers.get("content-length", "0") != str(size):
            return
        if len(self._known) >= MOST:
            self._known.clear()
            self._whole.clear()
        self._known[data[line:end]] = (dict(headers), size)
