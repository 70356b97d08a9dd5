"""The protocols between the loop and the sources of records.

A `Source` belongs to one mapping: it is opened once and knows which feeds it needs. A `Reader` is what one feed reads
from: one SQS receiver, one shard, one Kafka member. `feed.py` is the only caller of a Reader, `supervisor.py` of a
Source. `tests/contract/` holds every implementation, shipped fake included, to these words.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ..config.errors import SourceUnavailable
from ..config.reasons import Reason, ReasonCode
from ..dispatch.core.model import Lane, OpenWindow, Record, Settlement
from ..dispatch.core.observer import Gap
from ..dispatch.core.pages import Records
from .core.mark import Mark

NOT_ACCEPTED = Reason(ReasonCode.REFUSED, "the source did not accept it")
"""For records whose settlement the source did not accept."""


class LaneLost(SourceUnavailable):
    """The lane has another owner now, or its position was removed: our knowledge of it is void."""


@dataclass(frozen=True, slots=True)
class FetchResult:
    """The result of one fetch."""

    records: Records = field(default_factory=Records)
    gaps: tuple[Gap, ...] = ()
    ended: tuple[Lane, ...] = ()
    """Lanes that have no more records, now or ever (a closed shard)."""
    full: bool = False
    """The source gave as much as was asked for: there is probably more."""
    passed_over: bool = False
    """Lanes that hold enough were skipped, so it is not known whether they have more records. Set by the feed."""
    trouble: Reason | None = None
    """Why a part of the source cannot be read, although the fetch itself succeeded; None when all parts can be read."""


@dataclass(frozen=True, slots=True)
class FunctionFacts:
    """The facts about the function that a source needs."""

    deadline: float | None = None
    """Seconds after which an invocation is over; None for as long as it takes."""
    concurrency: int | None = None
    """Invocations at a time; None for no bound of the function's own."""
    role: str | None = None
    """ARN of its execution role, where it has one."""


class Owner(Protocol):
    """The feed, as its reader sees it."""

    async def revoke(self, lanes: Collection[Lane], until: float) -> None:
        """These lanes go to another reader. Begins nothing new of them, waits for invocations in flight, but never
        beyond `until` (monotonic), settles and commits what is decided, and forgets the rest: what still comes of it is
        ignored."""
        ...


class Reader(Protocol):
    """One feed's view of its source. Every failure is a `config.errors.SourceError`."""

    @property
    def lane(self) -> Lane | None:
        """The only lane that it reads; None where it may read several."""
        ...

    @property
    def window(self) -> OpenWindow | None:
        """The tumbling window that was under way in its lane when that was last committed."""
        ...

    def attach(self, owner: Owner) -> None:
        """Set the owner, whom the reader tells when it loses lanes; before the first fetch. Only where lanes can be
        lost (Kafka)."""
        ...

    async def fetch(self, limit: int, until: float | None, skip: Collection[Lane] = ()) -> FetchResult:
        """At most `limit` records; waits for some, but never beyond `until` (monotonic; None: as long as the source
        likes to be asked). Moves no position: what is not settled comes again. Nothing of the lanes in `skip`, which
        are full; a reader of one lane is not asked then."""
        ...

    async def hold(self, records: Sequence[Record], until: float) -> float:
        """Keep these records ours until `until` (monotonic) and return the time that was reached. Sources without
        visibility return `until`."""
        ...

    async def settle(self, settlements: Sequence[Settlement]) -> Collection[Record]:
        """Settle the records at the source. Returns those that it did not accept, after its own retries: they may come
        again."""
        ...

    async def release(self, records: Sequence[Record]) -> None:
        """Release these records: the source may return them again at once, in this order. Best effort."""
        ...

    async def commit(self, marks: Mapping[Lane, Mark]) -> None:
        """Store how far each lane is done. Called after the settlement that moved the mark. Raises SourceUnavailable:
        nothing was stored, ask again; LaneLost: the lane has another owner by now."""
        ...

    async def aclose(self) -> None: ...


class Roster(Protocol):
    """Decides which feeds a mapping should have now. Pure: it gets events, and answers."""

    def wanted(self) -> Collection[str]:
        """Names of the feeds that should be running."""
        ...

    def polled(self, feed: str, fetched: FetchResult, now: float) -> None:
        """A fetch of this feed came back, `now` (monotonic)."""
        ...

    def took(self, feed: str, *, held: bool) -> None:
        """A batch of this feed went out. `held`: more waits in it for the next batch. Told only where records are
        lent."""
        ...


class Source(Protocol):
    """One mapping's source."""

    @property
    def patience(self) -> float:
        """Seconds after which a fetch without any answer is shown as trouble, although it may still be answered:
        infinite for a source that may be silent, or reports trouble by itself."""
        ...

    @property
    def lent(self) -> bool:
        """Whether fetched records are only lent for a time (SQS): then nothing is fetched that cannot be invoked."""
        ...

    async def open(self) -> Roster:
        """Find the source and what it looks like now. Raises SourceMissing while it does not exist."""
        ...

    async def watch(self, changed: Callable[[], None]) -> None:
        """Runs beside the feeds until it is cancelled: keeps the roster up to date with the source, and calls `changed`
        when `wanted` may have another answer. Raises SourceError when the source as a whole failed; returns when there
        is nothing to watch."""
        ...

    async def reader(self, feed: str) -> Reader:
        """The reader of one feed. An earlier reader of its lane can commit no more."""
        ...

    async def empty(self) -> bool:
        """Whether the source reports that it has no records left: none to fetch, none lent, none delayed."""
        ...

    async def aclose(self) -> None: ...
