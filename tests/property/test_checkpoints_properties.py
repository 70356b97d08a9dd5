"""The file against the fake under random requests and restarts, and the file under random damage."""

from __future__ import annotations

import asyncio
import random
import tempfile
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from headrace.config.durable.faults import UnusableState
from headrace.dispatch.core.model import Lane, OpenWindow, Position, Window
from headrace.pollers.checkpoints.memory import MemoryCheckpoints
from headrace.pollers.checkpoints.sqlite import SqliteCheckpoints
from headrace.pollers.checkpoints.state_file import FILE
from headrace.pollers.checkpoints.store import (
    Checkpoint,
    CheckpointStore,
    CommitAnswer,
    Finished,
    Key,
    Start,
    StartKind,
    Token,
)
from support.counts import count

names = st.sampled_from(["m", "n"])
sources = st.sampled_from(["s", "t"])
shards = st.sampled_from(["a", "b"])
FAVOURITE = Key("m", Lane("s", "a"))
keys = st.sampled_from([FAVOURITE, Key("m", Lane("s", "b")), Key("n", Lane("s", "a")), Key("m", Lane("t", "a"))])
starts = st.one_of(
    st.just(Start(StartKind.TRIM_HORIZON)),
    st.builds(
        Start, st.sampled_from([StartKind.LATEST, StartKind.AT_TIMESTAMP, StartKind.NEWER_THAN]), st.floats(0, 9)
    ),
)
numbers = st.one_of(st.integers(0, 12), st.integers(10**55, 10**55 + 3))
positions = st.builds(Position, numbers, st.integers(0, 2))
windows = st.none() | st.builds(
    OpenWindow, st.builds(Window, st.integers(0, 9), st.integers(0, 9)), st.binary(max_size=9)
)
checkpoints = st.one_of(
    st.builds(Checkpoint, starts, windows),
    st.builds(Checkpoint, positions, windows),
    st.builds(Checkpoint, st.builds(Finished, st.none() | positions)),
)
beginnings = st.dictionaries(shards, starts | st.builds(Finished))
created = st.none() | st.floats(0, 9)
work = st.one_of(
    st.tuples(st.just("acquire"), keys, starts),
    st.tuples(st.just("commit"), keys, st.integers(0, 1), checkpoints),
    st.tuples(st.just("commit"), keys, st.just(0), checkpoints),
)
requests = st.one_of(
    st.tuples(st.just("commit"), st.just(FAVOURITE), st.just(0), checkpoints),
    work,
    work,
    st.tuples(st.just("begin"), names, sources, created, beginnings),
    st.tuples(st.just("add"), names, sources, st.dictionaries(shards, starts)),
    st.tuples(st.just("restart"), names, sources, created, beginnings),
    st.tuples(st.just("confirm"), names, sources, created),
    st.tuples(st.just("compact"), names, sources, st.lists(shards, unique=True)),
    st.tuples(st.just("remove"), names, st.none() | sources),
    st.tuples(st.just("move"), names, sources, names),
    st.tuples(st.just("reopen")),
)


Tokens = dict[Key, list[Token]]


async def ask(store: CheckpointStore, request: tuple[Any, ...], held: Tokens) -> object:
    """One request; a token is named by how many acquisitions of its lane ago it was given out."""
    name, *arguments = request
    if name == "commit":
        key, ago, checkpoint = arguments
        known = held.get(key, [])
        return await store.commit(key, known[-1 - ago] if ago < len(known) else Token(0), checkpoint)
    if name == "acquire":
        got = await store.acquire(*arguments)
        assert not any(got.token in tokens for tokens in held.values())
        held.setdefault(arguments[0], []).append(got.token)
        return got.checkpoint
    answer: object = await getattr(store, name)(*arguments)
    return answer


async def contents(store: CheckpointStore) -> object:
    everything = [await store.opened(name, source) for name in "mn" for source in "st"]
    lanes = [await store.load(Key(n, Lane(s, shard))) for n in "mn" for s in "st" for shard in "ab"]
    return everything, lanes, await store.kept()


@pytest.mark.semantics("STREAM-01", "STREAM-03", "STREAM-05")
@settings(max_examples=count(60, 3_000), deadline=None)
@given(st.lists(requests, min_size=3, max_size=25))
def test_the_file_answers_as_the_fake_does_and_survives_restarts(script: list[tuple[Any, ...]]) -> None:
    async def run(path: Path) -> None:
        fake, made = MemoryCheckpoints(), await SqliteCheckpoints.open(path)
        held_fake: Tokens = {}
        held_made: Tokens = {}
        for request in [("acquire", FAVOURITE, Start(StartKind.TRIM_HORIZON)), *script]:
            if request[0] == "reopen":
                await made.aclose()
                made = await SqliteCheckpoints.open(path)
                continue
            answer = await ask(fake, request, held_fake)
            event(f"{request[0]}: {answer.value}" if isinstance(answer, CommitAnswer) else request[0])
            assert await ask(made, request, held_made) == answer
            assert await contents(made) == await contents(fake)
        await made.aclose()

    finish(run)


@pytest.mark.semantics("STREAM-09")
@settings(max_examples=count(60, 3_000), deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 40), st.booleans())
def test_a_damaged_file_is_refused_or_says_what_it_said_before(seed: int, size: int, cut: bool) -> None:
    """Wherever bytes were lost, no position changes in silence; what is refused is left as it is."""
    chance = random.Random(seed)

    async def run(path: Path) -> None:
        before = await written(path)
        content = bytearray(path.read_bytes())
        place = chance.randrange(len(content))
        content[place : place + (len(content) if cut else size)] = b"" if cut else chance.randbytes(size)
        path.write_bytes(content)
        said = await reread(path, before)
        event(f"{'refused' if said else 'opened'}, {'cut' if cut else 'altered'}")
        if said:
            assert str(path) in said
            assert path.read_bytes() == content

    finish(run)


async def written(path: Path) -> Mapping[str, Checkpoint]:
    store = await SqliteCheckpoints.open(path)
    await store.begin("m", "s", 1.0, {f"shard-{number:04}": Start(StartKind.LATEST, 5.0) for number in range(60)})
    held = await store.acquire(Key("m", Lane("s", "shard-0001")))
    window = OpenWindow(Window(0, 60), b"state" * 2_000)
    await store.commit(Key("m", Lane("s", "shard-0001")), held.token, Checkpoint(Position(10**55, 1, "x"), window))
    opened = await store.opened("m", "s")
    await store.aclose()
    assert opened is not None
    return opened.lanes


async def reread(path: Path, before: Mapping[str, Checkpoint]) -> str:
    """What the refusal says; empty when it opens, and then nothing may differ."""
    try:
        store = await SqliteCheckpoints.open(path)
    except UnusableState as refusal:
        return str(refusal)
    opened = await store.opened("m", "s")
    assert (
        opened is None or opened.lanes == before
    )  # where the damage hit the source's own row, the stream is opened anew
    assert {shard: await store.load(Key("m", Lane("s", shard))) for shard in before} == before
    await store.aclose()
    return ""


def finish(run: Any) -> None:
    async def main(directory: str) -> None:
        work: Coroutine[Any, Any, None] = run(Path(directory) / FILE)
        await work

    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(main(directory))
