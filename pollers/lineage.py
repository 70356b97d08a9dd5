"""Which shards of a stream may be read, from where, and which are done: pure.

    shards of a listing ─┐                ┌─ ready     may be read now, from this place
                         ├──► plan ──────►├─ waiting   its parents are not finished
    stored checkpoints ──┘                ├─ finished  nothing left in it for us
                                          ├─ gone      not listed any more, though we were not done: a gap
                                          └─ surplus   its checkpoint can be forgotten

A shard is read when all its parents are finished; of a merge both. A parent that is neither listed nor stored has been
trimmed and counts as finished. What is `gone` holds its children back until its last batch is settled and it is stored
as finished: even then order holds. A listed shard without a checkpoint whose descendant has one was finished and
forgotten, so checkpoints do not pile up however long a stream rotates.

`examine` says for each checkpoint whether the stream is still the one that it was taken from. Used by the roster and
the readers of `streams.py`; the listing must be a whole one, all its pages.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from math import floor
from typing import Any

from ..dispatch.model import Position
from .checkpoints.store import BEGINNING, Checkpoint, Finished, Place, Start, StartKind


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


def initial(shards: Iterable[Shard], start: Start) -> dict[str, Start | Finished]:
    """Where each shard of the first listing starts. A `start` at this moment (LATEST, NEWER_THAN) must be the time of
    that listing's last page or later: then whatever a closed shard holds is older, and it is not read at all."""
    now = start.kind in (StartKind.LATEST, StartKind.NEWER_THAN)
    return {shard.id: Finished() if now and shard.closed else start for shard in shards}


# --- what may be read -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do with each shard at this moment. Every listed shard is ready, waiting or finished."""

    ready: Mapping[str, Start | Position]
    waiting: Mapping[str, frozenset[str]]
    """For each the parents, listed or gone, that are not finished."""
    finished: frozenset[str]
    gone: Mapping[str, Start | Position]
    """Report a Gap from here to the shard's end, settle what is in flight, store it as finished, plan again."""
    surplus: frozenset[str]
    """For `CheckpointStore.compact`."""


def plan(shards: Iterable[Shard], stored: Mapping[str, Checkpoint]) -> Plan:
    """The plan for a whole listing and all checkpoints of the stream. Asking again changes nothing."""
    listed = {shard.id: shard for shard in shards}
    finished = _finished(listed, stored)
    gone = {shard: place for shard, place in _unfinished(stored) if shard not in listed}
    ready: dict[str, Start | Position] = {}
    waiting: dict[str, frozenset[str]] = {}
    for shard in listed.values():
        if shard.id in finished:
            continue
        awaited = {each for each in shard.parents if each in listed or each in gone} - finished - {shard.id}
        if awaited:
            waiting[shard.id] = frozenset(awaited)
        else:
            ready[shard.id] = _place(stored, shard.id)
    return Plan(ready, waiting, finished, gone, _surplus(listed, stored, finished))


def _unfinished(stored: Mapping[str, Checkpoint]) -> Iterable[tuple[str, Start | Position]]:
    for shard, checkpoint in stored.items():
        if not isinstance(checkpoint.place, Finished):
            yield shard, checkpoint.place


def _place(stored: Mapping[str, Checkpoint], shard: str) -> Start | Position:
    """Its checkpoint; a shard that appeared after the first listing starts at its beginning, so nothing is lost."""
    place = stored[shard].place if shard in stored else BEGINNING
    assert not isinstance(place, Finished)
    return place


def _finished(listed: Mapping[str, Shard], stored: Mapping[str, Checkpoint]) -> frozenset[str]:
    """Listed shards that are stored as finished, or were until they were forgotten: from each shard with a checkpoint
    up to the ancestors without one."""
    forgotten: set[str] = set()
    ahead = [shard for shard in listed.values() if shard.id in stored]
    while ahead:
        for parent in ahead.pop().parents:
            if parent in listed and parent not in stored and parent not in forgotten:
                forgotten.add(parent)
                ahead.append(listed[parent])
    known = {shard for shard in listed if shard in stored and isinstance(stored[shard].place, Finished)}
    return frozenset(known | forgotten)


def _surplus(listed: Mapping[str, Shard], stored: Mapping[str, Checkpoint], finished: frozenset[str]) -> frozenset[str]:
    """Finished checkpoints that say nothing which a child's does not say: all children are past their beginning. A
    listed shard without a child keeps its checkpoint, or it would be read again."""
    children: dict[str, list[str]] = {}
    for shard in listed.values():
        for parent in shard.parents:
            children.setdefault(parent, []).append(shard.id)

    def past(shard: str) -> bool:
        return shard in finished or (shard in stored and isinstance(stored[shard].place, Position))

    done = [shard for shard, checkpoint in stored.items() if isinstance(checkpoint.place, Finished)]
    return frozenset(
        shard
        for shard in done
        if (shard not in listed or shard in children) and all(map(past, children.get(shard, ())))
    )


# --- is it still the same stream? -----------------------------------------------------------------------------------


class Probe(Enum):
    """What came of reading one record at a stored position."""

    NOT_READ = "not read"
    SAME = "same"  # the record that was done is there
    OTHER = "other"  # another one, none, or the source does not know the position


class Finding(Enum):
    """What a stored checkpoint is worth today."""

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
    """What a checkpoint is worth, by a whole listing. `unchanged`: the stream's creation time is the one stored (or
    the source tells none). `trimmed`: the source refused the position as too old. One RECREATED makes the whole stream
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
    """What a read at `position` found: `number` of the first record, None for none, and when it arrived. Where records
    are numbered from one, the same number comes back from another stream too; but no record is older than its stream,
    unless the stream was only restarted and tells that time as `created` (both wall-clock seconds)."""
    if number != position.number:
        return Probe.OTHER
    if arrived is None or created is None or arrived < floor(created):
        return Probe.SAME
    return Probe.OTHER
