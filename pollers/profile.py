"""What a kind of source says of how it is read: one `PollerKind` for each, in its folder; `kinds/table.py` lists them.

    PollerKind ── make(mapping, parts) ──► SourceMaker, one for each mapping ──► look, source, own failure destination

Its counterparts are `config/kinds/` (what a mapping may say) and `dispatch/kinds/` (what becomes of records).
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
from .source import FunctionFacts, Source
from .streams.core.idle_shards import IdleShards


@dataclass(frozen=True, slots=True)
class SourceParts:
    """What sources are made of: the same for all of one daemon."""

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
    """The run ends with the work, so somebody waits for the end of a poll that brings nothing."""
    dry_run: bool = False
    """Nobody is told that records were read."""
    idle_shard_pause: float | None = None
    """Seconds from one look at an idle shard to the next; None: AWS's at AWS, and elsewhere what `idle_shards` says."""
    idle_shards: IdleShards = field(default_factory=IdleShards)


class SourceMaker(Protocol):
    """Makes what one mapping needs of its source. Making one calls nobody; so it may be made only to look."""

    def address(self) -> str:
        """Where the source is as it was reached, which may be known late (brokers); empty where an ARN says enough."""
        ...

    async def look(self) -> float | None:
        """Whether the source is there and can be read, now: its visibility timeout in seconds; None for what has none.
        Raises SourceError."""
        ...

    async def source(self, function: FunctionFacts, clock: ServiceClock) -> Source:
        """`clock` is told what the source says of the time, where it says something. Raises ConfigError for what is not
        installed, or for a client that cannot be made."""
        ...

    def destination(self, function_arn: str) -> Destination | None:
        """A failure destination that lies in the source itself; None where the mapping names none of that kind."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class PollerKind:
    """One kind of source, as far as it is read."""

    kind: SourceKind
    make: Callable[[EventSourceMapping, SourceParts], SourceMaker]
    """Of a mapping that breaks no rule."""
    missing: Callable[[EventSourceMapping], str] = lambda mapping: ""
    """What is not installed and this mapping needs, and how to install it; empty when all is there."""
