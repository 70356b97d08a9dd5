"""Shards that split, merge, rotate and are trimmed at random, read by a reader that restarts and forgets."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DataObject

from penstock.dispatch.model import Position
from penstock.pollers.checkpoints.store import BEGINNING, Checkpoint, Finished, Place, Start, StartKind
from penstock.pollers.lineage import Plan, Shard, initial, plan
from support.counts import count

START = st.sampled_from([BEGINNING, Start(StartKind.LATEST, 5.0), Start(StartKind.AT_TIMESTAMP, 1.0)])


@dataclass
class Stream:
    """A stream without records: only its shards and who came from whom."""

    listed: dict[str, Shard] = field(default_factory=dict)
    parents: dict[str, tuple[str, ...]] = field(default_factory=dict)
    closed: list[str] = field(default_factory=list)
    """Listed ones, oldest first."""

    def add(self, *parents: str) -> str:
        name = f"s{len(self.parents)}"
        self.parents[name] = parents
        self.listed[name] = Shard(name, parents)
        return name

    def open(self) -> list[str]:
        return [each for each, shard in self.listed.items() if not shard.closed]

    def close(self, name: str) -> None:
        self.listed[name] = Shard(name, self.parents[name], closed=True)
        self.closed.append(name)

    def split(self, name: str) -> None:
        self.close(name)
        self.add(name)
        self.add(name)

    def merge(self, left: str, right: str) -> None:
        self.close(left)
        self.close(right)
        self.add(left, right)

    def rotate(self, name: str) -> None:
        self.close(name)
        self.add(name)

    def trim(self) -> None:
        if self.closed:
            del self.listed[self.closed.pop(0)]


@dataclass
class Reader:
    """Does what the plan says, a shard at a time, and keeps account."""

    stream: Stream
    stored: dict[str, Checkpoint]
    finished: set[str] = field(default_factory=set)
    begun: set[str] = field(default_factory=set)
    gone: set[str] = field(default_factory=set)

    def plan(self) -> Plan:
        made = plan(self.stream.listed.values(), self.stored)
        assert set(self.stream.listed) == set(made.ready) | set(made.waiting) | made.finished
        assert not set(made.ready) & set(made.waiting)
        assert not made.finished & (set(made.ready) | set(made.waiting))
        assert made.finished <= self.finished
        assert not set(made.ready) & self.finished, "a shard is read twice"
        assert made.surplus <= self.finished | self.gone
        return made

    def give_up_gone(self) -> Plan:
        for shard in self.plan().gone:
            self.gone.add(shard)
            self.stored[shard] = Checkpoint(Finished())
        return self.plan()

    def work(self, made: Plan, shard: str, *, to_its_end: bool) -> None:
        for parent in self.stream.parents[shard]:
            trimmed = parent not in self.stream.listed and parent not in self.stored
            assert parent in self.finished | self.gone or trimmed, "a child is read before its parent"
        if shard not in self.begun:
            place: Place = made.ready[shard]
            assert isinstance(place, Start)
            self.begun.add(shard)
        else:
            assert isinstance(made.ready[shard], Position)
        number = int(shard[1:]) + 1
        self.stored[shard] = Checkpoint(Position(number))
        if to_its_end and self.stream.listed[shard].closed:
            self.stored[shard] = Checkpoint(Finished(Position(number)))
            self.finished.add(shard)

    def compact(self) -> None:
        for shard in self.plan().surplus:
            del self.stored[shard]


def changed(data: DataObject, stream: Stream) -> None:
    names = stream.open()
    match data.draw(st.sampled_from(["split", "merge", "rotate", "trim", "nothing"])):
        case "split" if len(names) < 6:
            stream.split(data.draw(st.sampled_from(names)))
        case "merge" if len(names) > 1:
            stream.merge(*data.draw(st.permutations(names))[:2])
        case "rotate":
            stream.rotate(data.draw(st.sampled_from(names)))
        case "trim":
            stream.trim()
        case _:
            pass


def opened(data: DataObject) -> Reader:
    stream = Stream()
    for _ in range(data.draw(st.integers(1, 3))):
        stream.add()
    for _ in range(data.draw(st.integers(0, 4))):
        changed(data, stream)
    starts = initial(stream.listed.values(), data.draw(START))
    reader = Reader(stream, {shard: Checkpoint(start) for shard, start in starts.items()})
    reader.finished = {shard for shard, start in starts.items() if isinstance(start, Finished)}
    return reader


@pytest.mark.semantics("STREAM-13", "STREAM-16")
@settings(max_examples=count(200, 5_000), deadline=None)
@given(st.data())
def test_parents_first_nothing_twice_and_every_shard_in_the_end(data: DataObject) -> None:
    reader = opened(data)
    for _ in range(data.draw(st.integers(0, 25))):
        changed(data, reader.stream)
        if data.draw(st.booleans()):
            reader.give_up_gone()
        made = reader.plan()
        if data.draw(st.booleans()) and made.ready:
            shard = data.draw(st.sampled_from(sorted(made.ready)))
            reader.work(made, shard, to_its_end=data.draw(st.booleans()))
        if data.draw(st.integers(0, 3)) == 0:
            event("compacted")
            reader.compact()
    finish(reader)
    assert set(reader.stream.listed) <= reader.begun | reader.finished
    reader.compact()
    reader.compact()
    assert set(reader.stored) <= set(reader.stream.listed)


def finish(reader: Reader) -> None:
    """Each pass must bring something nearer to its end, so a shard that waits for ever would show."""
    for _ in range(len(reader.stream.listed) + 1):
        made = reader.give_up_gone()
        for shard in made.ready:
            reader.work(made, shard, to_its_end=True)
    made = reader.plan()
    assert not made.waiting
    assert set(made.ready) == set(reader.stream.open())


@pytest.mark.semantics("STREAM-16")
@pytest.mark.parametrize("down", [0, 8, 30], ids=lambda hours: f"down {hours}h every month")
def test_a_year_of_rotation_every_four_hours_leaves_no_more_than_a_day_of_checkpoints(down: int) -> None:
    """A table with three partitions; records are kept for 24 hours."""
    stream = Stream()
    for _ in range(3):
        stream.add()
    reader = Reader(stream, {shard: Checkpoint(BEGINNING) for shard in stream.listed})
    for hour in range(1, 365 * 24 + 1):
        if hour % 4 == 0:
            for shard in stream.open():
                stream.rotate(shard)
        while len(stream.closed) > 3 * 6:
            stream.trim()
        if hour % (30 * 24) >= down:
            attend(reader)
            assert len(reader.stored) <= 3 + 3, "checkpoints pile up"
    assert len(stream.parents) == 3 * (365 * 6 + 1)
    assert bool(reader.gone) == (down > 24)
    if not reader.gone:
        assert reader.begun == set(stream.parents)


def attend(reader: Reader) -> None:
    """What the engine does in an hour: everything that is ready, until nothing changes, then forget."""
    reader.give_up_gone()
    while True:
        made = reader.plan()
        more = [each for each in made.ready if each not in reader.begun or reader.stream.listed[each].closed]
        if not more:
            break
        for shard in more:
            reader.work(made, shard, to_its_end=True)
    reader.compact()
