"""The contexts of traces that producers leave in their records, and what is handed to a function of one. Pure.

Forms: `traceparent` of the W3C (https://www.w3.org/TR/trace-context/) and X-Ray's trace header
(https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html). Where they lie in a record, its kind says.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from .model import encode

_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.ASCII)
_ROOT = re.compile(r"1-([0-9a-f]{8})-([0-9a-f]{24})", re.ASCII | re.IGNORECASE)
_PARENT = re.compile(r"[0-9a-f]{16}", re.ASCII | re.IGNORECASE)

MOST_LINKS = 128
"""Producers of one batch that are told apart. OpenTelemetry's own limit of a span's links."""
MOST_READ = 1000
"""Records of one batch that are read for them: this happens in the event loop."""


@dataclass(frozen=True, slots=True)
class TraceContext:
    """A span, as others refer to it."""

    trace_id: int
    """128 bits, never 0."""
    span_id: int
    """64 bits, never 0."""
    sampled: bool

    @property
    def traceparent(self) -> str:
        return f"00-{self.trace_id:032x}-{self.span_id:016x}-{self.sampled:02x}"

    @property
    def xray(self) -> str:
        """The form of `_X_AMZN_TRACE_ID`."""
        root = f"{self.trace_id:032x}"
        return f"Root=1-{root[:8]}-{root[8:]};Parent={self.span_id:016x};Sampled={self.sampled:d}"


def context_of(text: str) -> TraceContext | None:
    """The context that a text of either form names; None for any other text."""
    text = text.strip()
    return _of_xray(text) if "=" in text else _of_w3c(text)


def _of_w3c(text: str) -> TraceContext | None:
    found = _TRACEPARENT.fullmatch(text)
    if found is None or found[1] == "ff" or (found[1] == "00" and found[5]):
        return None
    return _context(found[2], found[3], sampled=bool(int(found[4], 16) & 1))


def _of_xray(text: str) -> TraceContext | None:
    """A header without a parent names no span."""
    parts = dict(part.strip().partition("=")[::2] for part in text.split(";"))
    root, parent = _ROOT.fullmatch(parts.get("Root", "")), _PARENT.fullmatch(parts.get("Parent", ""))
    if root is None or parent is None:
        return None
    return _context(root[1] + root[2], parent[0], sampled=parts.get("Sampled") == "1")


def _context(trace: str, span: str, *, sampled: bool) -> TraceContext | None:
    trace_id, span_id = int(trace, 16), int(span, 16)
    return TraceContext(trace_id, span_id, sampled) if trace_id and span_id else None


def _nowhere(item: Mapping[str, Any]) -> Iterator[str]:
    yield from ()


@dataclass(frozen=True, slots=True)
class TraceCarriers:
    """Where the records of a kind carry the context of their producer. The default: nowhere."""

    marks: tuple[bytes, ...] = ()
    """Texts, one of which a record's element has that carries a context."""
    texts: Callable[[Mapping[str, Any]], Iterator[str]] = _nowhere
    """What may be a context in a record as it stands in the event, the one that counts first. Raises AttributeError,
    KeyError, TypeError or ValueError for what is no record of the kind."""

    def producers(self, bodies: Iterable[bytes]) -> tuple[TraceContext, ...]:
        """The producers of these records, by their elements of the event: each once, in order, `MOST_LINKS` at most."""
        found: dict[TraceContext, None] = {}
        marked = (body for body in bodies if any(mark in body for mark in self.marks)) if self.marks else ()
        for read, body in enumerate(marked):
            if read == MOST_READ or len(found) == MOST_LINKS:
                break
            if (context := self._producer(body)) is not None:
                found[context] = None
        return tuple(found)

    def _producer(self, body: bytes) -> TraceContext | None:
        try:
            return next(filter(None, map(context_of, self.texts(orjson.loads(body)))), None)
        except (AttributeError, KeyError, TypeError, ValueError):  # a record of no known form has no producer
            return None


NO_CARRIERS = TraceCarriers()


@dataclass(frozen=True, slots=True)
class HandedTrace:
    """What an invocation takes along of a trace: fields of `Invocation`."""

    trace: str = ""
    client_context: str = ""

    @classmethod
    def of(cls, span: TraceContext, *, client_context: bool) -> HandedTrace:
        """`client_context`: `traceparent` too, where AWS's clients put what is the caller's own."""
        custom = encode({"custom": {"traceparent": span.traceparent}}).decode() if client_context else ""
        return cls(span.xray, custom)


NOTHING_HANDED = HandedTrace()
Handing = Callable[[str], HandedTrace]
"""What the invocation with this request id takes along. Asked after `Invoking` was observed."""
