"""The profile of a kind of source for polling: one `PollerKind` for each, in its folder; `kinds/table.py` lists them.

    PollerKind ── make(mapping, parts) ──► SourceMaker, one for each mapping ──► look, source, own failure destination

Its counterparts are `config/kinds/` (a mapping's settings) and `dispatch/kinds/` (the handling of records).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from ..config.clients.aws import Clients
from ..config.clients.endpoints import Target
from ..config.clock import Clock, Jitter, ServiceClock
from ..config.kinds.profile import SourceKind
from ..config.mapping import EventSourceMapping
from ..dispatch.core.observer import Observer
from ..dispatch.destinations.base import Destination
from .checkpoints.store import CheckpointStore
from .positions import LanePositions
from .replay.core.plan import ReplayPlan, ReplayProgress
from .source import FunctionFacts, Source
from .streams.core.idle_shards import IdleShards


@dataclass(frozen=True, slots=True)
class SourceParts:
    """The parts for making sources: the same for a whole daemon."""

    clients: Clients
    endpoint: Callable[[EventSourceMapping], Target]
    """Where the service is that a mapping's source calls first."""
    store: Callable[[], Awaitable[CheckpointStore]]
    """The store of positions; opened when it is first asked for."""
    directory: Callable[[EventSourceMapping], Path]
    """Where the files lie that a mapping names."""
    clock: Clock
    jitter: Jitter
    observer: Observer
    rewrite_queue_urls: bool = True
    until_idle: bool = False
    """The run ends when no records are left, so a user waits for the end of an empty poll."""
    dry_run: bool = False
    """Read without any effect on the source: nothing is settled or committed."""
    idle_shard_pause: float | None = None
    """Seconds from one look at an idle shard to the next; None: AWS's at AWS, and elsewhere what `idle_shards` says."""
    idle_shards: IdleShards = field(default_factory=IdleShards)


@dataclass(frozen=True, slots=True)
class Replayed:
    """A source that is read again, without an effect on the mapping's own position."""

    source: Source
    """Empty when every shard was read up to the end of the plan."""
    plan: ReplayPlan
    """The given range, with positions in the place of times where times do not rise along a shard."""


class SourceMaker(Protocol):
    """Makes the source of one mapping. Making a `SourceMaker` makes no calls, so it may be made only for a check."""

    def address(self) -> str:
        """The address at which the source was reached, which may be known late (brokers); empty where the ARN is
        enough."""
        ...

    async def look(self) -> float | None:
        """Check that the source exists and can be read now. Returns its visibility timeout in seconds, or None where it
        has none. Raises SourceError."""
        ...

    async def source(self, function: FunctionFacts, clock: ServiceClock) -> Source:
        """`clock` is told the source's time, where the source tells it. Raises ConfigError for a missing library, or
        for a client that cannot be made."""
        ...

    async def replayed(
        self, function: FunctionFacts, clock: ServiceClock, plan: ReplayPlan, progress: ReplayProgress
    ) -> Replayed | None:
        """The source once more, for what of the plan is not done. None where a record that was taken is not in the
        source any more. Raises as `source`, and SourceError while the source cannot be found."""
        ...

    async def positions(self) -> LanePositions | None:
        """The positions of the mapping, for a user who moves them while nobody reads the source; None for a kind
        without positions. Raises ConfigError for a client that cannot be made, UnusableState."""
        ...

    def destination(self, function_arn: str) -> Destination | None:
        """A failure destination that lies in the source itself; None where the mapping names none of that kind."""
        ...


Send = Callable[[EventSourceMapping, Clients, str, str], Awaitable[None]]
"""Puts a record with this payload and this key (message group, partition key; or empty) into a mapping's source. Raises
the client's exceptions, and UnfitSample for a payload that no record can have."""


@dataclass(frozen=True, slots=True, eq=False)
class PollerKind:
    """One kind of source, as far as it is read."""

    kind: SourceKind
    make: Callable[[EventSourceMapping, SourceParts], SourceMaker]
    """Makes the maker for a mapping that breaks no rule."""
    missing: Callable[[EventSourceMapping], str] = lambda mapping: ""
    """The missing libraries that this mapping needs, and how to install them; empty when none is missing."""
    send: Send | None = None
    """For tests of users; None where Headrace has no producer."""
