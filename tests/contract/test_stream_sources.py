"""What the loop and the supervisor rely on, asked of the stream sources over every service that tests can reach."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import anyio
import orjson
import pytest

from headrace.config.errors import SourceMissing, SourceRefused, SourceUnavailable
from headrace.dispatch.core.model import OpenWindow, Record, Window
from headrace.dispatch.core.observer import Gap, StreamRecreated
from headrace.pollers.checkpoints.memory import MemoryCheckpoints
from headrace.pollers.checkpoints.store import BEGINNING
from headrace.pollers.core.mark import Mark
from headrace.pollers.core.wish import parse_wish
from headrace.pollers.positions import PositionRefused
from headrace.pollers.source import LaneLost
from headrace.pollers.streams.positions import StreamPositions
from headrace.pollers.streams.source import ShardReader, StreamRoster, StreamSource
from support.eventually import eventually_async
from support.stream_source_labs import Lab, Service, stream_of
from support.stream_world import data_of
from support.world import Watch

NODE = pytest.mark.needs("node", "curl")
JAVA = pytest.mark.needs("java", "maven")
OURS = [(server, service) for server in ("memory", "stub", "stub-general") for service in ("kinesis", "dynamodb")]
EMULATORS = [(server, service) for server in ("ministack", "moto") for service in ("kinesis", "dynamodb")]
KINESALITE = pytest.param("kinesalite", "kinesis", marks=NODE)
DYNAMODB_LOCAL = pytest.param("dynamodb_local", "dynamodb", marks=JAVA)
every = pytest.mark.parametrize(("server", "service"), [*OURS, *EMULATORS, KINESALITE, DYNAMODB_LOCAL])
whose_shards_end = pytest.mark.parametrize(("server", "service"), [*OURS, KINESALITE])
that_forget = pytest.mark.parametrize(("server", "service"), OURS)


@pytest.fixture
async def lab(server: str, service: Service, request: pytest.FixtureRequest) -> AsyncIterator[Lab]:
    url = "" if (server, service) in OURS else request.getfixturevalue(server).endpoint_url
    async with stream_of(server, service, url) as stream:
        yield Lab(stream, Watch(), MemoryCheckpoints())


# --- what tests do ----------------------------------------------------------------------------------------------------


async def at_work(source: StreamSource) -> StreamRoster:
    """The source, opened as the supervisor would: a stream is not there as soon as it was made."""
    found: list[StreamRoster] = []

    async def there() -> bool:
        try:
            found.append(await source.open())
        except (SourceMissing, SourceUnavailable):
            return False
        return True

    await eventually_async(there, "the stream is there")
    return found[0]


async def only_reader(source: StreamSource) -> ShardReader:
    (shard,) = (await at_work(source)).wanted()
    return await source.reader(shard)


async def begun(lab: Lab, *data: str) -> ShardReader:
    """A new stream with these records, and a reader of its only shard."""
    await lab.stream.create()
    reader = await only_reader(lab.source())
    await put(lab, *data)
    return reader


async def put(lab: Lab, *data: str) -> None:
    for each in data:
        await lab.stream.put("key", each)


async def fetch(reader: ShardReader, count: int) -> list[Record]:
    """So many records, and none more."""
    records: list[Record] = []

    async def enough() -> bool:
        records.extend((await reader.fetch(count - len(records), anyio.current_time() + 1.0)).records)
        return len(records) >= count

    await eventually_async(enough, f"{count} records")
    return records


async def to_its_end(reader: ShardReader) -> list[Record]:
    """All records of a closed shard."""
    records: list[Record] = []

    async def ended() -> bool:
        fetched = await reader.fetch(100, anyio.current_time() + 1.0)
        records.extend(fetched.records)
        return fetched.ended == (reader.lane,)

    await eventually_async(ended, "the end of the shard")
    return records


async def now_in(reader: ShardReader) -> list[Record]:
    """All records of an open shard to which none is added."""
    records: list[Record] = []

    async def caught_up() -> bool:
        records.extend((await reader.fetch(100, anyio.current_time() + 1.0)).records)
        return reader.caught_up

    await eventually_async(caught_up, "all there is")
    return records


async def commit(reader: ShardReader, last: Record, **more: Any) -> None:
    await reader.commit({reader.lane: Mark(last.position, **more)})


@asynccontextmanager
async def watched(source: StreamSource) -> AsyncIterator[Callable[[], bool]]:
    """Lets the source watch its stream; tells whether it has failed as a whole."""
    failed = anyio.Event()

    async def watch() -> None:
        try:
            await source.watch(lambda: None)
        except SourceMissing:
            failed.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watch)
        yield failed.is_set
        tasks.cancel_scope.cancel()


async def work(source: StreamSource, roster: StreamRoster, over: Callable[[list[Record]], bool]) -> list[Record]:
    """Read whatever is wanted, as the loop does, until it is over or the source fails as a whole."""
    readers: dict[str, ShardReader] = {}
    records: list[Record] = []

    async def a_round() -> bool:
        for shard in roster.wanted():
            if shard not in readers:
                readers[shard] = await source.reader(shard)
            records.extend(await read_and_finish(readers[shard]))
        return over(records) or failed()

    async with watched(source) as failed:
        await eventually_async(a_round, "what was expected of the stream")
    return records


async def read_and_finish(reader: ShardReader) -> Sequence[Record]:
    try:
        fetched = await reader.fetch(100, anyio.current_time() + 0.1)
    except SourceUnavailable:
        return ()
    if fetched.ended:
        await reader.commit({reader.lane: Mark(fetched.records[-1].position if fetched.records else None, ended=True)})
        await reader.aclose()
    return fetched.records


async def in_the_next_lives(lab: Lab, wanted: int, **settings: Any) -> list[str]:
    """So many records, however often the source has to be opened for them."""
    records: list[Record] = []
    while len(records) < wanted:
        source = lab.source("LATEST", **settings)
        records += await work(source, await at_work(source), partial(are_there, wanted - len(records)))
    return data(records)


def are_there(wanted: int, found: list[Record]) -> bool:
    return len(found) >= wanted


def data(records: Iterable[Record]) -> list[str]:
    return [data_of(record.item) for record in records]


# --- opening --------------------------------------------------------------------------------------------------------


@every
async def test_a_missing_stream_is_named_as_missing(lab: Lab) -> None:
    with pytest.raises(SourceMissing, match=r"contract-|orders"):
        await lab.source().open()


@pytest.mark.semantics("STREAM-02")
@every
async def test_where_each_shard_starts_is_stored_before_anything_is_fetched(lab: Lab) -> None:
    await lab.stream.create()
    roster = await at_work(lab.source())
    ((_, source),) = [(each.mapping, each.source) for each in await lab.store.kept()]
    stored = await lab.store.opened("m", source)
    assert stored is not None
    assert sorted(stored.lanes) == roster.wanted()
    assert {checkpoint.place for checkpoint in stored.lanes.values()} == {BEGINNING}


@pytest.mark.semantics("STREAM-02", "STREAM-57")
@every
async def test_with_latest_a_restart_before_the_first_record_loses_none(lab: Lab, server: str) -> None:
    await lab.stream.create()
    await at_work(lab.source(mapping="another"))
    await put(lab, "before")
    await anyio.sleep(2.1)  # LATEST counts in whole seconds, and a record may have been rounded up
    await at_work(lab.source("LATEST"))
    await put(lab, "between")
    reader = await only_reader(lab.source("LATEST"))
    await put(lab, "after")
    records = data(await fetch(reader, 3 if server == "dynamodb_local" else 2))
    # DynamoDB Local tells the minute of a record, and what may be newer is delivered
    assert records == (["before"] if server == "dynamodb_local" else []) + ["between", "after"]


# --- fetching -------------------------------------------------------------------------------------------------------


@every
async def test_a_record_is_what_the_function_will_see(lab: Lab, service: Service) -> None:
    reader = await begun(lab, 'verbatim: {"a": 1 } \u00e9\U0001f600')
    (record,) = await fetch(reader, 1)
    item = orjson.loads(record.body)
    assert record.lane == reader.lane
    assert record.position is not None
    assert str(record.position.number) == str(record.id).lstrip("0")
    assert record.position.text == record.id
    assert data_of(item) == 'verbatim: {"a": 1 } \u00e9\U0001f600'
    assert item["eventSource"] == f"aws:{service}"
    assert item["eventSourceARN"] == record.lane.source
    if service == "kinesis":
        assert item["kinesis"]["sequenceNumber"] == record.id
        assert item["kinesis"]["partitionKey"] == record.key == "key"
        assert item["eventID"] == f"{record.lane.shard}:{record.id}"
    else:
        assert item["dynamodb"]["SequenceNumber"] == record.id
        assert item["dynamodb"]["Keys"] == {"id": {"S": "key"}}
        assert item["eventName"] == "INSERT"


@every
async def test_records_come_in_order_and_no_more_than_were_asked_for(lab: Lab) -> None:
    wanted = [str(number) for number in range(7)]
    reader = await begun(lab, *wanted)
    records: list[Record] = []
    while len(records) < len(wanted):
        fetched = await reader.fetch(3, anyio.current_time() + 5.0)
        assert len(fetched.records) <= 3
        records += fetched.records
    assert data(records) == wanted
    positions = [record.position for record in records]
    assert positions == sorted(positions, key=lambda position: position.number if position else 0)


@every
async def test_waiting_for_records_ends_in_time(lab: Lab) -> None:
    reader = await begun(lab)
    until = anyio.current_time() + 0.3
    while anyio.current_time() < until:
        assert not (await reader.fetch(10, until)).records
    await put(lab, "late")
    assert data(await fetch(reader, 1)) == ["late"]


# --- positions ------------------------------------------------------------------------------------------------------


@pytest.mark.semantics("STREAM-01")
@every
async def test_a_fetch_moves_no_position(lab: Lab) -> None:
    await fetch(await begun(lab, "a", "b"), 2)
    again = await only_reader(lab.source())
    assert data(await fetch(again, 2)) == ["a", "b"]


@pytest.mark.semantics("STREAM-01")
@every
async def test_what_was_committed_does_not_come_again_and_what_was_not_does(lab: Lab) -> None:
    reader = await begun(lab, "a", "b", "c")
    records = await fetch(reader, 3)
    await commit(reader, records[1])
    again = await only_reader(lab.source("LATEST"))
    assert data(await fetch(again, 1)) == ["c"]
    await put(lab, "d")
    assert data(await fetch(again, 1)) == ["d"]


@pytest.mark.semantics("STREAM-01")
@every
async def test_each_mapping_has_positions_of_its_own(lab: Lab) -> None:
    reader = await begun(lab, "a", "b")
    await commit(reader, (await fetch(reader, 2))[-1])
    other = await only_reader(lab.source(mapping="other"))
    assert data(await fetch(other, 2)) == ["a", "b"]


@pytest.mark.semantics("STREAM-05")
@every
async def test_who_lost_a_shard_can_commit_no_more(lab: Lab) -> None:
    former = await begun(lab, "a", "b")
    records = await fetch(former, 2)
    holder = await only_reader(lab.source())
    with pytest.raises(LaneLost):
        await commit(former, records[1])
    await commit(holder, (await fetch(holder, 1))[0])
    assert data(await fetch(await only_reader(lab.source()), 1)) == ["b"]


@pytest.mark.semantics("STREAM-04")
@every
async def test_a_window_under_way_comes_back_with_the_position_and_goes_when_it_is_over(lab: Lab) -> None:
    reader = await begun(lab, "a", "b")
    window = OpenWindow(Window(60, 120), b'{"sum":1}')
    await commit(reader, (await fetch(reader, 1))[0], window=window)
    again = await only_reader(lab.source())
    assert again.window == window
    await again.commit({again.lane: Mark(None)})
    last = await only_reader(lab.source())
    assert last.window is None
    assert data(await fetch(last, 1)) == ["b"]


# --- is there more? -------------------------------------------------------------------------------------------------


@every
async def test_a_source_is_empty_when_all_of_it_was_fetched(lab: Lab) -> None:
    await lab.stream.create()
    source = lab.source()
    reader = await only_reader(source)
    await put(lab, "a")
    assert not await source.empty()
    await fetch(reader, 1)

    async def empty() -> bool:
        assert not (await reader.fetch(10, anyio.current_time() + 0.2)).records
        return await source.empty()

    await eventually_async(empty, "the source says that nothing is left")


# --- shards that end ------------------------------------------------------------------------------------------------


@pytest.mark.semantics("STREAM-12", "STREAM-13")
@whose_shards_end
async def test_children_are_wanted_when_their_parent_is_done_to_its_end(lab: Lab) -> None:
    stream = lab.stream
    await stream.create()
    source = lab.source()
    roster = await at_work(source)
    (parent,) = roster.wanted()
    reader = await source.reader(parent)
    await put(lab, "of the parent")
    await stream.split()
    for number in range(8):
        await stream.put(f"key-{number}", f"of the children {number}")
    async with watched(source):
        records = await to_its_end(reader)
        assert data(records) == ["of the parent"]
        assert roster.wanted() == [parent]
        await commit(reader, records[-1])
        await source.empty()  # a look at the listing
        assert roster.wanted() == [parent]
        await commit(reader, records[-1], ended=True)

        async def done() -> bool:
            return parent not in roster.wanted() and bool(roster.wanted())

        await eventually_async(done, "the children's turn")
    children = [await source.reader(shard) for shard in roster.wanted()]
    assert sum([len(await now_in(child)) for child in children]) == 8


@pytest.mark.semantics("STREAM-16")
@whose_shards_end
async def test_a_finished_shard_is_not_read_again_in_the_next_life(lab: Lab) -> None:
    reader = await begun(lab, "of the parent")
    await lab.stream.split()
    records = await to_its_end(reader)
    await commit(reader, records[-1], ended=True)
    roster = await at_work(lab.source())
    assert reader.lane.shard not in roster.wanted()
    assert roster.wanted()


# --- a stream that lost something -----------------------------------------------------------------------------------


@pytest.mark.semantics("STREAM-34")
@that_forget
async def test_after_a_position_that_was_trimmed_the_oldest_record_comes(lab: Lab, service: Service) -> None:
    reader = await begun(lab, "a", "b")
    await commit(reader, (await fetch(reader, 1))[0])
    await lab.stream.trim()
    await put(lab, "c")
    again = await only_reader(lab.source())
    gaps: list[Gap] = []
    records: list[Record] = []

    async def came() -> bool:
        fetched = await again.fetch(10, anyio.current_time() + 1.0)
        gaps.extend(fetched.gaps)
        records.extend(fetched.records)
        return bool(records)

    await eventually_async(came, "the oldest record")
    assert data(records) == ["c"]
    if service == "dynamodb":  # Kinesis does not tell
        assert [gap.lane for gap in gaps] == [again.lane]


@pytest.mark.semantics("STREAM-58")
@every
async def test_a_stream_made_anew_is_read_from_its_beginning_and_said_once(lab: Lab) -> None:
    reader = await begun(lab, "old 1", "old 2")
    await commit(reader, (await fetch(reader, 2))[-1])
    await anyio.sleep(1.1)  # creation times have whole seconds
    await lab.stream.remove()
    await lab.stream.create()
    await put(lab, "new 1", "new 2", "new 3")
    assert await in_the_next_lives(lab, 3) == ["new 1", "new 2", "new 3"]
    assert len(lab.watch.of(StreamRecreated)) == 1
    await at_work(lab.source())
    assert len(lab.watch.of(StreamRecreated)) == 1


@pytest.mark.semantics("STREAM-58")
@every
async def test_a_mapping_that_does_not_start_over_says_so_and_keeps_its_positions(lab: Lab) -> None:
    reader = await begun(lab, "old")
    await commit(reader, (await fetch(reader, 1))[-1])
    await anyio.sleep(1.1)  # creation times have whole seconds
    await lab.stream.remove()
    await lab.stream.create()
    await put(lab, "new")
    kept = await lab.store.kept()
    with pytest.raises(SourceRefused, match="start_over"):
        await in_the_next_lives(lab, 1, start_over=False)
    assert await lab.store.kept() == kept


@pytest.mark.semantics("STREAM-58")
@every
async def test_a_stream_that_goes_while_it_is_read_is_missing(lab: Lab) -> None:
    """A table's stream may stay for a day, closed: then it is read to its end first."""
    await lab.stream.create()
    source = lab.source()
    roster = await at_work(source)
    await lab.stream.remove()
    await work(source, roster, lambda found: not roster.wanted())
    with pytest.raises(SourceMissing):
        await source.open()


# --- positions that somebody moves by hand ----------------------------------------------------------------------------


@pytest.mark.semantics("STEER-10", "STEER-11")
@every
async def test_a_shard_goes_on_where_somebody_put_it(lab: Lab, server: str) -> None:
    reader = await begun(lab, "a", "b", "c")
    records = await fetch(reader, 3)
    await reader.commit({reader.lane: Mark(records[2].position)})
    await reader.aclose()
    positions = StreamPositions("m", lab.stream.service(), lab.store)
    second = records[1].position
    assert second is not None
    for to, lane, wanted in (
        ("TRIM_HORIZON", "", ["a", "b", "c"]),
        (second.text, reader.lane.shard, ["c"]),
        ("TRIM_HORIZON", reader.lane.shard, ["a", "b", "c"]),
        ("2001-01-01T00:00:00Z", "", ["a", "b", "c"]),
        ("LATEST", "", ["new"]),
    ):
        wish = parse_wish(to)
        assert wish is not None
        if to == "LATEST":
            await anyio.sleep(1.1)  # a service tells whole seconds: what came in this one counts as new
        await positions.put(lane, wish)
        if to == "LATEST":
            await put(lab, "new")
        reader = await only_reader(lab.source())
        found: list[str] = []
        while wanted[-1] not in found:  # a server that rounds times to minutes may give some before LATEST, too
            found += [data_of(record.item) for record in await fetch(reader, 1)]
        await reader.aclose()
        assert found == wanted or (to == "LATEST" and server == "dynamodb_local")
    wish = parse_wish("7")
    assert wish is not None
    with pytest.raises(PositionRefused):
        await positions.put(reader.lane.shard, wish)
