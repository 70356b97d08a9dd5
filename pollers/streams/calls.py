"""The parts that the calls of both stream services share: the translation of failures, the time of an answer, the last
listing, and the look at a single record."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from functools import lru_cache
from math import floor, inf
from typing import Any, Protocol

import anyio

from ...config.clients import faults
from ...config.clock import Clock
from ...config.errors import SourceError, SourceMissing, SourceUnavailable
from ...config.reasons import Reason, ReasonCode
from ...dispatch.core import events
from ...dispatch.core.model import Position
from .core.lineage import Shard
from .polled_shard import Astray, Reply
from .service import Listing, Probed

PROBE_LOOKS = 5
"""Empty answers in a row after which nothing is there: one alone says nothing."""
PROBE_PAUSE = 0.25
"""Seconds."""


def unavailable(error: Exception, what: str) -> SourceUnavailable:
    """A failure of one shard, whatever it is: the stream's listing tells whether it is more."""
    found = faults.translate(error, what)
    return found if isinstance(found, SourceUnavailable) else SourceUnavailable.because(found.reason)


@contextmanager
def reading(what: str) -> Iterator[None]:
    """Make SourceUnavailable of an answer that is not made as the service makes it (a member is missing, a number is
    none), so that nothing moves by it."""
    try:
        yield
    except (KeyError, IndexError, TypeError, ValueError) as error:
        detail = f"{type(error).__name__}: {error}"
        raise SourceUnavailable(f"{what}: the endpoint answers, but not as the service does ({detail})") from error


@contextmanager
def asking_for_stream(what: str) -> Iterator[None]:
    """`reading`, for a call about a stream or table as a whole: what the client raises is translated, and what to do
    about one that is missing is said."""
    with reading(what):
        try:
            with faults.translating(what):
                yield
        except SourceMissing as error:
            hint = "create it, or correct the mapping's source; Headrace waits until it exists"
            raise SourceMissing(f"{error} ({hint})", error.reason.code) from error


def answered_at(reply: Mapping[str, Any], clock: Clock) -> float:
    """When the service gave this answer: by its own clock, or this machine's where it does not tell. Whole seconds,
    rounded down."""
    told = told_time(reply)
    return float(floor(clock.wall())) if told is None else told


def told_time(reply: Mapping[str, Any]) -> float | None:
    """The service's clock when it gave this answer, in whole seconds, rounded down; None where it does not tell."""
    date = reply.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    return _moment(str(date)) if date else None


@lru_cache(maxsize=64)
def _moment(date: str) -> float | None:
    """Cached, because many answers have the same second."""
    try:
        return float(floor(events.seconds(parsedate_to_datetime(date))))
    except ValueError:
        return None


def following(last: str | None, given: str | None) -> str | None:
    """Where the next page of a listing begins. Raises ValueError for the place of the page before, which would never
    end."""
    if given and given == last:
        raise ValueError(f"the page after {last} is the same page again")
    return given


class Listed:
    """The last listing of a stream, shared by all its shards, so that a thousand idle ones list no more than one."""

    def __init__(self, listing: Callable[[], Awaitable[Listing]], clock: Clock) -> None:
        self._listing = listing
        self._clock = clock
        self._lock = anyio.Lock()
        self._shards: Mapping[str, Shard] = {}
        self._seen_at = -inf
        self._asked_at = -inf
        self._failure = Reason(ReasonCode.PENDING, "it was not listed yet")
        """Why the last listing that was asked for here failed."""

    def saw(self, shards: Mapping[str, Shard], since: float) -> None:
        """A whole listing, asked for at `since` (monotonic)."""
        if since >= self._seen_at:  # one that was overtaken may miss what is there by now
            self._shards, self._seen_at = shards, since

    async def look(self, shard: str, fresh: float) -> Shard | None:
        """The shard by a listing that is at most `fresh` seconds old, or says that it is closed: no shard opens again.
        After a listing that failed, none is asked for that long either. Raises SourceUnavailable."""
        async with self._lock:
            known = self._shards.get(shard)
            now = self._clock.monotonic()
            if (known and known.closed) or now - self._seen_at <= fresh:
                return known
            if now - self._asked_at <= fresh:
                raise SourceUnavailable.because(self._failure)
            self._asked_at = now
            await self._list_again()
            return self._shards.get(shard)

    async def _list_again(self) -> None:
        try:
            await self._listing()
        except SourceError as error:
            self._failure = error.reason
            raise SourceUnavailable.because(self._failure) from error


# --- one record -----------------------------------------------------------------------------------------------------


class ProbeCalls(Protocol):
    """The calls about one shard that a probe makes. Every failure is a SourceUnavailable."""

    async def iterator_at(self, position: Position) -> str:
        """At the record itself. Raises Astray when the service knows no such position."""
        ...

    async def get(self, iterator: str, limit: int) -> Reply: ...

    def probed(self, raw: Mapping[str, Any]) -> Probed: ...


async def probe(calls: ProbeCalls, position: Position) -> Probed:
    """The record at a position, or the nothing that is there."""
    try:
        iterator = await calls.iterator_at(position)
        for _ in range(PROBE_LOOKS):
            reply = await calls.get(iterator, 1)
            if reply.records:
                return calls.probed(reply.records[0])
            if reply.iterator is None or reply.behind == 0:
                return Probed()
            iterator = reply.iterator
            await anyio.sleep(PROBE_PAUSE)
    except Astray:
        return Probed()
    if reply.behind:
        raise SourceUnavailable(f"the record at {position.text} cannot be found: all answers are empty")
    return Probed()
