"""The shipped fake: positions in memory, lost at the end of the process. For tests and for dry runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import count

from anyio.lowlevel import checkpoint as turn

from ...dispatch.core.model import Lane
from .store import BEGINNING, Checkpoint, CommitAnswer, Finished, HeldLane, Kept, Key, Opened, Start, Token, judge


@dataclass(slots=True)
class _Row:
    checkpoint: Checkpoint
    holder: int = 0


class MemoryCheckpoints:
    """A `CheckpointStore`. Every call takes effect at once and then lets other tasks run, so that a caller may
    be cancelled where it may be cancelled with a real store."""

    def __init__(self) -> None:
        self._created: dict[tuple[str, str], float | None] = {}
        self._rows: dict[Key, _Row] = {}
        self._tokens = count(1)

    async def load(self, key: Key) -> Checkpoint | None:
        row = self._rows.get(key)
        await turn()
        return row.checkpoint if row else None

    async def opened(self, mapping: str, source: str) -> Opened | None:
        found = None
        if (mapping, source) in self._created:
            lanes = {key.lane.shard: self._rows[key].checkpoint for key in self._keys(mapping, source)}
            found = Opened(self._created[mapping, source], lanes)
        await turn()
        return found

    async def begin(
        self, mapping: str, source: str, created: float | None, starts: Mapping[str, Start | Finished]
    ) -> bool:
        fresh = (mapping, source) not in self._created
        if fresh:
            self._begin(mapping, source, created, starts)
        await turn()
        return fresh

    async def add(self, mapping: str, source: str, starts: Mapping[str, Start]) -> None:
        if (mapping, source) in self._created:
            self._insert(mapping, source, starts)
        await turn()

    async def restart(
        self, mapping: str, source: str, created: float | None, starts: Mapping[str, Start | Finished]
    ) -> None:
        self._drop(self._keys(mapping, source))
        self._begin(mapping, source, created, starts)
        await turn()

    def _begin(self, mapping: str, source: str, created: float | None, starts: Mapping[str, Start | Finished]) -> None:
        self._created[mapping, source] = created
        self._insert(mapping, source, starts)

    def _insert(self, mapping: str, source: str, starts: Mapping[str, Start | Finished]) -> None:
        for shard, start in starts.items():
            self._rows.setdefault(Key(mapping, Lane(source, shard)), _Row(Checkpoint(start)))

    async def confirm(self, mapping: str, source: str, created: float | None) -> None:
        if (mapping, source) in self._created:
            self._created[mapping, source] = created
        await turn()

    async def acquire(self, key: Key, start: Start = BEGINNING) -> HeldLane:
        row = self._rows.setdefault(key, _Row(Checkpoint(start)))
        row.holder = next(self._tokens)
        held = HeldLane(Token(row.holder), row.checkpoint)
        await turn()
        return held

    async def commit(self, key: Key, token: Token, checkpoint: Checkpoint) -> CommitAnswer:
        row = self._rows.get(key)
        stored, holder = (row.checkpoint.place, row.holder) if row else (None, None)
        answer = judge(stored, holder, token, checkpoint.place)
        if row and answer is CommitAnswer.COMMITTED:
            row.checkpoint = checkpoint
        await turn()
        return answer

    async def put(self, key: Key, checkpoint: Checkpoint) -> bool:
        known = (key.mapping, key.lane.source) in self._created
        if known:
            self._rows[key] = _Row(checkpoint)
        await turn()
        return known

    async def compact(self, mapping: str, source: str, shards: Collection[str]) -> int:
        keys = [key for key in self._keys(mapping, source) if key.lane.shard in shards]
        finished = self._drop([key for key in keys if isinstance(self._rows[key].checkpoint.place, Finished)])
        await turn()
        return finished

    async def remove(self, mapping: str, source: str | None = None) -> int:
        for each in [each for each in self._created if each[0] == mapping and source in (None, each[1])]:
            del self._created[each]
        removed = self._drop(self._keys(mapping, source))
        await turn()
        return removed

    async def move(self, mapping: str, source: str, to: str) -> bool:
        keys = self._keys(mapping, source)
        possible = bool(keys) and (to, source) not in self._created and not self._keys(to, source)
        if possible:
            if (mapping, source) in self._created:
                self._created[to, source] = self._created.pop((mapping, source))
            for key in keys:
                self._rows[Key(to, key.lane)] = _Row(self._rows.pop(key).checkpoint)
        await turn()
        return possible

    async def kept(self) -> Sequence[Kept]:
        lanes = Counter((key.mapping, key.lane.source) for key in self._rows)
        await turn()
        return [Kept(*each, lanes[each]) for each in sorted(lanes)]

    async def aclose(self) -> None:
        await turn()

    def _keys(self, mapping: str, source: str | None) -> list[Key]:
        return [key for key in self._rows if key.mapping == mapping and source in (None, key.lane.source)]

    def _drop(self, keys: Collection[Key]) -> int:
        for key in keys:
            del self._rows[key]
        return len(keys)
