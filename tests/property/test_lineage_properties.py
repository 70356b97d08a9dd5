"""Shards that split, merge, rotate and are trimmed at random, in listings that leave some of them out, read by a reader
that restarts and forgets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DataObject

from headrace.dispatch.core.model import Position
from headrace.pollers.checkpoints.store import BEGINNING, Checkpoint, Finished, Place, Start, StartKind
from headrace.pollers.streams.core.absence import GONE_AFTER, Absences
from headrace.pollers.streams.core.lineage import Shard, ShardPlan, initial, plan
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
    passed: set[str] = field(default_factory=set)
    """Closed before a start at LATEST, which did not see them: not to be read, if a child tells."""
    begun: set[str] = field(default_factory=set)
    gone: set[str] = field(default_factory=set)
    listed: dict[str, Shard] = field(default_factory=dict)
    """The last listing, which may lack something."""
    left_out: Counter[str] = field(default_factory=Counter)
    """How many looks in a row."""
    owed: set[str] = field(default_factory=set)
    """Were listed, and nothing was missing that may tell of them: whatever becomes of them must be told."""
    absences: Absences = field(default_factory=Absences)
    reading: set[str] = field(default_factory=set)

    def restart(self) -> None:
        self.absences, self.reading = Absences(), set()

    def list(self, without: Collection[str] = ()) -> None:
        """A listing that leaves these out, but none too often."""
        absent = {shard for shard in without if self.left_out[shard] < GONE_AFTER - 1}
        self.left_out = Counter({shard: self.left_out[shard] + 1 for shard in absent})
        self.listed = {name: shard for name, shard in self.stream.listed.items() if name not in absent}

    def look(self, without: Collection[str] = ()) -> ShardPlan:
        self.list(without)
        self.absences.look(self.listed.values(), self.stored)
        if not self.absences.late() - self.absences.known.keys():
            self.owed |= set(self.listed)
        made = self.plan()
        if not made.new:
            return made
        self.stored |= {shard: Checkpoint(start) for shard, start in made.new.items()}
        again = self.plan()
        assert again == replace(made, new={}), "a shard that waits speaks for others"
        return again

    def plan(self) -> ShardPlan:
        late = self.absences.late(self.reading)
        made = plan(self.listed.values(), self.stored, late=late, known=self.absences.known)
        assert set(self.listed) == set(made.ready) | (made.waiting.keys() & self.listed.keys()) | made.finished
        assert not set(made.ready) & set(made.waiting)
        assert not set(made.gone) & set(made.waiting)
        assert not made.finished & (set(made.ready) | set(made.waiting))
        assert made.finished <= self.finished | self.passed
        assert not set(made.ready) & self.finished, "a shard is read twice"
        assert made.surplus <= self.finished | self.gone
        assert all(self.absences.vanished(shard) or self.has_begun(shard) for shard in made.gone)
        return made

    def has_begun(self, shard: str) -> bool:
        return shard in self.reading or not isinstance(self.stored[shard].place, Start)

    def give_up_gone(self) -> None:
        for shard in self.plan().gone:
            if self.absences.vanished(shard):
                assert shard not in self.stream.listed, "a shard that comes again is given up"
                self.gone.add(shard)
                self.stored[shard] = Checkpoint(Finished())

    def work(self, made: ShardPlan, shard: str, *, to_its_end: bool, commits: bool = True) -> None:
        for parent in self.stream.parents[shard]:
            trimmed = parent not in self.stream.listed and parent not in self.stored
            assert parent in self.finished | self.passed | self.gone or trimmed, "a child is read before its parent"
        self.reading.add(shard)
        if not commits:
            return
        if shard not in self.begun:
            place: Place = made.ready[shard]
            assert isinstance(place, Start)
            self.begun.add(shard)
        else:
            assert isinstance(made.ready[shard], Position)
        number = int(shard[1:]) + 1
        self.stored[shard] = Checkpoint(Position(number))
        if to_its_end and self.listed[shard].closed:
            self.stored[shard] = Checkpoint(Finished(Position(number)))
            self.finished.add(shard)
            self.reading.discard(shard)

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
    reader = Reader(stream, {})
    start = data.draw(START)
    reader.list(left_out(data, reader))
    starts = initial(reader.listed.values(), start)
    reader.stored = {shard: Checkpoint(start) for shard, start in starts.items()}
    reader.finished = {shard for shard, start in starts.items() if isinstance(start, Finished)}
    reader.passed = set(stream.closed) if start.kind is StartKind.LATEST else set()
    reader.absences.look(reader.listed.values(), reader.stored)
    return reader


def left_out(data: DataObject, reader: Reader) -> set[str]:
    """What the next listing lacks."""
    names = sorted(reader.stream.listed)
    if not names or not data.draw(st.booleans()):
        return set()
    return data.draw(st.sets(st.sampled_from(names), max_size=3))


@pytest.mark.semantics("STREAM-13", "STREAM-16", "STREAM-19")
@settings(max_examples=count(400, 10_000), deadline=None)
@given(st.data())
def test_parents_first_nothing_twice_and_every_shard_in_the_end(data: DataObject) -> None:
    reader = opened(data)
    for _ in range(data.draw(st.integers(0, 25))):
        changed(data, reader.stream)
        if data.draw(st.integers(0, 4)) == 0:
            event("restarted")
            reader.restart()
        made = reader.look(left_out(data, reader))
        if data.draw(st.booleans()):
            reader.give_up_gone()
            made = reader.plan()
        if data.draw(st.booleans()) and made.ready:
            shard = data.draw(st.sampled_from(sorted(made.ready)))
            reader.work(made, shard, to_its_end=data.draw(st.booleans()), commits=data.draw(st.booleans()))
        if data.draw(st.integers(0, 3)) == 0:
            event("compacted")
            reader.compact()
    finish(reader)
    told = reader.begun | reader.finished | reader.passed | reader.gone
    assert set(reader.stream.listed) <= told
    assert reader.owed <= told, "lost without a word"
    reader.compact()
    reader.compact()
    assert set(reader.stored) <= set(reader.stream.listed)


def finish(reader: Reader) -> None:
    """Each pass must bring something nearer to its end, so a shard that waits for ever would show."""
    for _ in range(GONE_AFTER):
        reader.look()
    for _ in range(len(reader.stream.listed) + len(reader.stored) + 1):
        reader.give_up_gone()
        made = reader.look()
        for shard in made.ready:
            reader.work(made, shard, to_its_end=True)
    made = reader.plan()
    assert not made.waiting
    assert not made.gone
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
    made = reader.look()
    while made.sought or made.gone:
        reader.give_up_gone()
        made = reader.look()
    while True:
        made = reader.plan()
        more = [each for each in made.ready if each not in reader.begun or reader.stream.listed[each].closed]
        if not more:
            break
        for shard in more:
            reader.work(made, shard, to_its_end=True)
    reader.compact()
