"""Reading one shard: iterators, pace and end, by a scripted service on virtual time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import anyio
import pytest

from headrace.config.clock import LoopClock
from headrace.config.errors import SourceUnavailable
from headrace.dispatch.core.model import Lane, Position, Record
from headrace.dispatch.core.pages import NONE, Records
from headrace.pollers.checkpoints.store import BEGINNING, Start, StartKind
from headrace.pollers.streams.core.lineage import Shard
from headrace.pollers.streams.polled_shard import Astray, Cadence, PolledShard, Reply, Trimmed
from headrace.pollers.streams.service import Lost, ShardPage
from support.virtual_time import EPOCH, VirtualLoop

KINESIS = Cadence(idle=1.0, calls_per_second=5, bytes_per_second=2_000_000.0, page=10_000)
DYNAMODB = Cadence(idle=0.25, calls_per_second=5, bytes_per_second=None, page=1_000)
LANE = Lane("arn:aws:kinesis:us-east-1:000000000000:stream/orders", "shard")
OPEN, CLOSED = Shard("shard"), Shard("shard", closed=True)


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": VirtualLoop}


def raw(number: int, arrived: float = EPOCH) -> dict[str, Any]:
    return {"number": number, "arrived": arrived}


def brought(
    *numbers: int, following: str | None = "next", behind: int | None = 0, size: int = 0, arrived: float = EPOCH
) -> Reply:
    return Reply([raw(number, arrived) for number in numbers], following, behind, size)


class Script:
    """A `ShardCalls` that answers as written, one answer after the other, then with nothing new for ever."""

    def __init__(self, *answers: Reply | Exception) -> None:
        self.answers = list(answers)
        self.iterators: list[Exception] = []
        """What the next calls for an iterator fail with."""
        self.places: list[Start | Position] = []
        """From where iterators were asked for."""
        self.gets: list[tuple[float, str, int]] = []
        """When GetRecords was called, with which iterator and limit."""
        self.listed: Shard | Exception | None = OPEN
        self.looks: list[tuple[float, float]] = []
        self.after_look: Callable[[], None] = lambda: None

    async def iterator(self, place: Start | Position) -> str:
        self.places.append(place)
        await anyio.lowlevel.checkpoint()
        if self.iterators:
            raise self.iterators.pop(0)
        return f"iterator-{len(self.places)}"

    async def get(self, iterator: str, limit: int) -> Reply:
        self.gets.append((anyio.current_time(), iterator, limit))
        await anyio.lowlevel.checkpoint()
        answer = self.answers.pop(0) if self.answers else brought(following=iterator)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def make(self, raws: Sequence[Mapping[str, Any]]) -> Records:
        return Records.of(record for raw in raws for record in self.made(raw))

    def made(self, raw: Mapping[str, Any]) -> Sequence[Record]:
        if "number" not in raw:
            raise SourceUnavailable("a record without a number")
        text = f"{raw['number']:03d}"
        return [Record(LANE, text, {}, raw["arrived"], Position.parse(text))]

    async def look(self, fresh: float) -> Shard | None:
        self.looks.append((anyio.current_time(), fresh))
        await anyio.lowlevel.checkpoint()
        self.after_look()
        if isinstance(self.listed, Exception):
            raise self.listed
        return self.listed

    @property
    def times(self) -> list[float]:
        return [time for time, _, _ in self.gets]


def polled(
    script: Script, place: Start | Position = BEGINNING, cadence: Cadence = KINESIS, *, rounding: int = 1
) -> PolledShard:
    return PolledShard(script, place, cadence, LoopClock(EPOCH), rounding=rounding)


def numbers(page: ShardPage) -> list[int]:
    return [record.position.number for record in page.records if record.position]


async def read(pages: PolledShard, count: int, limit: int = 100) -> list[int]:
    """The numbers of so many pages."""
    return [number for _ in range(count) for number in numbers(await pages.next(limit, None))]


# --- where it begins, and begins again ------------------------------------------------------------------------------


@pytest.mark.semantics("STREAM-30")
@pytest.mark.parametrize(
    "place", [BEGINNING, Start(StartKind.AT_TIMESTAMP, EPOCH), Start(StartKind.LATEST, EPOCH), Position.parse("007")]
)
async def test_the_first_iterator_is_for_the_place_and_the_others_follow_it(place: Start | Position) -> None:
    script = Script(brought(8, following="second"), brought(9, following="third"))
    assert await read(polled(script, place), 2) == [8, 9]
    assert script.places == [place]
    assert [iterator for _, iterator, _ in script.gets] == ["iterator-1", "second"]


@pytest.mark.semantics("STREAM-31")
async def test_an_iterator_that_expired_is_replaced_at_once_behind_what_was_read() -> None:
    script = Script(brought(1, 2), Astray("expired"), brought(3))
    pages = polled(script)
    assert await read(pages, 2) == [1, 2, 3]
    assert script.places == [BEGINNING, Position.parse("002")]
    assert script.times == [0.0, 0.0, 0.0]


@pytest.mark.semantics("STREAM-31")
async def test_iterators_that_keep_expiring_are_replaced_after_a_rest() -> None:
    script = Script(brought(1), Astray("expired"), Astray("expired"), brought(2), Astray("expired"), brought(3))
    pages = polled(script)
    assert await read(pages, 1) == [1]
    with pytest.raises(SourceUnavailable, match="expired"):
        await pages.next(100, None)
    assert await read(pages, 2) == [2, 3]
    assert [place for place in script.places if place is not BEGINNING] == [
        Position.parse(text) for text in ("001", "001", "002")
    ]


@pytest.mark.semantics("STREAM-31")
async def test_an_iterator_that_only_fails_is_suspected_in_the_end() -> None:
    """A server that was restarted may answer what it does not know with a 500."""
    script = Script(brought(1), *[SourceUnavailable("500")] * 3, brought(2))
    pages = polled(script)
    assert await read(pages, 1) == [1]
    for _ in range(3):
        assert script.places == [BEGINNING]
        with pytest.raises(SourceUnavailable):
            await pages.next(100, None)
    assert await read(pages, 1) == [2]
    assert script.places == [BEGINNING, Position.parse("001")]


@pytest.mark.semantics("STREAM-32")
async def test_what_is_at_or_before_the_place_is_passed_over() -> None:
    script = Script(brought(6, 7, 8), brought(7, 8, 9))
    assert await read(polled(script, Position.parse("007")), 2) == [8, 9]


@pytest.mark.semantics("STREAM-32")
async def test_user_records_of_an_aggregate_that_are_done_are_passed_over() -> None:
    class Aggregates(Script):
        def made(self, raw: Mapping[str, Any]) -> Sequence[Record]:
            number = raw["number"]
            return [Record(LANE, str(number), {}, EPOCH, Position(number, sub, str(number))) for sub in range(4)]

    pages = polled(Aggregates(brought(7, 8)), Position(7, 1, "7"))
    page = await pages.next(3, None)
    assert [(r.position.number, r.position.sub) for r in page.records if r.position] == [(7, 2), (7, 3), (8, 0)]
    assert not page.caught_up
    assert [r.position.sub for r in (await pages.next(100, None)).records if r.position] == [1, 2, 3]


@pytest.mark.semantics("STREAM-40")
async def test_of_packed_records_no_more_are_asked_for_than_hold_what_is_wanted() -> None:
    class Aggregates(Script):
        def made(self, raw: Mapping[str, Any]) -> Sequence[Record]:
            number = raw["number"]
            subs = range(1, 501) if number <= 60 else [0]
            return [Record(LANE, str(number), {}, EPOCH, Position(number, sub, str(number))) for sub in subs]

    class Service(Aggregates):
        """Gives as much as is asked for."""

        last = 0

        async def get(self, iterator: str, limit: int) -> Reply:
            await super().get(iterator, limit)
            first, self.last = self.last + 1, self.last + limit
            return brought(*range(first, self.last + 1), behind=1)

    script = Service()
    pages = PolledShard(script, BEGINNING, KINESIS, LoopClock(EPOCH), packed=True)
    records = [each.position for _ in range(17) for each in (await pages.next(5_000, None)).records if each.position]
    asked = [limit for _, _, limit in script.gets]
    assert asked[:6] == [5, 10, 10, 10, 10, 10]
    assert asked == sorted(asked)
    assert asked[-1] == 5_000
    assert records == sorted(records)
    assert len(set(records)) == len(records)


@pytest.mark.semantics("STREAM-33")
@pytest.mark.parametrize(
    ("arrived", "rounding", "kept"),
    [
        (EPOCH - 0.5, 1, False),
        (EPOCH - 1, 1, False),
        (EPOCH, 1, True),
        (EPOCH + 0.25, 1, False),  # it tells fractions, and is older
        (EPOCH + 0.5, 1, True),
        (EPOCH - 20, 60, True),  # the minute in which EPOCH + 0.5 lies begins at EPOCH - 20
        (EPOCH - 19, 60, False),
        (EPOCH - 80, 60, False),
        (EPOCH - 20, 1, False),
    ],
)
async def test_what_is_surely_older_than_the_start_is_passed_over(arrived: float, rounding: int, kept: bool) -> None:
    start = Start(StartKind.NEWER_THAN, EPOCH + 0.5)
    script = Script(brought(1, arrived=arrived))
    assert await read(polled(script, start, rounding=rounding), 1) == ([1] if kept else [])


@pytest.mark.semantics("STREAM-33")
async def test_what_follows_a_newer_record_is_newer() -> None:
    start = Start(StartKind.NEWER_THAN, EPOCH)
    script = Script(Reply([raw(1, EPOCH - 5), raw(2, EPOCH + 1), raw(3, EPOCH - 1)], "next"))
    assert await read(polled(script, start, DYNAMODB), 1) == [2, 3]


@pytest.mark.semantics("STREAM-33")
async def test_a_minute_that_may_be_newer_proves_nothing_of_what_follows_it() -> None:
    start = Start(StartKind.NEWER_THAN, EPOCH)
    script = Script(Reply([raw(1, EPOCH - 20), raw(2, EPOCH - 10)], "next"))
    assert await read(polled(script, start, DYNAMODB, rounding=60), 1) == [1]


@pytest.mark.semantics("STREAM-30")
async def test_older_records_that_were_passed_over_are_not_read_again() -> None:
    script = Script(brought(1, 2, arrived=EPOCH - 9), Astray("expired"), brought(3))
    assert await read(polled(script, Start(StartKind.NEWER_THAN, EPOCH)), 2) == [3]
    assert script.places[1] == Position.parse("002")


# --- trimmed --------------------------------------------------------------------------------------------------------


@pytest.mark.semantics("STREAM-34")
async def test_a_position_that_was_trimmed_is_a_gap_and_reading_goes_on_with_the_oldest_record() -> None:
    script = Script(brought(12, 13))
    script.iterators = [Trimmed("too old")]
    page = await polled(script, Position.parse("007")).next(100, None)
    assert page.lost == (Lost("007", "trim horizon", "trimmed by retention"),)
    assert numbers(page) == [12, 13]
    assert script.places == [Position.parse("007"), BEGINNING]


@pytest.mark.semantics("STREAM-34")
async def test_records_that_were_trimmed_while_they_were_read_are_a_gap() -> None:
    script = Script(brought(1), Trimmed("too old"), SourceUnavailable("503"), brought(5))
    pages = polled(script)
    assert await read(pages, 1) == [1]
    with pytest.raises(SourceUnavailable, match="503"):
        await pages.next(100, None)
    page = await pages.next(100, None)
    assert (numbers(page), page.lost) == ([5], (Lost("001", "trim horizon", "trimmed by retention"),))
    assert (await pages.next(100, None)).lost == ()


@pytest.mark.semantics("STREAM-34")
async def test_one_gap_is_told_once_although_the_horizon_moves_meanwhile() -> None:
    script = Script(Trimmed("too old"), Trimmed("too old"), brought(5))
    pages = polled(script, Position.parse("001"))
    with pytest.raises(SourceUnavailable):
        await pages.next(100, None)
    page = await pages.next(100, None)
    assert (numbers(page), [lost.start for lost in page.lost]) == ([5], ["001"])


@pytest.mark.semantics("STREAM-34")
async def test_a_horizon_that_was_overtaken_before_the_first_record_is_a_gap_too() -> None:
    page = await polled(Script(Trimmed("too old"), brought(5))).next(100, None)
    assert [lost.start for lost in page.lost] == ["TRIM_HORIZON"]


# --- the end --------------------------------------------------------------------------------------------------------


@pytest.mark.semantics("STREAM-35")
@pytest.mark.parametrize("behind", [0, None])
async def test_a_closed_shard_has_ended_when_there_is_no_next_iterator(behind: int | None) -> None:
    script = Script(brought(1, following=None, behind=behind), *[brought(following=None, behind=behind)] * 2)
    script.listed = CLOSED
    pages = polled(script)
    found = [await pages.next(100, None) for _ in range(4)]
    assert [(numbers(page), page.ended) for page in found] == [([1], False), ([], False), ([], True), ([], True)]
    assert script.times == [0.0, 0.0, 0.0]  # its children are not kept waiting, and nobody asks it again


@pytest.mark.semantics("STREAM-35")
async def test_an_open_shard_without_a_next_iterator_is_read_on() -> None:
    """Some servers lose it when they are restarted."""
    script = Script(brought(1, following=None), brought(following=None), brought(2))
    pages = polled(script)
    assert await read(pages, 3) == [1, 2]
    assert script.places == [BEGINNING, Position.parse("001"), Position.parse("001")]
    assert script.times == [0.0, 0.0, 1.0]


@pytest.mark.semantics("STREAM-35")
async def test_what_was_put_before_the_shard_was_closed_is_read_first() -> None:
    """The answer without a next iterator was wrong, then records came and the shard was closed, then we looked."""
    script = Script(brought(following=None))
    script.listed = CLOSED
    script.after_look = lambda: script.answers.extend([brought(1, following="more"), brought(following=None)])
    pages = polled(script)
    found = [await pages.next(100, None) for _ in range(3)]
    assert [numbers(page) for page in found] == [[], [1], []]
    assert [page.ended for page in found] == [False, False, True]


@pytest.mark.semantics("STREAM-35")
async def test_a_closed_shard_that_answers_with_nothing_for_once_is_read_on() -> None:
    script = Script(
        brought(following=None), brought(following="more"), brought(1, following=None), brought(following=None)
    )
    script.listed = CLOSED
    pages = polled(script)
    found = [await pages.next(100, None) for _ in range(4)]
    assert [numbers(page) for page in found] == [[], [], [1], []]
    assert [page.ended for page in found] == [False, False, False, True]


@pytest.mark.semantics("STREAM-35")
async def test_a_shard_without_a_next_iterator_that_is_not_listed_any_more_has_ended() -> None:
    script = Script(brought(following=None))
    script.listed = None
    assert (await polled(script).next(100, None)).ended


@pytest.mark.semantics("STREAM-35")
async def test_an_end_that_cannot_be_confirmed_is_asked_for_again() -> None:
    script = Script(brought(1, following=None), *[brought(following=None)] * 3)
    script.listed = SourceUnavailable("the listing is throttled")
    pages = polled(script)
    assert await read(pages, 1) == [1]
    with pytest.raises(SourceUnavailable, match="throttled"):
        await pages.next(100, None)
    script.listed = CLOSED
    assert [(await pages.next(100, None)).ended for _ in range(2)] == [False, True]


@pytest.mark.semantics("STREAM-35")
async def test_a_closed_shard_that_only_repeats_its_last_record_has_ended() -> None:
    """As one does whose last record is an aggregate, which is asked for again."""
    script = Script(*[brought(1, following=None)] * 3)
    script.listed = CLOSED
    pages = polled(script)
    found = [await pages.next(100, None) for _ in range(3)]
    assert [(numbers(page), page.ended) for page in found] == [([1], False), ([], False), ([], True)]


@pytest.mark.semantics("STREAM-36")
@pytest.mark.parametrize("behind", [0, None])
async def test_a_closed_shard_whose_iterators_never_end_is_read_on(behind: int | None) -> None:
    """There are servers that write to it still."""
    script = Script(*[brought(behind=behind)] * 30, brought(1))
    script.listed = CLOSED
    pages = polled(script)
    found = [await pages.next(100, None) for _ in range(31)]
    assert not any(page.ended for page in found)
    assert numbers(found[-1]) == [1]
    assert script.looks == []  # and an idle shard costs no listing


# --- pace -----------------------------------------------------------------------------------------------------------


@pytest.mark.semantics("STREAM-37")
@pytest.mark.parametrize(("cadence", "idle"), [(KINESIS, 1.0), (DYNAMODB, 0.25)])
async def test_an_idle_shard_is_asked_at_the_services_rate(cadence: Cadence, idle: float) -> None:
    script = Script()
    await read(polled(script, cadence=cadence), 5)
    assert script.times == [number * idle for number in range(5)]


@pytest.mark.semantics("STREAM-37")
async def test_a_call_that_is_due_is_made_at_once() -> None:
    script = Script()
    pages = polled(script)
    await read(pages, 1)
    await anyio.sleep(7.5)
    await read(pages, 1)
    assert script.times == [0.0, 7.5]


@pytest.mark.semantics("STREAM-37")
async def test_there_is_no_wait_while_there_is_more() -> None:
    script = Script(brought(1), brought(behind=1200), brought(2, behind=5), brought(), brought(3))
    assert await read(polled(script), 5) == [1, 2, 3]
    assert script.times == [0.0, 0.0, 0.0, 0.0, 1.0]


@pytest.mark.semantics("STREAM-38")
async def test_no_second_sees_more_than_five_calls() -> None:
    script = Script(*[brought(number) for number in range(1, 40)])
    pages = polled(script)
    for pause in (0.0, 0.3, 0.0, 0.0, 0.1, 0.0, 0.0, 2.0, *[0.0] * 30):
        await anyio.sleep(pause)
        await pages.next(100, None)
    times = script.times
    assert all(later - earlier >= 1.0 for earlier, later in zip(times, times[5:], strict=False))
    assert times[-1] < 10.0  # and no fewer than that


@pytest.mark.semantics("STREAM-38")
async def test_calls_count_from_their_end_so_that_the_service_sees_no_more_either() -> None:
    class Slow(Script):
        async def get(self, iterator: str, limit: int) -> Reply:
            await anyio.sleep(0.1)
            return await super().get(iterator, limit)

    script = Slow(*[brought(number) for number in range(1, 7)])
    await read(polled(script), 6)
    assert script.times == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5, 1.2])


@pytest.mark.semantics("STREAM-38")
async def test_calls_that_fail_count_as_well() -> None:
    script = Script(*[SourceUnavailable("throttled")] * 5, brought(1))
    pages = polled(script)
    for _ in range(5):
        with pytest.raises(SourceUnavailable):
            await pages.next(100, None)
    assert await read(pages, 1) == [1]
    assert script.times == [0.0] * 5 + [1.0]


@pytest.mark.semantics("STREAM-38")
@pytest.mark.parametrize(("bytes_per_second", "second"), [(2_000_000.0, 4.0), (None, 0.0)])
async def test_data_is_not_fetched_faster_than_the_shard_gives_it(
    bytes_per_second: float | None, second: float
) -> None:
    script = Script(brought(1, size=8_000_000), brought(2, size=100_000), brought(3))
    await read(polled(script, cadence=Cadence(1.0, None, bytes_per_second, 10_000)), 3)
    assert script.times == pytest.approx([0.0, second, second + 0.05 if second else 0.0])


@pytest.mark.semantics("STREAM-39")
async def test_a_wait_ends_when_the_caller_cannot_wait_any_longer() -> None:
    script = Script(brought(), brought(1))
    pages = polled(script)
    await pages.next(100, None)
    page = await pages.next(100, 0.4)
    assert (anyio.current_time(), page.records, page.caught_up) == (0.4, NONE, False)
    assert len(script.gets) == 1
    assert numbers(await pages.next(100, 5.0)) == [1]
    assert script.times == [0.0, 1.0]


@pytest.mark.semantics("STREAM-39")
async def test_a_call_that_is_due_is_made_although_the_caller_cannot_wait() -> None:
    script = Script(brought(1))
    assert numbers(await polled(script).next(100, 0.0)) == [1]


# --- what is asked for, and what comes ------------------------------------------------------------------------------


@pytest.mark.semantics("STREAM-40")
async def test_no_more_is_asked_for_than_is_wanted_or_the_service_gives() -> None:
    script = Script(brought(1), brought(2))
    pages = polled(script)
    await pages.next(10, None)
    await pages.next(20_000, None)
    assert [limit for _, _, limit in script.gets] == [10, 10_000]


@pytest.mark.semantics("STREAM-40")
async def test_what_is_more_than_was_wanted_is_kept_for_the_next_call() -> None:
    script = Script(brought(1, 2, 3, 4, 5))
    pages = polled(script)
    found = [await pages.next(2, None) for _ in range(3)]
    assert [numbers(page) for page in found] == [[1, 2], [3, 4], [5]]
    assert [page.caught_up for page in found] == [False, False, False]  # five came where two were asked for
    assert len(script.gets) == 1


@pytest.mark.parametrize(
    ("reply", "caught_up"),
    [
        (brought(1), True),
        (brought(1, behind=3), False),
        (brought(1, 2, behind=0), False),  # full
        (brought(1, behind=None), False),
        (brought(behind=None), True),
        (brought(behind=9), False),
    ],
)
async def test_whether_nothing_more_is_there(reply: Reply, caught_up: bool) -> None:
    assert (await polled(Script(reply)).next(2, None)).caught_up is caught_up


@pytest.mark.semantics("STREAM-41")
@pytest.mark.parametrize(
    "failure",
    [SourceUnavailable("throttled"), Reply([raw(2), {"unlike": "a record"}], "beyond", 0)],
    ids=["call", "reply"],
)
async def test_nothing_moves_by_a_failure(failure: Reply | Exception) -> None:
    script = Script(brought(1, following="second"), failure, brought(2, 3))
    pages = polled(script)
    assert await read(pages, 1) == [1]
    with pytest.raises(SourceUnavailable):
        await pages.next(100, None)
    assert await read(pages, 1) == [2, 3]
    assert [iterator for _, iterator, _ in script.gets] == ["iterator-1", "second", "second"]


@pytest.mark.semantics("STREAM-41")
async def test_nothing_moves_by_a_call_that_is_cancelled() -> None:
    class Silent(Script):
        silent = True

        async def get(self, iterator: str, limit: int) -> Reply:
            if self.silent:
                await anyio.sleep_forever()
            return await super().get(iterator, limit)

    script = Silent(brought(1))
    pages = polled(script)
    with anyio.move_on_after(3):
        await pages.next(100, None)
    script.silent = False
    assert await read(pages, 1) == [1]
