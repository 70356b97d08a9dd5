"""What must hold of a stream after its daemon was killed, decided from what stayed. Pure.

placed      every order of the stream, with shard and sequence number
journal     ids of what the function took, in order; each stood on the disk before the function said so
excused     what the function need not have taken: refused by a filter, or told to the failure destination
lives       where in the journal each daemon began, and from which positions
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class Placed:
    id: str
    kind: str
    shard: str
    number: int


@dataclass(slots=True)
class Life:
    """One daemon, from its start to its death."""

    begins: int
    """Lines of the journal before it."""
    positions: Mapping[str, int]
    """What was stored when it began, by shard."""
    workers_killed: bool = field(default=False)
    """Then batches come again within it."""


def by_shard(placed: Iterable[Placed]) -> dict[str, list[Placed]]:
    """The orders of each shard, in order."""
    shards: dict[str, list[Placed]] = defaultdict(list)
    for each in sorted(placed, key=lambda each: each.number):
        shards[each.shard].append(each)
    return shards


def excused(
    placed: Iterable[Placed], filtered: Collection[tuple[str, int]], documents: Iterable[tuple[str, int, int]]
) -> set[str]:
    """Ids of what the function need not have taken."""
    told = list(documents)
    return {
        each.id
        for each in placed
        if (each.shard, each.number) in filtered
        or any(shard == each.shard and first <= each.number <= last for shard, first, last in told)
    }


def ahead(
    placed: Iterable[Placed], positions: Mapping[str, int], journal: Collection[str], excused: Collection[str]
) -> list[Placed]:
    """What a stored position says is done, and is not: must be empty at any moment."""
    known = {*journal, *excused}
    return [each for each in placed if each.number <= positions.get(each.shard, -1) and each.id not in known]


def faults_of_order(
    placed: Mapping[str, Placed], journal: Sequence[str], excused: Collection[str], lives: Sequence[Life]
) -> list[str]:
    """Each life goes on behind its positions, without a hole; backwards it goes only where a worker was killed, and
    never behind the position from which it began."""
    shards = by_shard(placed.values())
    index = {each.id: place for orders in shards.values() for place, each in enumerate(orders)}
    faults: list[str] = []
    for life, following in pairwise([*lives, Life(len(journal), {})]):
        of_life = journal[life.begins : following.begins]
        for shard, orders in shards.items():
            steps = [index[each] for each in of_life if placed[each].shard == shard]
            begun = sum(each.number <= life.positions.get(shard, -1) for each in orders) - 1
            faults += [f"{shard}: {fault}" for fault in _faults(life, steps, begun, orders, excused)]
    return faults


def _faults(
    life: Life, steps: Sequence[int], begun: int, orders: Sequence[Placed], excused: Collection[str]
) -> Iterable[str]:
    for last, step in pairwise([begun, *steps]):
        if step <= begun:
            yield f"{step} came again, and is done by the position at {begun}"
        elif step <= last and not life.workers_killed:
            yield f"{step} came after {last}"
        holes = [place for place in range(last + 1, step) if orders[place].id not in excused]
        if holes:
            yield f"{step} came after {last}, before {holes}"
