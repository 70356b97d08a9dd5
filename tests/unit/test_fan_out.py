"""SubscribeToShard over scripted subscriptions, on virtual time."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import aiohttp
import anyio
import pytest
from botocore.eventstream import ChecksumMismatch
from botocore.exceptions import ClientError, EndpointConnectionError, EventStreamError

from headrace.config.clock import LoopClock
from headrace.config.errors import BugError, SourceUnavailable
from headrace.dispatch.core.model import Lane, Position, Record
from headrace.pollers.checkpoints.store import BEGINNING, Start, StartKind
from headrace.pollers.kinesis.fan_out import SubscribedShard, starting
from headrace.pollers.streams.service import Page
from support.virtual_time import EPOCH, VirtualLoop

CONSUMER = "arn:aws:kinesis:us-east-1:000000000000:stream/orders/consumer/headrace:1700000000"
SHARD = "shardId-000000000007"
LOST = aiohttp.ClientPayloadError("Response payload is not completed")
SILENT = aiohttp.SocketTimeoutError("Timeout on reading data from socket")
DAMAGED = ChecksumMismatch(1, 2)

Step = Mapping[str, Any] | Exception | float
"""An event's body, a failure, or seconds of silence."""
Script = Sequence[Step] | Exception
"""What one subscription brings before it ends; or the call's failure."""


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": VirtualLoop}


def refused(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "SubscribeToShard")


def exception_event(code: str) -> EventStreamError:
    return EventStreamError({"Error": {"Code": code, "Message": "no"}}, "SubscribeToShard")


def event(*numbers: int, behind: int = 0, **more: Any) -> dict[str, Any]:
    """Records of these numbers; it goes on after the last one."""
    records = [{"SequenceNumber": str(number), "Data": b""} for number in numbers]
    continuation = {"ContinuationSequenceNumber": str(numbers[-1])} if numbers else {}
    return {"Records": records, "MillisBehindLatest": behind, **continuation, **more}


CHILDREN: dict[str, Any] = {"ChildShards": [{"ShardId": "shardId-000000000008"}, {"ShardId": "shardId-000000000009"}]}


@dataclass
class Stream:
    """One subscription's event stream."""

    script: Sequence[Step]
    brought: int = 0
    closed: bool = False

    async def __aiter__(self) -> AsyncIterator[Mapping[str, Any]]:
        for step in self.script:
            match step:
                case float():
                    await anyio.sleep(step)
                case Exception():
                    raise step
                case _:
                    self.brought += 1
                    yield {"SubscribeToShardEvent": step}

    def close(self) -> None:
        self.closed = True


@dataclass
class Client:
    """Gives the scripted subscriptions one after the other; the last one again and again."""

    scripts: list[Script]
    streams: list[Stream] = field(default_factory=list)
    calls: list[tuple[float, dict[str, Any]]] = field(default_factory=list)
    """When, and from where."""

    async def subscribe_to_shard(self, **call: Any) -> dict[str, Any]:
        where = call.pop("StartingPosition")
        assert call == {"ConsumerARN": CONSUMER, "ShardId": SHARD}
        self.calls.append((anyio.current_time(), where))
        script = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
        if isinstance(script, Exception):
            raise script
        self.streams.append(Stream(script))
        return {"EventStream": self.streams[-1]}

    @property
    def times(self) -> list[float]:
        return [time for time, _ in self.calls]

    @property
    def places(self) -> list[str]:
        return [where.get("SequenceNumber", where["Type"]) for _, where in self.calls]


def record(number: int, sub: int = 0) -> Record:
    return Record(Lane("orders", SHARD), str(number), {}, EPOCH, Position(number, sub, str(number)))


def make(raw: Mapping[str, Any]) -> Sequence[Record]:
    return [record(int(raw["SequenceNumber"]))]


def shard(client: Client, place: Start | Position = BEGINNING, **more: Any) -> SubscribedShard:
    return SubscribedShard(client, CONSUMER, SHARD, place, more.pop("make", make), LoopClock(EPOCH), **more)


def numbers(page: Page) -> list[int]:
    assert page.lost == ()
    return [each.position.number for each in page.records if each.position]


async def read(pages: SubscribedShard, count: int) -> list[int]:
    """All numbers of the next `count` pages."""
    return [number for _ in range(count) for number in numbers(await pages.next(100, None))]


# --- pages ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("place", "position"),
    [
        (BEGINNING, {"Type": "TRIM_HORIZON"}),
        (
            Start(StartKind.LATEST, 1_700_000_000.0),
            {"Type": "AT_TIMESTAMP", "Timestamp": datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)},
        ),
        (
            Start(StartKind.AT_TIMESTAMP, 1_700_000_000.25),
            {"Type": "AT_TIMESTAMP", "Timestamp": datetime(2023, 11, 14, 22, 13, 20, 250_000, tzinfo=UTC)},
        ),
        (Position.parse("0042"), {"Type": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": "0042"}),
        (Position(42, 1, "0042"), {"Type": "AT_SEQUENCE_NUMBER", "SequenceNumber": "0042"}),
    ],
)
@pytest.mark.semantics("EFO-01")
def test_where_a_place_begins(place: Start | Position, position: dict[str, Any]) -> None:
    assert starting(place) == position


@pytest.mark.semantics("EFO-01")
async def test_each_event_is_a_page_and_nothing_is_called_before_it_is_wanted() -> None:
    client = Client([[event(1, 2, behind=7), event(), event(3), 1000.0]])
    pages = shard(client)
    await anyio.sleep(10)
    assert client.calls == []
    seen = [await pages.next(100, None) for _ in range(3)]
    assert [numbers(page) for page in seen] == [[1, 2], [], [3]]
    assert [page.caught_up for page in seen] == [False, True, True]
    assert not any(page.ended for page in seen)
    assert client.places == ["TRIM_HORIZON"]
    await pages.aclose()


@pytest.mark.semantics("EFO-01")
async def test_an_event_that_is_larger_than_asked_for_comes_as_several_pages() -> None:
    client = Client([[event(1, 2, 3, 4, 5, **CHILDREN)]])
    pages = shard(client)
    seen = [await pages.next(2, None) for _ in range(3)]
    assert [numbers(page) for page in seen] == [[1, 2], [3, 4], [5]]
    assert [page.ended for page in seen] == [False, False, True]
    assert [page.caught_up for page in seen] == [False, False, True]
    assert len(client.calls) == 1
    await pages.aclose()


@pytest.mark.semantics("EFO-06")
async def test_a_shard_that_names_its_children_has_ended_and_stays_so() -> None:
    client = Client([[event(1), event(**CHILDREN)]])
    pages = shard(client)
    assert not (await pages.next(100, None)).ended
    assert [await pages.next(100, None) for _ in range(3)] == [Page(ended=True)] * 3
    assert len(client.calls) == 1
    await pages.aclose()


async def test_it_is_caught_up_when_the_service_says_so_and_no_longer() -> None:
    pages = shard(Client([[5.0, event(behind=1), event(), 5.0, event(1, MillisBehindLatest=None), 1000.0]]))
    told = [(await pages.next(100, until)).caught_up for until in (1.0, None, None, 6.0, None)]
    assert told == [False, False, True, False, False]
    await pages.aclose()


async def test_what_is_at_the_place_was_read() -> None:
    client = Client([[event(6, 7, 8), event(8, 9), 1000.0]])
    pages = shard(client, Position.parse("7"))
    assert await read(pages, 2) == [8, 9]
    assert client.places == ["7"]
    await pages.aclose()


@pytest.mark.semantics("KPL-03", "EFO-01")
async def test_an_aggregate_that_is_done_in_part_is_asked_for_again_and_goes_on_inside() -> None:
    def three(raw: Mapping[str, Any]) -> Sequence[Record]:
        return [record(int(raw["SequenceNumber"]), sub) for sub in (1, 2, 3)]

    client = Client([[event(7, 8), 1000.0]])
    pages = shard(client, Position(7, 2, "7"), make=three)
    page = await pages.next(3, None)
    assert [each.position for each in page.records] == [Position(7, 3), Position(8, 1), Position(8, 2)]
    assert [each.position for each in (await pages.next(3, None)).records] == [Position(8, 3)]
    assert client.calls[0][1] == {"Type": "AT_SEQUENCE_NUMBER", "SequenceNumber": "7"}
    await pages.aclose()


# --- from one subscription to the next ------------------------------------------------------------------------------


@pytest.mark.semantics("EFO-02")
async def test_a_subscription_is_replaced_before_the_service_ends_it() -> None:
    heartbeats = [step for _ in range(59) for step in (5.0, event(ContinuationSequenceNumber="3"))]
    client = Client([[event(1, 2), *heartbeats], [event(4), 1000.0]])
    pages = shard(client)
    seen = await read(pages, 58)
    assert seen == [1, 2, 4]
    assert client.times == [0.0, 285.0]
    assert client.calls[1][1] == {"Type": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": "3"}
    assert [stream.closed for stream in client.streams] == [True, False]
    await pages.aclose()


@pytest.mark.semantics("EFO-02")
async def test_a_subscription_that_says_nothing_is_replaced_in_time_too() -> None:
    client = Client([[1000.0], [event(1), 1000.0]])
    pages = shard(client, Position.parse("0"))
    assert await read(pages, 1) == [1]
    assert client.times == [0.0, 285.0]
    assert client.places == ["0", "0"]
    await pages.aclose()


@pytest.mark.parametrize("last", [[], [LOST], [SILENT], [DAMAGED], [exception_event("InternalFailureException")]])
@pytest.mark.semantics("EFO-03")
async def test_a_subscription_that_brought_something_is_replaced_from_there(last: list[Step]) -> None:
    client = Client([[event(1, 2), event(3, ContinuationSequenceNumber="4"), *last], [event(5), 1000.0]])
    pages = shard(client)
    assert await read(pages, 3) == [1, 2, 3, 5]
    assert client.places == ["TRIM_HORIZON", "4"]
    assert client.times == [0.0, 1.0]
    assert [stream.closed for stream in client.streams] == [True, False]
    await pages.aclose()


@pytest.mark.parametrize("last", [[], [SILENT]])
@pytest.mark.semantics("EFO-03")
async def test_one_that_is_silent_or_ends_is_no_failure_though_it_brought_nothing(last: list[Step]) -> None:
    client = Client([last, last, [event(1), 1000.0]])
    pages = shard(client)
    assert await read(pages, 1) == [1]
    assert client.times == [0.0, 1.0, 2.0]
    await pages.aclose()


async def test_where_no_continuation_is_told_it_is_the_last_record() -> None:
    client = Client(
        [
            [event(1, 2, ContinuationSequenceNumber=None)],
            [event(ContinuationSequenceNumber="")],
            [{}],
            [event(3), 1000.0],
        ]
    )
    pages = shard(client)
    assert await read(pages, 4) == [1, 2, 3]
    assert client.places == ["TRIM_HORIZON", "2", "2", "2"]
    await pages.aclose()


# --- failures -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("failing", "told"),
    [
        pytest.param(refused("ResourceNotFoundException"), "ResourceNotFoundException: no", id="no such consumer"),
        pytest.param(refused("InvalidArgumentException"), "InvalidArgumentException: no", id="no such place"),
        pytest.param(refused("AccessDeniedException"), "AccessDeniedException: no", id="not allowed"),
        pytest.param(refused("LimitExceededException"), "LimitExceededException: no", id="throttled"),
        pytest.param(EndpointConnectionError(endpoint_url="http://x"), "EndpointConnectionError", id="not there"),
        pytest.param([LOST], "ClientPayloadError", id="broken"),
        pytest.param([DAMAGED], "cannot be read: ChecksumMismatch", id="damaged"),
        pytest.param([exception_event("KMSDisabledException")], "KMSDisabledException: no", id="exception event"),
        pytest.param([{"Records": [{}]}], "KeyError: 'SequenceNumber'", id="a record that is none"),
    ],
)
@pytest.mark.semantics("EFO-04")
async def test_a_failure_names_shard_and_consumer_and_the_next_try_goes_on_where_it_was(
    failing: Script, told: str
) -> None:
    client = Client([[event(1)], failing, failing, [event(2), 1000.0]])
    pages = shard(client)
    assert await read(pages, 1) == [1]
    for _ in range(2):
        with pytest.raises(SourceUnavailable) as caught:
            await pages.next(100, None)
        assert type(caught.value) is SourceUnavailable
        assert all(part in str(caught.value) for part in (SHARD, CONSUMER, told))
    assert await read(pages, 1) == [2]
    assert client.places == ["TRIM_HORIZON", "1", "1", "1"]
    assert [stream.closed for stream in client.streams[:-1]] == [True] * (len(client.streams) - 1)
    await pages.aclose()


@pytest.mark.semantics("EFO-04")
async def test_an_event_with_a_record_that_is_none_is_not_passed_over() -> None:
    poisoned: list[Step] = [event(1), {"Records": [{"SequenceNumber": "2"}, {}]}, event(3), 1000.0]
    client = Client([poisoned, poisoned[1:], [event(2), event(3), 1000.0]])
    pages = shard(client)
    assert await read(pages, 1) == [1]
    with pytest.raises(SourceUnavailable):
        await pages.next(100, None)
    assert await read(pages, 2) == [2, 3]
    assert client.places == ["TRIM_HORIZON", "1", "1"]
    await pages.aclose()


async def test_a_reply_without_a_stream_is_unlike_the_service() -> None:
    class Unlike:
        async def subscribe_to_shard(self, **call: Any) -> dict[str, Any]:
            return {}

    pages = SubscribedShard(Unlike(), CONSUMER, SHARD, BEGINNING, make, LoopClock(EPOCH))
    with pytest.raises(SourceUnavailable, match=f"on {SHARD} for .*not as the service does"):
        await pages.next(100, None)


async def test_a_mistake_of_ours_is_not_taken_for_the_services() -> None:
    def broken(raw: Mapping[str, Any]) -> Sequence[Record]:
        raise AttributeError("oops")

    pages = shard(Client([[event(1), 1000.0]]), make=broken)
    with pytest.raises(BugError, match="oops"):
        await pages.next(100, None)
    await pages.aclose()


@pytest.mark.parametrize("busy", [refused("ResourceInUseException"), [exception_event("ResourceInUseException")]])
@pytest.mark.semantics("EFO-05")
async def test_while_the_consumer_is_in_use_it_is_tried_again_every_five_seconds(busy: Script) -> None:
    client = Client([[event(1), LOST], busy, busy, [event(2), LOST], busy, busy, [event(3), 1000.0]])
    pages = shard(client)
    assert await read(pages, 3) == [1, 2, 3]
    assert client.times == [0.0, 1.0, 6.0, 11.0, 12.0, 17.0, 22.0]
    assert client.places == ["TRIM_HORIZON", "1", "1", "1", "2", "2", "2"]
    await pages.aclose()


@pytest.mark.semantics("EFO-05")
async def test_a_consumer_that_stays_in_use_is_a_failure() -> None:
    client = Client([refused("ResourceInUseException")])
    pages = shard(client)
    for end in (10.0, 25.0):
        with pytest.raises(SourceUnavailable, match="ResourceInUseException"):
            await pages.next(100, 1000.0)
        assert anyio.current_time() == end
    assert client.times == [0.0, 5.0, 10.0, 15.0, 20.0, 25.0]
    await pages.aclose()


# --- until ----------------------------------------------------------------------------------------------------------


@pytest.mark.semantics("EFO-07")
async def test_nothing_waits_longer_than_until_and_what_comes_later_is_there_for_the_next() -> None:
    client = Client([[1.0, event(1), 2.5, event(2), 1000.0]])
    pages = shard(client)
    assert await read(pages, 1) == [1]
    for until in (2.0, 3.0):
        assert await pages.next(100, until) == Page(caught_up=False)
        assert anyio.current_time() == until
    assert await pages.next(100, 2.0) == Page(caught_up=False)
    assert anyio.current_time() == 3.0
    assert await read(pages, 1) == [2]
    assert anyio.current_time() == 3.5
    assert len(client.calls) == 1
    await pages.aclose()


@pytest.mark.semantics("EFO-05", "EFO-07")
async def test_a_pause_is_no_longer_than_until_either() -> None:
    client = Client([refused("ResourceInUseException"), [event(1), 1000.0]])
    pages = shard(client)
    assert await pages.next(100, 2.0) == Page(caught_up=False)
    assert anyio.current_time() == 2.0
    assert await read(pages, 1) == [1]
    assert client.times == [0.0, 5.0]
    await pages.aclose()


@pytest.mark.semantics("EFO-07")
async def test_a_caller_that_is_cancelled_loses_nothing() -> None:
    client = Client([[1.0, event(1), 1.0, event(2), 1000.0]])
    pages = shard(client)
    for end in (0.5, 0.75):
        with anyio.CancelScope(deadline=end) as scope:
            await pages.next(100, None)
        assert scope.cancelled_caught
    assert await read(pages, 1) == [1]
    with anyio.CancelScope(deadline=1.5):
        await pages.next(100, None)
    await anyio.sleep(10)
    assert await read(pages, 1) == [2]
    assert len(client.calls) == 1
    await pages.aclose()


@pytest.mark.semantics("EFO-07")
async def test_while_nobody_asks_one_event_is_read_and_no_more() -> None:
    client = Client([[event(1), 1.0, event(2), event(3), event(4), 1000.0]])
    pages = shard(client)
    assert await read(pages, 1) == [1]
    await anyio.sleep(5)
    assert client.streams[0].brought == 1
    assert numbers(await pages.next(100, 5.0)) == []
    await anyio.sleep(5)
    assert client.streams[0].brought == 2
    assert await read(pages, 3) == [2, 3, 4]
    await pages.aclose()


# --- the end --------------------------------------------------------------------------------------------------------


async def test_closing_ends_the_subscription_also_while_it_is_read() -> None:
    client = Client([[event(1), 1000.0]])
    pages = shard(client)
    assert await read(pages, 1) == [1]
    assert numbers(await pages.next(100, 1.0)) == []
    await pages.aclose()
    await pages.aclose()
    assert [stream.closed for stream in client.streams] == [True]
    await anyio.sleep(2000)
    assert len(client.calls) == 1


async def test_closing_in_a_cancelled_scope_closes_all_the_same() -> None:
    client = Client([[1000.0]])
    pages = shard(client)
    with anyio.CancelScope() as scope:
        assert numbers(await pages.next(100, 1.0)) == []
        scope.cancel()
        await pages.aclose()
    assert [stream.closed for stream in client.streams] == [True]


async def test_closing_asks_for_no_failure_that_came_too_late() -> None:
    client = Client([[1.0, LOST]])
    pages = shard(client)
    assert numbers(await pages.next(100, 0.5)) == []
    await anyio.sleep(5)
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context["message"]))
    await pages.aclose()
    gc.collect()
    assert complaints == []
    assert [stream.closed for stream in client.streams] == [True]
