"""What became of the last records of a mapping: pure, in bounded memory, without anything that they hold.

    invoked, settled ──► Journal ──life, entries──► `headrace explain`, /v1

An entry is about a batch, not about a record: a tuple of ids, and what happened to all of them. So a batch of a hundred
costs what its ids cost. Bounds count ids; the attempts of one batch share them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

SHARED = 64
"""Batches of which another entry may use the same ids."""
TOTAL = 500_000
"""Ids that all mappings remember together; those that remember most forget first."""
RELIEF = 0.9
"""So much is left of them then."""


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One thing that happened to all of these records."""

    at: float
    """Seconds since the epoch."""
    what: str
    """`invoked`, or the fate: `delivered`, `filtered`, `discarded`, `returned`, `abandoned`."""
    lane: str
    ids: tuple[str, ...]
    detail: str = ""
    """The end of an invocation (`success`, `error`, `timeout`, `items`, …), or the reason of a discard."""
    request_id: str = ""
    error: str = ""
    """The first line of what the function said; empty when all went well."""
    seconds: float | None = None
    """How long an invocation took; None for a fate."""

    @property
    def is_fate(self) -> bool:
        return self.seconds is None

    def says(self, text: str) -> bool:
        """Whether it stands in an id, or in anything else of the entry; upper or lower case."""
        text = text.lower()
        about = (self.what, self.lane, self.detail, self.request_id, self.error, *self.ids)
        return any(text in each.lower() for each in about)

    def without_ids(self) -> Mapping[str, Any]:
        """For JSON, with their number in their place."""
        plain = asdict(self)
        del plain["ids"]
        return {**plain, "records": len(self.ids)}


class _Ring:
    """Entries, the oldest of which go when the ids are too many."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.entries: deque[tuple[JournalEntry, int]] = deque()
        self.weight = 0

    def put(self, entry: JournalEntry, weight: int) -> None:
        self.entries.append((entry, weight))
        self.weight += weight
        self.shrink(self._most)

    def shrink(self, most: int) -> None:
        while self.weight > most:
            self.weight -= self.entries.popleft()[1]


class Journal:
    """The journal of one mapping: `records` fates, and the invocations of as many records."""

    def __init__(self, records: int) -> None:
        self._fates, self._invocations = _Ring(records), _Ring(records)
        self._known: dict[tuple[str, str, int], tuple[str, ...]] = {}

    @property
    def weight(self) -> int:
        """Ids that are remembered."""
        return self._fates.weight + self._invocations.weight

    def share(self, ends: tuple[str, str, int], names: Callable[[], Iterable[str]]) -> tuple[tuple[str, ...], bool]:
        """The ids of a batch as a tuple that its entries have in common, and whether it is new. `ends`: the first, the
        last, and how many; the others are asked for where they are not known."""
        known = self._known.get(ends)
        if known is not None:
            return known, False
        made = self._known[ends] = tuple(names())
        if len(self._known) > SHARED:
            del self._known[next(iter(self._known))]
        return made, True

    def put(self, entry: JournalEntry, *, is_new: bool) -> None:
        ring = self._fates if entry.is_fate else self._invocations
        ring.put(entry, max(1, len(entry.ids)) if is_new or entry.is_fate else 1)

    def shrink(self, share: float) -> None:
        """Forget the oldest, so that this share is left."""
        for ring in (self._fates, self._invocations):
            ring.shrink(int(ring.weight * share))

    # --- what is asked ----------------------------------------------------------------------------------------------

    def entries(
        self, what: str = "", record: str = "", text: str = "", *, failed: bool = False
    ) -> Iterator[JournalEntry]:
        """The newest first: those of this kind, or all; those about this record, or all; those in which this text
        stands; those that say an error, or all."""
        both = [entry for ring in (self._fates, self._invocations) for entry, _ in ring.entries]
        for entry in sorted(both, key=lambda entry: entry.at, reverse=True):
            if (
                (not what or entry.what == what)
                and (not record or record in entry.ids)
                and (not failed or entry.error)
                and (not text or entry.says(text))
            ):
                yield entry

    def life(self, record: str) -> list[JournalEntry]:
        """What happened to a record, in order; empty when nothing is known of it (any more)."""
        # At one moment the invocation comes before the fate that follows from it.
        return sorted(self.entries(record=record), key=lambda entry: (entry.at, entry.is_fate))


class Journals:
    """By the mapping's name."""

    def __init__(self, records: int, total: int = TOTAL) -> None:
        """`records`: for each mapping; 0 for none. `total`: ids for all together."""
        self._records, self._total = records, total
        self._journals: dict[str, Journal] = {}
        self._puts = 0

    def of(self, mapping: str) -> Journal | None:
        """None when nothing is to be remembered."""
        if not self._records:
            return None
        journal = self._journals.get(mapping)
        if journal is None:
            journal = self._journals[mapping] = Journal(self._records)
        return journal

    @property
    def all(self) -> Mapping[str, Journal]:
        return self._journals

    def settle(self) -> None:
        """Look now and then whether all together are too many."""
        self._puts += 1
        if self._puts % max(1, len(self._journals)):
            return
        weights = sorted(journal.weight for journal in self._journals.values())
        if sum(weights) <= self._total:
            return
        level = _level(weights, self._total * RELIEF)
        for journal in self._journals.values():
            if journal.weight > level:
                journal.shrink(level / journal.weight)

    def forget(self, mapping: str) -> None:
        self._journals.pop(mapping, None)


def _level(weights: Sequence[int], most: float) -> float:
    """What each may keep, so that all keep no more than `most`. `weights`: ascending, together more than that."""
    left, others = most, len(weights)
    while weights[-others] * others < left:
        left -= weights[-others]
        others -= 1
    return left / others
