"""The position of each lane: the data types, the rule of a commit, and the protocol of every store.

    no position ──begin / add / acquire──► Start ──commit──► Position ──commit──► Finished
                                             └──────────────commit───────────────────┘

A lane's place only ever moves to the right, and among positions only up. Two calls begin over: `restart`, for a stream
that was recreated, and `put`, for who moves a lane by hand. What a lane starts with is decided once: a start that is
stored is never decided again. Only the holder of a lane can commit; a later acquisition makes earlier tokens stale. The
sources commit here, the supervisor's roster reads here (`lineage.plan`), the daemon opens and closes a store.
`tests/contract/` holds each implementation to these words. Kafka's positions are not here: its consumer group keeps
them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NewType, Protocol

from ...config.errors import BugError
from ...dispatch.core.model import Lane, OpenWindow, Position

# --- where a lane stands --------------------------------------------------------------------------------------------


class StartKind(Enum):
    """Where the first read of a lane without a position starts."""

    TRIM_HORIZON = "TRIM_HORIZON"  # from its oldest record
    AT_TIMESTAMP = "AT_TIMESTAMP"  # from the moment that the user named
    LATEST = "LATEST"  # from the moment at which the mapping was first opened, by the service's clock
    NEWER_THAN = "NEWER_THAN"  # from the oldest record, skipping records that are older than that moment


@dataclass(frozen=True, slots=True)
class Start:
    """No record of the lane is done yet; the lane starts here."""

    kind: StartKind
    at: float | None = None
    """Wall-clock seconds since the epoch; None for TRIM_HORIZON, and only there."""

    def __post_init__(self) -> None:
        if (self.kind is StartKind.TRIM_HORIZON) is not (self.at is None):
            raise BugError(f"{self.kind.value} with the time {self.at}")


@dataclass(frozen=True, slots=True)
class Finished:
    """The lane ended and every record of it is done: a closed shard, read to its end."""

    last: Position | None = None
    """The last record that was done. It distinguishes a recreated stream from a restarted one."""


Place = Start | Position | Finished
"""A `Position` is the last record that is done, with all before it."""

BEGINNING = Start(StartKind.TRIM_HORIZON)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The stored data of a lane, always written together."""

    place: Place
    window: OpenWindow | None = None
    """The tumbling window under way; a finished lane has none."""

    def __post_init__(self) -> None:
        if isinstance(self.place, Finished) and self.window is not None:
            raise BugError("a finished lane with an open window")


@dataclass(frozen=True, slots=True)
class Key:
    """The owner of a position: one mapping, in one lane of one source."""

    mapping: str
    """The mapping's UUID."""
    lane: Lane


Token = NewType("Token", int)
"""Grows with every acquisition in a store, across lanes, removals and restarts; so no two holders share one."""


@dataclass(frozen=True, slots=True)
class HeldLane:
    """A lane that is ours until another owner acquires it, with its position at that moment."""

    token: Token
    checkpoint: Checkpoint


class CommitAnswer(Enum):
    """The result of a commit."""

    COMMITTED = "committed"
    STALE = "stale"  # another owner acquired the lane, or its position was removed: stop working on it
    BELOW = "below"  # further back than what is stored: a lane's place never goes back


@dataclass(frozen=True, slots=True)
class Opened:
    """The stored positions of one source of one mapping, at one moment."""

    created: float | None
    """When the stream was created, in the source's words; None where the source does not tell."""
    lanes: Mapping[str, Checkpoint]
    """By shard."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A source of a mapping for which positions are stored."""

    mapping: str
    source: str
    lanes: int


def judge(stored: Place | None, holder: int | None, token: Token, offered: Place) -> CommitAnswer:
    """The rule of a commit, for every store. `holder` is the token of the last acquisition; None or 0 before any."""
    if stored is None or not holder or holder != token:
        return CommitAnswer.STALE
    return CommitAnswer.BELOW if _behind(offered, stored) else CommitAnswer.COMMITTED


def _behind(offered: Place, stored: Place) -> bool:
    if isinstance(offered, Position) and isinstance(stored, Position):
        return offered < stored
    if isinstance(offered, Start) and isinstance(stored, Start):
        return offered != stored  # where a lane starts is decided once
    return _rank(offered) < _rank(stored)


def _rank(place: Place) -> int:
    match place:
        case Start():
            return 0
        case Position():
            return 1
        case Finished():
            return 2


def unused(kept: Iterable[Kept], used: Collection[tuple[str, str]]) -> list[Kept]:
    """Stored positions that belong to no current mapping. `used` has mapping and source of each mapping that is
    configured."""
    return [each for each in kept if (each.mapping, each.source) not in used]


# --- the protocol ---------------------------------------------------------------------------------------------------


class CheckpointStore(Protocol):
    """The positions of all mappings of one daemon. An answered call is durable, as far as the store is. Each call takes
    effect as a whole or not at all. When its caller is cancelled while it waits, it may have taken effect. Every call
    may raise StoreUnavailable.
    """

    async def load(self, key: Key) -> Checkpoint | None:
        """The position of the lane; None when none is stored."""
        ...

    async def opened(self, mapping: str, source: str) -> Opened | None:
        """All that is stored of a source; None when the mapping has never been opened on it."""
        ...

    async def begin(
        self, mapping: str, source: str, created: float | None, starts: Mapping[str, Start | Finished]
    ) -> bool:
        """Store the start of each shard, before any fetch. Returns False and changes nothing when the starts were
        decided at an earlier opening."""
        ...

    async def add(self, mapping: str, source: str, starts: Mapping[str, Start]) -> None:
        """Store the starts of shards that were listed after the first opening, before any fetch from them. Stored data
        stays unchanged; nothing changes while the mapping is not opened on this source."""
        ...

    async def restart(
        self, mapping: str, source: str, created: float | None, starts: Mapping[str, Start | Finished]
    ) -> None:
        """The stream was recreated: forget its positions and begin over. Earlier tokens become stale."""
        ...

    async def confirm(self, mapping: str, source: str, created: float | None) -> None:
        """The stream is the known one, although its creation time changed: remember the new time."""
        ...

    async def acquire(self, key: Key, start: Start = BEGINNING) -> HeldLane:
        """Become the lane's only committer. A lane without a position gets `start`, stored before this returns."""
        ...

    async def commit(self, key: Key, token: Token, checkpoint: Checkpoint) -> CommitAnswer:
        """Store place and window together, if `judge` allows it. The same place again is legal: windows change."""
        ...

    async def put(self, key: Key, checkpoint: Checkpoint) -> bool:
        """Somebody decided where this lane goes on: whatever was stored of it, further back too. Earlier tokens become
        stale. Returns False and changes nothing when the mapping is not opened on this source."""
        ...

    async def compact(self, mapping: str, source: str, shards: Collection[str]) -> int:
        """Forget the positions of these shards that are finished. Returns their number."""
        ...

    async def remove(self, mapping: str, source: str | None = None) -> int:
        """Forget a mapping, or one source of it. Returns the number of removed positions."""
        ...

    async def move(self, mapping: str, source: str, to: str) -> bool:
        """Give a source's positions to another mapping. Returns False and changes nothing when there are none, or when
        that mapping has been opened on this source. Earlier tokens become stale."""
        ...

    async def kept(self) -> Sequence[Kept]:
        """The stored positions, ordered by mapping and source."""
        ...

    async def aclose(self) -> None:
        """Finish the submitted work, then close. May be called again."""
        ...
