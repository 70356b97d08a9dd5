"""Which shards a listing lacks, for how many looks in a row, and what earlier listings said of them: pure.

    look, look, look ──► late      missed by fewer than GONE_AFTER looks: it may come again, nothing is decided on that
                     └─► vanished  missed by so many: believed

A listing may come late or leave a shard out, and what is stored as ended is never read again. `source.py` tells every
listing; `lineage.plan` gets what came of it. The count begins anew with the process.

Counted per shard, and not "believe a listing when some in a row agree": where shards rotate, each start finds that
parents were trimmed, and all other shards would wait for the agreement too; and listings that leave out another shard
each time never agree, so that a new shard would never be read.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from ...checkpoints.store import Checkpoint, Finished
from .lineage import Shard

GONE_AFTER = 3
"""Looks in a row at which a shard is missing before it is gone."""


class Absences:
    """The absent shards of one stream, from one opening to the next."""

    def __init__(self) -> None:
        self._looks: Mapping[str, int] = {}
        self._known: Mapping[str, Shard] = {}

    @property
    def known(self) -> Mapping[str, Shard]:
        """Each shard as the last listing that had it described it: all that are listed, late, or lost before their
        end."""
        return self._known

    def look(self, shards: Iterable[Shard], stored: Mapping[str, Checkpoint]) -> None:
        """A whole listing. Missing in it are shards with a checkpoint, and parents that it or one before it names."""
        listed = {shard.id: shard for shard in shards}
        described = {**self._known, **listed}
        named = {parent for shard in described.values() for parent in shard.parents}
        missing = (stored.keys() | named) - listed.keys()
        lost = {each for each in missing & stored.keys() if not isinstance(stored[each].place, Finished)}
        self._looks = {shard: self._looks.get(shard, 0) + 1 for shard in missing}
        kept = lost | self.late()
        self._known = {each: shard for each, shard in described.items() if each in listed or each in kept}

    def late(self, reading: Collection[str] = ()) -> frozenset[str]:
        """Those that may only have been left out. What is being read is read on, whatever a listing says."""
        return frozenset(each for each, looks in self._looks.items() if looks < GONE_AFTER) - frozenset(reading)

    def vanished(self, shard: str) -> bool:
        """Whether the stream does not have it any more."""
        return self._looks.get(shard, 0) >= GONE_AFTER
