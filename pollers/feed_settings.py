"""The settings that all feeds of one mapping share: made by the mapping factory, used by `feed.py`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ..config.mapping import EventSourceMapping
from ..dispatch.core.backoff import Backoff
from ..dispatch.core.batcher import PAYLOAD_LIMIT
from ..dispatch.core.model import Lane, OpenWindow
from ..dispatch.core.pages import Page
from ..dispatch.core.slots import Slots
from ..dispatch.dispatcher import Dispatcher
from .core.pace import Pace
from .core.pool import Pool

AHEAD_RECORDS = 10_000
AHEAD_BYTES = 32 * 1024 * 1024
"""Records of one lane that may be fetched and not yet settled, where a mapping's batches need no more."""


def ahead_of(mapping: EventSourceMapping) -> tuple[int, int]:
    """Records and bytes of one lane that may be fetched and not yet settled: enough for every slot of a shard to fill
    a batch of its own."""
    slots = mapping.parallelization_factor or 1
    return max(AHEAD_RECORDS, mapping.batch_limit * slots), max(AHEAD_BYTES, PAYLOAD_LIMIT * (slots + 1))


Keeps = Callable[[Page], tuple[Page, Page]]
"""A mapping's filters: of a page, what the function shall get, and what they refused."""


@dataclass(frozen=True, slots=True)
class FeedSettings:
    """The settings of all feeds of one mapping."""

    dispatcher: Dispatcher
    slots: Callable[[Lane | None, OpenWindow | None], Slots]
    """Makes a feed's slots: for a reader's only lane, and the tumbling window that was under way in it."""
    keeps: Keeps
    backoff: Backoff
    """Between fetches that failed."""
    lent: bool
    """Whether records are only lent: fetch none that cannot be invoked, and no batch ahead."""
    fetch_limit: int = 10_000
    """Records that one fetch may ask for."""
    ahead_records: int = AHEAD_RECORDS
    """Records that may be fetched and not yet settled, per lane."""
    ahead_bytes: int = AHEAD_BYTES
    pool: Pool = field(default_factory=Pool)
    """The records in memory of all feeds together."""
    pace: Pace = field(default_factory=Pace)
    """When all feeds store their positions, those of other mappings too."""
