"""What must hold of a topic after members of its group were killed, decided from what stayed. Pure.

placed    of each shard, the offsets that the function must get: all but those that a filter refused
journal   what the function took, in the order in which it was written; each stood on the disk before the function said
          so
commits   all offsets that the group ever stored, in order
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

MOMENT = 0.002
"""Seconds by which two clocks of one machine, one of whole milliseconds, may differ."""


@dataclass(frozen=True, slots=True)
class Taken:
    at: float
    life: str
    """The daemon that invoked."""
    shard: str
    offset: int


@dataclass(frozen=True, slots=True)
class Commit:
    at: float
    shard: str
    offset: int


def lost(placed: Mapping[str, Collection[int]], journal: Iterable[Taken]) -> list[tuple[str, int]]:
    """What nobody took."""
    taken = {(each.shard, each.offset) for each in journal}
    return [(shard, offset) for shard, offsets in placed.items() for offset in offsets if (shard, offset) not in taken]


def overtaken(placed: Mapping[str, Sequence[int]], journal: Iterable[Taken]) -> list[Taken]:
    """What was taken for the first time although one before it never had been."""
    reached: dict[str, int] = defaultdict(int)
    found = []
    for each in journal:
        place = bisect_left(placed[each.shard], each.offset)
        if place > reached[each.shard]:
            found.append(each)
        elif place == reached[each.shard]:
            reached[each.shard] += 1
    return found


def ahead(placed: Mapping[str, Sequence[int]], commits: Iterable[Commit], journal: Iterable[Taken]) -> list[Commit]:
    """Offsets that were stored before all below them was taken."""
    first: dict[tuple[str, int], float] = {}
    for each in journal:
        first.setdefault((each.shard, each.offset), each.at)

    def is_ahead(commit: Commit) -> bool:
        below = placed[commit.shard][: bisect_left(placed[commit.shard], commit.offset)]
        return any(first.get((commit.shard, offset), float("inf")) > commit.at + MOMENT for offset in below)

    return [commit for commit in commits if is_ahead(commit)]


def leaps(placed: Mapping[str, Sequence[int]], commits: Iterable[Commit], journal: Iterable[Taken]) -> list[Taken]:
    """Where a life did not go on with the next offset of a shard, nor at one that was stored by then."""
    stored: dict[tuple[str, int], float] = {}
    for commit in commits:
        place = bisect_left(placed[commit.shard], commit.offset)
        stored.setdefault((commit.shard, place), commit.at)
    last: dict[tuple[str, str], int] = {}
    found = []
    for each in journal:
        place = bisect_left(placed[each.shard], each.offset)
        follows = last.get((each.life, each.shard)) == place - 1
        if not follows and stored.get((each.shard, place), float("inf")) > each.at + MOMENT:
            found.append(each)
        last[each.life, each.shard] = place
    return found
