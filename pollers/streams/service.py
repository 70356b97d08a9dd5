"""The protocols between the engine of streams and the services that it reads: what Kinesis and DynamoDB differ in.

    streams.py (engine) ── list, probe ──► StreamService ◄── kinesis/, dynamodb/, memory/stream_service.py
           └── next ──► Pages, one shard's records ◄── polled_shard.py (GetRecords), fan_out.py (SubscribeToShard)

`tests/contract/` holds every service, shipped fake included, to these words.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from ...dispatch.core.model import Position
from ...dispatch.core.pages import Records
from ..checkpoints.store import Start, StartKind
from .core.lineage import Shard


@dataclass(frozen=True, slots=True)
class Listing:
    """A stream as it stands, all its pages."""

    arn: str
    """The stream itself, where the user named a table or a consumer. Positions are kept under it."""
    created: float | None
    """Wall-clock seconds; None where the service does not tell."""
    shards: tuple[Shard, ...]
    at: float
    """When the last page was answered, by the service's own clock, or this machine's: whole seconds, rounded down."""
    told: float | None = None
    """The same, where the service told it."""


@dataclass(frozen=True, slots=True)
class Lost:
    """A range that the source does not have any more, in sequence numbers or words."""

    start: str
    end: str
    reason: str


@dataclass(frozen=True, slots=True)
class ShardPage:
    """The result of one read of a shard."""

    records: Records = field(default_factory=Records)
    lost: tuple[Lost, ...] = ()
    """The gaps before these records."""
    ended: bool = False
    """The shard is closed and this was the last of it."""
    caught_up: bool = True
    """Nothing more is there at this moment, as far as the service tells."""
    told: float | None = None
    """The service's clock at the last answer; None where it did not tell, or was not asked."""


@dataclass(frozen=True, slots=True)
class Probed:
    """The record at a position, or none."""

    number: int | None = None
    arrived: float | None = None
    """Wall-clock seconds."""


class Pages(Protocol):
    """One shard's records, from one place on, in order. Every failure is a `config.errors.SourceUnavailable`; after
    one, `next` goes on where it was."""

    async def next(self, limit: int, until: float | None) -> ShardPage:
        """The next records, at most `limit`; waits for the service's pace and for records, but never beyond `until`
        (monotonic). A page without records says nothing but that it was asked."""
        ...

    async def aclose(self) -> None: ...


class StreamService(Protocol):
    """One stream of one service."""

    @property
    def name(self) -> str:
        """For messages: the ARN that the user gave."""
        ...

    @property
    def latest(self) -> StartKind:
        """How LATEST is stored across restarts: LATEST or NEWER_THAN."""
        ...

    @property
    def pushes(self) -> bool:
        """Whether the service pushes records, so that silence is normal. If false, each fetch is answered soon."""
        ...

    def may_follow(self, stream: str, current: str) -> bool:
        """Whether the current stream may have replaced `stream`, which has stored positions: both are streams of the
        table that the user named."""
        ...

    async def list(self, stream: str = "") -> Listing:
        """The stream and all its shards. `stream`: this one of a table's streams, not its newest. Raises SourceMissing,
        SourceRefused, SourceUnavailable."""
        ...

    def pages(self, stream: str, shard: str, place: Start | Position) -> Pages:
        """The records of a shard of this stream (`Listing.arn`) after `place`. No call is made here."""
        ...

    async def probe(self, stream: str, shard: str, position: Position) -> Probed:
        """Read one record at the position. Raises SourceUnavailable when the service could not be asked; that it knows
        no such position is an answer."""
        ...
