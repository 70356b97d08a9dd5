"""Which shards of a stream may be read, from where, and which are done: pure.

    shards of a listing ─┐                ┌─ ready     may be read now, from this place
                         ├──► plan ──────►├─ waiting   its parents are not finished
    stored checkpoints ──┤                ├─ finished  nothing left in it for us
    late, known ─────────┘                ├─ gone      not listed any more, though we were not done: a gap
    (`absence.py`)                        ├─ new       has no checkpoint: store where it starts
                                          └─ surplus   its checkpoint can be forgotten

A shard is read when all its parents are finished; of a merge both. Every shard that is listed gets a checkpoint, also
while it waits: so it is missed when it is not listed any more. What is `gone` holds its children back until its last
batch is settled and it is stored as finished: even then order holds. A parent that is neither listed nor stored has
been trimmed and counts as finished, unless it is only late.

A listed shard without a checkpoint whose descendant has begun was finished and forgotten, so checkpoints do not pile up
however long a stream rotates. A descendant that only waits says nothing of it.

`examine` says for each checkpoint whether the stream is still the one that it was taken from. Used by the roster and
the readers of `source.py`; the listing must be a whole one, all its pages.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import Enum
from math import floor
from types import MappingProxyType
from typing import Any, assert_never

from ....dispatch.core.model import Position
from ...checkpoints.store import BEGINNING, Checkpoint, Finished, Place, Start, StartKind


@dataclass(frozen=True, slots=True)
class Shard:
    """One shard of a listing (Kinesis ListShards, DynamoDB Streams DescribeStream)."""

    id: str
    parents: tuple[str, ...] = ()
    """Two after a merge; they may have been trimmed."""
    first: int | None = None
    """The lowest sequence number that it can hold; None where the source does not tell."""
    last: int | None = None
    closed: bool = False
    """It takes no more records."""

    @classmethod
    def parse(cls, described: Mapping[str, Any]) -> Shard:
        """From one element of `Shards`, which both services spell the same way."""
        span = described.get("SequenceNumberRange") or {}
        first, last = span.get("StartingSequenceNumber"), span.get("EndingSequenceNumber")
        named = (described.get("ParentShardId"), described.get("AdjacentParentShardId"))
        return cls(
            described["ShardId"],
            tuple(dict.fromkeys(parent for parent in named if parent)),
            int(first) if first else None,
            int(last) if last else None,
            bool(last),
        )


NOW = (StartKind.LATEST, StartKind.NEWER_THAN)
"""Starts at the moment of the first opening."""


def initial(shards: Iterable[Shard], start: Start) -> dict[str, Start | Finished]:
    """Where each shard of the first listing starts. A `start` at this moment (LATEST, NEWER_THAN) must be the time of
    that listing's last page or later: then whatever a closed shard holds is older, and it is not read at all."""
    return {shard.id: Finished() if start.kind in NOW and shard.closed else start for shard in shards}


# --- what may be read -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ShardPlan:
    """The next step for each shard. Every listed shard is ready, waiting or finished."""

    ready: Mapping[str, Start | Position]
    waiting: Mapping[str, frozenset[str]]
    """For each the parents that are not finished, or late. A stored shard that is not listed waits here until it is
    `gone`; with no parents, if it is only late itself."""
    finished: frozenset[str]
    gone: Mapping[str, Start | Position]
    """Report a Gap from here to the shard's end, settle what is in flight, store it as finished, plan again."""
    new: Mapping[str, Start]
    """Ready or waiting without a checkpoint. With these stored the plan is the same, but for this."""
    surplus: frozenset[str]
    """For `CheckpointStore.compact`."""
    sought: frozenset[str]
    """Late, and something waits for it: the next looks decide."""


def plan(
    shards: Iterable[Shard],
    stored: Mapping[str, Checkpoint],
    *,
    late: Collection[str] = (),
    known: Mapping[str, Shard] = MappingProxyType({}),
) -> ShardPlan:
    """The plan for a whole listing and all checkpoints of the stream. Asking again changes nothing. `late`: shards that
    the listing may only have left out; `known`: what earlier listings said of shards."""
    listed = {shard.id: shard for shard in shards}
    described = {**known, **listed}
    done = _finished(described, stored)
    lost = {shard: place for shard, place in _unfinished(stored) if shard not in listed}
    pending = (listed.keys() | lost.keys()) - done
    unseen = frozenset(late).difference(described)
    new = _starts(listed, stored, done, unseen)
    places = {**new, **dict(_unfinished(stored))}
    to_come = frozenset(late).difference(stored, done)
    awaited = {
        shard.id: _awaited(shard, places.get(shard.id), pending, to_come, unseen)
        for shard in listed.values()
        if shard.id not in done
    }
    ready = {shard: places[shard] for shard, parents in awaited.items() if not parents}
    held = _held(lost, described, pending, late)
    waiting = {shard: parents for shard, parents in awaited.items() if parents} | held
    gone = {shard: place for shard, place in lost.items() if shard not in held}
    sought = frozenset(late) & (held.keys() | frozenset[str]().union(*waiting.values()))
    surplus = _surplus(listed, stored, done, late)
    return ShardPlan(ready, waiting, done.intersection(listed), gone, new, surplus, sought)


def _unfinished(stored: Mapping[str, Checkpoint]) -> Iterable[tuple[str, Start | Position]]:
    for shard, checkpoint in stored.items():
        if not isinstance(checkpoint.place, Finished):
            yield shard, checkpoint.place


def _awaited(
    shard: Shard,
    place: Start | Position | None,
    pending: AbstractSet[str],
    to_come: frozenset[str],
    unseen: frozenset[str],
) -> frozenset[str]:
    """The shards that a listed shard waits for: its parents, listed or lost, and late ones, unless it is ahead of
    them."""
    parents = frozenset(shard.parents) - {shard.id}
    if place is None:
        return parents & pending | unseen
    return parents & pending if _is_ahead(place) else parents & (pending | to_come)


def _held(
    lost: Mapping[str, Start | Position],
    described: Mapping[str, Shard],
    pending: AbstractSet[str],
    late: Collection[str],
) -> dict[str, frozenset[str]]:
    """The shards that are not listed and not gone yet: not begun, and late or behind their parents. They are not read,
    or they would overtake those; nor are they stored as finished, or their children would."""
    parents = {shard: frozenset(described[shard].parents if shard in described else ()) for shard in lost}
    awaited = {shard: parents[shard] & pending - {shard} for shard, place in lost.items() if isinstance(place, Start)}
    return {shard: before for shard, before in awaited.items() if before or shard in late}


def _starts(
    listed: Mapping[str, Shard], stored: Mapping[str, Checkpoint], done: AbstractSet[str], unseen: AbstractSet[str]
) -> dict[str, Start]:
    """Where shards without a checkpoint start: at their beginning, so nothing is lost. But one whose child starts at a
    moment, as the first listing had it, was there before and was left out: it starts at that moment too. While shards
    are late of which we know no parents, a closed shard may be one that was forgotten, and is not new."""
    before = _above(listed, stored, _is_moment)
    moment = next((each.place for each in stored.values() if _is_moment(each.place)), BEGINNING)
    assert isinstance(moment, Start)
    fresh = listed.keys() - stored.keys() - done
    return {shard: moment if shard in before else BEGINNING for shard in fresh if not (unseen and listed[shard].closed)}


def _is_moment(place: Place) -> bool:
    return isinstance(place, Start) and place.kind is StartKind.AT_TIMESTAMP


def _is_ahead(place: Place) -> bool:
    """Whether who stands there has nothing left to come from its parents: it has begun, or it starts at a moment at
    which they were closed."""
    return not isinstance(place, Start) or place.kind in NOW


def _finished(described: Mapping[str, Shard], stored: Mapping[str, Checkpoint]) -> frozenset[str]:
    """Shards that are stored as finished, or were until they were forgotten: those without a checkpoint above one that
    is ahead of them."""
    known = {shard for shard in described if shard in stored and isinstance(stored[shard].place, Finished)}
    forgotten = _above(described, stored, _is_ahead)
    return frozenset(known | forgotten)


def _above(described: Mapping[str, Shard], stored: Mapping[str, Checkpoint], says: Callable[[Place], bool]) -> set[str]:
    """From each shard whose checkpoint says this up to the ancestors without one."""
    found: set[str] = set()
    ahead = [shard for shard in described.values() if shard.id in stored and says(stored[shard.id].place)]
    while ahead:
        for parent in ahead.pop().parents:
            if parent in described and parent not in stored and parent not in found:
                found.add(parent)
                ahead.append(described[parent])
    return found


def _surplus(
    listed: Mapping[str, Shard],
    stored: Mapping[str, Checkpoint],
    finished: AbstractSet[str],
    late: Collection[str],
) -> frozenset[str]:
    """Finished checkpoints that say nothing which a child's does not say: all children are past their beginning. A
    listed shard without a child keeps its checkpoint, or it would be read again; and so does a late one."""
    children: dict[str, list[str]] = {}
    for shard in listed.values():
        for parent in shard.parents:
            children.setdefault(parent, []).append(shard.id)

    def past(shard: str) -> bool:
        return shard in finished or (shard in stored and isinstance(stored[shard].place, Position))

    done = [shard for shard, each in stored.items() if isinstance(each.place, Finished) and shard not in late]
    return frozenset(
        shard
        for shard in done
        if (shard not in listed or shard in children) and all(map(past, children.get(shard, ())))
    )


# --- is it still the same stream? -----------------------------------------------------------------------------------


class Probe(Enum):
    """The result of reading one record at a stored position."""

    NOT_READ = "not read"
    SAME = "same"  # the record that was done is there
    OTHER = "other"  # another one, none, or the source does not know the position


class Finding(Enum):
    """Whether a stored checkpoint is still valid."""

    RESUME = "resume"
    TRIMMED = "trimmed"  # report a Gap, go on at the trim horizon
    PROBE = "probe"  # read one record at the position, then examine again
    ENDED = "ended"  # the shard is gone, its descendants go on: report a Gap to its end, store it as finished
    RECREATED = "recreated"  # this is another stream under the same name


def examine(
    shard: str,
    place: Place,
    shards: Mapping[str, Shard],
    *,
    unchanged: bool,
    probe: Probe = Probe.NOT_READ,
    trimmed: bool = False,
) -> Finding:
    """The worth of a checkpoint, by a whole listing. `unchanged`: the stream's creation time is the one stored (or the
    source tells none). `trimmed`: the source refused the position as too old. One RECREATED makes the whole stream
    recreated."""
    found = shards.get(shard)
    match place:
        case Finished(last):
            return _examine_finished(found, last, unchanged, probe)
        case Start():
            return Finding.RESUME if found else _examine_unlisted(shard, place, shards, unchanged)
        case Position():
            if found is None:
                return _examine_unlisted(shard, place, shards, unchanged)
            if found.last is not None and place.number > found.last:
                return Finding.RECREATED
            if not unchanged:
                return _probed(probe)
            below = found.first is not None and place.number < found.first
            return Finding.TRIMMED if below or trimmed else Finding.RESUME
        case _:
            assert_never(place)


def _examine_finished(found: Shard | None, last: Position | None, unchanged: bool, probe: Probe) -> Finding:
    """Nothing is read of it; but in a stream that was made anew a shard of the same name is full of new records."""
    if found is None or unchanged:
        return Finding.RESUME
    if not found.closed:
        return Finding.RECREATED
    return _probed(probe) if last is not None else Finding.RESUME


def _probed(probe: Probe) -> Finding:
    match probe:
        case Probe.NOT_READ:
            return Finding.PROBE
        case Probe.SAME:
            return Finding.RESUME
        case Probe.OTHER:
            return Finding.RECREATED
        case _:
            assert_never(probe)


def _examine_unlisted(shard: str, place: Start | Position, shards: Mapping[str, Shard], unchanged: bool) -> Finding:
    if any(shard in each.parents for each in shards.values()):
        return Finding.ENDED
    return Finding.ENDED if unchanged and _outlived(place, shards) else Finding.RECREATED


def _outlived(place: Start | Position, shards: Mapping[str, Shard]) -> bool:
    """Whether a shard is listed that begins above the place and whose own parents are gone: its line may lead back to
    ours over generations that were trimmed while nobody looked."""
    number = place.number if isinstance(place, Position) else -1
    return any(
        each.parents and not any(parent in shards for parent in each.parents) and (each.first or 0) > number
        for each in shards.values()
    )


def compare(position: Position, number: int | None, arrived: float | None, created: float | None) -> Probe:
    """The result of a read at `position`: `number` of the first record, None for none, and when it arrived. Where
    records are numbered from one, the same number comes back from another stream too; but no record is older than its
    stream, unless the stream was only restarted and tells that time as `created` (both wall-clock seconds)."""
    if number != position.number:
        return Probe.OTHER
    if arrived is None or created is None or arrived < floor(created):
        return Probe.SAME
    return Probe.OTHER
