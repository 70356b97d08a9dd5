"""A queue and a function through the real shell, on virtual time: what happens, and exactly when."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import anyio
import pytest

from headrace.config.errors import SourceUnavailable
from headrace.dispatch.core.model import Attempt, FateKind, Record, Reply, Settlement, Throttled
from headrace.dispatch.core.observer import FetchFailed, Filtered, Settled
from headrace.pollers.core.lifecycle import PollState
from headrace.pollers.feed import REFUSALS
from headrace.pollers.memory.queue import MemoryQueueReceiver
from headrace.pollers.supervisor import Supervisor
from support.rigs import passing
from support.virtual_time import EPOCH
from support.world import World


async def until(moment: float) -> None:
    """Virtual time, not a wait: the loop jumps there when everything before it has happened."""
    await anyio.sleep(moment - anyio.current_time())


def where(supervisor: Supervisor) -> PollState:
    return supervisor.status.state


async def take_all(bodies: list[str]) -> None:
    return None


async def refuse_all(bodies: list[str]) -> None:
    raise ValueError("no")


def throttled() -> Reply:
    return Throttled(Attempt("r", EPOCH, EPOCH, 429))


@pytest.mark.semantics("SQS-01")
async def test_a_taken_batch_is_deleted_and_never_seen_again() -> None:
    world = World()
    queue = world.queue()
    world.mapping(queue, world.function(take_all))
    for number in range(25):
        queue.send(str(number))
    async with world.running():
        await until(3600)
    assert queue.messages == []
    assert sorted(world.watch.bodies(), key=int) == [str(n) for n in range(25)]
    assert [len(batch) for batch in world.watch.invoked_bodies()] == [10, 10, 5]


@pytest.mark.semantics("SQS-02", "SQS-03")
async def test_a_failed_batch_comes_back_at_its_visibility_timeout_and_redrive_is_the_queues() -> None:
    world = World()
    queue = world.queue(visibility=30.0, max_receives=2)
    world.mapping(queue, world.function(refuse_all))
    queue.send("poison")
    async with world.running():
        await until(600)
    assert world.watch.invocation_times() == [0.0, 30.0]
    assert [message.body for message in queue.dead] == ["poison"]


@pytest.mark.semantics("SQS-04")
async def test_only_the_listed_messages_of_a_partial_failure_come_back() -> None:
    world = World()
    queue = world.queue(visibility=30.0, max_receives=3)
    ids: dict[str, str] = {}

    async def handler(bodies: list[str]) -> object:
        return {"batchItemFailures": [{"itemIdentifier": ids["bad"]}] if "bad" in bodies else []}

    world.mapping(queue, world.function(handler), partial=True)
    for body in ("good", "bad", "fine"):
        ids[body] = queue.send(body)
    async with world.running():
        await until(600)
    assert world.watch.invoked_bodies() == [["good", "bad", "fine"], ["bad"], ["bad"]]
    assert [message.body for message in queue.dead] == ["bad"]


@pytest.mark.semantics("SQS-05")
async def test_a_throttled_batch_is_tried_again_until_its_time_is_over_and_then_left_to_the_queue() -> None:
    world = World()
    queue = world.queue(visibility=10.0)
    replies = 0

    async def handler(bodies: list[str]) -> object:
        nonlocal replies
        replies += 1
        return throttled() if anyio.current_time() < 10 else {}

    world.mapping(queue, world.function(handler))
    queue.send("patient")
    async with world.running():
        await until(60)
    # Back-off 0.5, 1, 2, 4: the fifth try would come at 15.5 s, so the batch is given up at 10 s and received again.
    assert world.watch.invocation_times() == [0.0, 0.5, 1.5, 3.5, 7.5, 10.0]
    returned = [e for e in world.watch.of(Settled) if e.settlements[0].fate.kind is FateKind.RETURNED]
    assert len(returned) == 1
    assert queue.messages == []


@pytest.mark.semantics("SQS-06")
async def test_a_function_that_cannot_start_leaves_its_messages_in_the_queue() -> None:
    world = World()
    queue = world.queue(visibility=30.0, max_receives=1)
    function = world.function(take_all)
    function.invoker.break_down("no such module")
    supervisor = world.mapping(queue, function)
    queue.send("precious")
    async with world.running():
        await until(300)
        assert world.watch.invoked_bodies() == []
        assert where(supervisor) is PollState.WAITING
        assert "no such module" in str(supervisor.status.reason)
        function.invoker.mend()
        await until(400)
    assert world.watch.invoked_bodies() == [["precious"]]
    assert queue.messages == queue.dead == []


@pytest.mark.semantics("SQS-06")
async def test_nothing_is_fetched_for_a_function_that_went_down_while_polling() -> None:
    world = World()
    queue = world.queue(visibility=30.0, max_receives=1)
    function = world.function(take_all, concurrency=2)
    world.mapping(queue, function, receivers=2, batch_size=1)
    async with world.running():
        await until(1)
        function.invoker.break_down("exits at init")
        queue.send("found out")
        await until(30)  # long polls that were already under way are over
        queue.send("never touched")
        await until(1000)
        assert [message.receives for message in queue.messages] == [1, 0]
        function.invoker.mend()
        await until(1100)
    assert queue.messages == queue.dead == []


@pytest.mark.semantics("SQS-18")
async def test_nothing_is_fetched_that_could_not_be_invoked() -> None:
    world = World()
    first, second = world.queue("first"), world.queue("second")

    async def slow(bodies: list[str]) -> None:
        await anyio.sleep(100)

    function = world.function(slow, timeout=300.0, concurrency=1)
    world.mapping(first, function, name="first")
    world.mapping(second, function, name="second")
    async with world.running():
        first.send("long")
        await until(30)  # the second mapping's long poll, already under way, is over
        second.send("waits in its queue")
        await until(99)
        assert [message.receives for message in second.messages] == [0]
        await until(300)
    assert second.messages == []


@pytest.mark.semantics("SQS-08")
async def test_a_source_that_fails_is_asked_again_with_back_off() -> None:
    world = World()
    queue = world.queue()
    world.mapping(queue, world.function(take_all))
    queue.broken = SourceUnavailable("no route")
    async with world.running():
        await until(20)
        queue.broken = None
        queue.send("late")
        await until(60)
    assert queue.messages == []


async def test_a_fetch_that_fails_backs_off_and_recovers() -> None:
    world = World()
    queue = world.queue()
    supervisor = world.mapping(queue, world.function(take_all))
    async with world.running():
        await until(1)
        queue.broken = SourceUnavailable("no route")
        queue.wake()
        await until(10)
        assert where(supervisor) is PollState.WAITING
        assert "no route" in str(supervisor.status.reason)
        queue.broken = None
        await until(30)
        queue.send("late")
        await until(31)
        assert where(supervisor) is PollState.POLLING
    delays = [event.delay for event in world.watch.of(FetchFailed)]
    assert delays == [0.5, 1.0, 2.0, 4.0, 8.0]
    assert queue.messages == []


@pytest.mark.semantics("SQS-09")
async def test_a_queue_that_is_not_there_is_waited_for_visibly_and_again_when_it_goes_away() -> None:
    world = World()
    queue = world.queue(exists=False)
    supervisor = world.mapping(queue, world.function(take_all))
    async with world.running():
        await until(60)
        assert where(supervisor) is PollState.WAITING
        assert "does not exist" in str(supervisor.status.reason)
        queue.exists = True
        await until(75)
        assert where(supervisor) is PollState.POLLING
        queue.exists = False
        queue.wake()
        await until(100)
        assert where(supervisor) is PollState.WAITING
        queue.exists = True
        queue.send("here")
        await until(120)
    assert queue.messages == []


@pytest.mark.semantics("SQS-10")
async def test_filtered_messages_are_deleted_without_an_invocation() -> None:
    world = World()
    queue = world.queue()

    def keeps(record: Record) -> bool:
        return record.item["body"] != "noise"

    world.mapping(queue, world.function(take_all), keeps=passing(keeps))
    for body in ("noise", "signal", "noise"):
        queue.send(body)
    async with world.running():
        await until(60)
    assert world.watch.invoked_bodies() == [["signal"]]
    assert sum(len(event.records) for event in world.watch.of(Filtered)) == 2
    assert queue.messages == []


async def test_a_queue_that_is_slow_to_delete_is_not_read_without_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    async def slow(self: MemoryQueueReceiver, settlements: Sequence[Settlement]) -> Collection[Record]:
        await anyio.sleep(100)
        return ()

    monkeypatch.setattr(MemoryQueueReceiver, "settle", slow)
    world = World()
    queue = world.queue(visibility=600.0)
    world.mapping(queue, world.function(take_all), keeps=passing(lambda record: False))
    for number in range(500):
        queue.send(str(number))
    async with world.running(grace=300.0):
        await until(50)
        assert sum(message.receives for message in queue.messages) == 10 * REFUSALS
        await until(150)
        assert sum(message.receives for message in queue.messages) == 20 * REFUSALS


@pytest.mark.semantics("SQS-11")
async def test_a_window_gathers_beyond_ten_messages_and_ends_on_time() -> None:
    world = World()
    queue = world.queue()
    world.mapping(queue, world.function(take_all), batch_size=100, window=5.0)
    async with world.running():
        await until(10)
        for number in range(25):
            queue.send(str(number))
        await until(12)
        queue.send("later")
        await until(60)
    assert [len(batch) for batch in world.watch.invoked_bodies()] == [26]
    assert world.watch.invocation_times() == [15.0]


@pytest.mark.semantics("SQS-12")
async def test_a_full_batch_does_not_wait_for_its_window() -> None:
    world = World()
    queue = world.queue()
    world.mapping(queue, world.function(take_all), batch_size=20, window=300.0)
    for number in range(20):
        queue.send(str(number))
    async with world.running():
        await until(60)
    assert world.watch.invocation_times() == [0.0]


def sizes(world: World) -> list[int]:
    return [len(batch) for batch in world.watch.invoked_bodies()]


@pytest.mark.parametrize("seconds", [0.0, 0.1, 2.0])
@pytest.mark.parametrize(("messages", "batch_size", "window"), [(1000, 1000, 10.0), (100, 100, 5.0), (1000, 100, 5.0)])
@pytest.mark.semantics("SQS-26")
async def test_a_backlog_gives_full_batches(seconds: float, messages: int, batch_size: int, window: float) -> None:
    world = World()
    queue = world.queue(visibility=600.0)

    async def handler(bodies: list[str]) -> None:
        await anyio.sleep(seconds)

    supervisor = world.mapping(
        queue, world.function(handler, concurrency=5), batch_size=batch_size, window=window, receivers=5
    )
    for number in range(messages):
        queue.send(str(number))
    async with world.running():
        await until(300)
        assert supervisor.feeds == 1
    assert sizes(world) == [batch_size] * (messages // batch_size)
    assert queue.messages == []


@pytest.mark.semantics("SQS-26", "SQS-17")
async def test_a_backlog_is_worked_on_by_as_many_as_there_may_be() -> None:
    world = World()
    queue = world.queue(visibility=600.0)
    together = most = 0

    async def handler(bodies: list[str]) -> None:
        nonlocal together, most
        together += 1
        most = max(most, together)
        await anyio.sleep(2)
        together -= 1

    world.mapping(queue, world.function(handler, concurrency=10), batch_size=20, window=5.0, receivers=4)
    for number in range(400):
        queue.send(str(number))
    async with world.running():
        await until(60)
    assert most == 4
    assert world.watch.invocation_times() == [2.0 * (number // 4) for number in range(20)]
    assert sizes(world) == [20] * 20


@pytest.mark.semantics("SQS-26")
async def test_a_trickle_gives_one_batch_a_window_after_a_backlog_too() -> None:
    world = World()
    queue = world.queue(visibility=600.0)

    async def handler(bodies: list[str]) -> None:
        await anyio.sleep(0.5)

    world.mapping(queue, world.function(handler, concurrency=5), batch_size=20, window=5.0, receivers=5)
    for number in range(200):
        queue.send(str(number))
    async with world.running():
        await until(100)
        for number in range(60):
            queue.send(str(number))
            await until(101 + number)
        await until(300)
    assert sizes(world)[:10] == [20] * 10
    assert sizes(world)[10:] == [6] * 10
    assert queue.messages == []


@pytest.mark.semantics("SQS-26")
async def test_the_batches_of_a_window_that_are_full_by_bytes_leave_no_crumbs() -> None:
    world = World()
    queue = world.queue(visibility=600.0)

    async def handler(bodies: list[str]) -> None:
        await anyio.sleep(1)

    world.mapping(queue, world.function(handler, concurrency=5), batch_size=1000, window=5.0, receivers=5)
    for number in range(240):
        queue.send(f"{number:<250000}")
    async with world.running():
        await until(300)
    assert sorted(sizes(world))[-9:] == [25] * 9
    assert queue.messages == []


@pytest.mark.semantics("SQS-13")
async def test_messages_of_a_group_stay_in_order_when_some_fail() -> None:
    world = World()
    queue = world.queue(fifo=True, visibility=30.0)
    ids: dict[str, str] = {}
    taken: list[str] = []

    async def handler(bodies: list[str]) -> object:
        for place, body in enumerate(bodies):
            if body == "a2" and anyio.current_time() < 60:
                # As AWS asks of FIFO functions: everything from the first failure on is listed.
                rest = [other for other in bodies[place:] if other.startswith("a")]
                taken.extend(other for other in bodies[place:] if not other.startswith("a"))
                return {"batchItemFailures": [{"itemIdentifier": ids[other]} for other in rest]}
            taken.append(body)
        return {}

    world.mapping(queue, world.function(handler), partial=True, receivers=3)
    for number in range(1, 7):
        ids[f"a{number}"] = queue.send(f"a{number}", group="a")
        ids[f"b{number}"] = queue.send(f"b{number}", group="b")
    async with world.running():
        await until(300)
    assert queue.messages == []
    assert [body for body in taken if body.startswith("a")] == [f"a{n}" for n in range(1, 7)]
    assert [body for body in taken if body.startswith("b")] == [f"b{n}" for n in range(1, 7)]


@pytest.mark.semantics("SQS-15")
async def test_a_stop_lets_the_invocation_finish_and_settles_it() -> None:
    world = World()
    queue = world.queue()

    async def slow(bodies: list[str]) -> None:
        await anyio.sleep(3)

    world.mapping(queue, world.function(slow, timeout=10.0))
    queue.send("one")
    async with world.running(grace=5.0):
        await until(1)
    assert anyio.current_time() == 3.0
    assert queue.messages == []


@pytest.mark.semantics("SQS-24")
async def test_a_stop_lets_the_poll_under_way_end_and_gives_back_what_it_brings() -> None:
    """A server goes on with a poll that was hung up on: with maxReceiveCount 1 that would be the dead-letter queue."""
    world = World()
    queue = world.queue(visibility=600.0, max_receives=2)
    world.mapping(queue, world.function(take_all))
    async with world.running(grace=30.0):
        await until(1)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(world.stop, 30.0)
            await until(2)
            queue.send("arrives during the stop")
    assert anyio.current_time() == 2.0
    assert world.watch.invoked_bodies() == []
    assert [(message.receives, message.visible_at) for message in queue.messages] == [(1, 2.0)]


@pytest.mark.semantics("SQS-16")
async def test_a_stop_gives_back_at_once_what_it_cut_and_what_never_began() -> None:
    world = World()
    queue = world.queue(visibility=600.0)

    async def hang(bodies: list[str]) -> None:
        await anyio.sleep(900)

    world.mapping(queue, world.function(hang, timeout=900.0, concurrency=1), batch_size=1, receivers=1)
    other = world.queue("other", visibility=600.0)
    function = world.function(hang, timeout=900.0, concurrency=1)
    world.mapping(other, function, name="first", batch_size=1)
    world.mapping(other, function, name="second", batch_size=1)
    for body in ("x", "y"):
        queue.send(body)
        other.send(body)
    async with world.running(grace=5.0):
        await until(1)
    assert anyio.current_time() == pytest.approx(6.0)
    assert {message.body for message in queue.messages} == {"x", "y"}
    assert all(message.visible_at <= 6.0 for message in [*queue.messages, *other.messages])


@pytest.mark.semantics("SQS-17")
async def test_receivers_follow_the_backlog_up_to_the_limit_and_back() -> None:
    world = World()
    queue = world.queue()
    together = most = 0

    async def handler(bodies: list[str]) -> None:
        nonlocal together, most
        together += 1
        most = max(most, together)
        await anyio.sleep(1)
        together -= 1

    supervisor = world.mapping(queue, world.function(handler, concurrency=10), receivers=4)
    for number in range(400):
        queue.send(str(number))
    async with world.running():
        await until(100)
        assert most == 4
        await until(600)
        assert supervisor.feeds == 1
    assert queue.messages == []


@pytest.mark.semantics("SQS-18")
async def test_an_idle_mapping_starves_nobody_of_a_shared_function() -> None:
    world = World()
    idle, busy = world.queue("idle"), world.queue("busy")

    async def handler(bodies: list[str]) -> None:
        await anyio.sleep(0.5)

    function = world.function(handler, concurrency=1)
    world.mapping(idle, function, name="idle")
    world.mapping(busy, function, name="busy", batch_size=1)
    for number in range(10):
        busy.send(str(number))
    async with world.running():
        await until(6)
        assert busy.messages == []


@pytest.mark.semantics("SQS-19")
async def test_two_busy_mappings_take_turns_at_a_shared_function() -> None:
    world = World()
    first, second = world.queue("first"), world.queue("second")

    async def handler(bodies: list[str]) -> None:
        await anyio.sleep(1)

    function = world.function(handler, concurrency=1)
    world.mapping(first, function, name="first", batch_size=1, receivers=1)
    world.mapping(second, function, name="second", batch_size=1, receivers=1)
    for number in range(20):
        first.send(f"first {number}")
        second.send(f"second {number}")
    async with world.running():
        await until(20.5)
        bodies = world.watch.bodies()
        assert abs(sum(b.startswith("first") for b in bodies) - sum(b.startswith("second") for b in bodies)) <= 2
