"""Brokers that go away and topics that are deleted while they are read: told, and nothing is lost or held up."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import anyio
import anyio.to_thread
import pytest

from headrace.dispatch.core.observer import Fetched, FetchesAgain, FetchFailed, Gap, Rebalanced, StreamRecreated
from headrace.pollers.core.lifecycle import PollState, Status
from headrace.pollers.core.pool import Pool
from support.eventually import eventually_async
from support.servers import kafka
from support.servers.running import Restartable, Server
from support.topic_lab import Group, Member
from support.topics import Topics

pytestmark = pytest.mark.needs("java", "maven")
LOOK = 0.3


@pytest.fixture(scope="module")
def broker() -> Iterator[Server]:
    with kafka.start() as server:
        yield server


@pytest.fixture(scope="module")
def topics(broker: Server) -> Topics:
    return Topics(f"{broker.host}:{broker.port}")


@pytest.fixture(scope="module")
def pair() -> Iterator[list[Restartable]]:
    with kafka.cluster(2, kafka.Extras(settings={"broker.session.timeout.ms": "3000"})) as nodes:
        yield nodes


async def soon(condition: Callable[[], object], what: str = "") -> None:
    async def holds() -> object:
        return await anyio.to_thread.run_sync(condition)

    await eventually_async(holds, what)


def status_of(member: Member) -> Status:
    """Asked for on the event loop: a condition runs in a thread."""
    assert member.supervisor is not None
    supervisor = member.supervisor
    return anyio.from_thread.run_sync(lambda: supervisor.status)


def waits_for(member: Member, text: str) -> bool:
    status = status_of(member)
    return status.state is PollState.WAITING and text in str(status.reason)


def polls(member: Member) -> bool:
    return status_of(member).state is PollState.POLLING


def told(member: Member) -> str:
    return "\n".join({each.cause.text for each in member.watch.of(FetchFailed)})


# --- brokers that go away ---------------------------------------------------------------------------------------------


@pytest.mark.semantics("KAFKA-24")
async def test_when_one_leader_is_away_its_partition_is_told_and_the_others_go_on(pair: list[Restartable]) -> None:
    one, two = pair
    topics = Topics(f"{one.server.host}:{one.server.port}")
    topic = topics.place([1, 2])
    group = Group(topics, topic, name=topics.group_at(1), look=LOOK)
    topics.send(topic, b"here")
    topics.send(topic, b"there", partition=1)
    member = group.member()
    async with member.running():
        await soon(lambda: sorted(member.taken) == [b"here", b"there"])
        two.kill()
        await soon(lambda: waits_for(member, f"{topic}-1"), told(member))
        topics.send(topic, b"meanwhile")
        await soon(lambda: b"meanwhile" in member.taken, told(member))
        await soon(lambda: waits_for(member, f"{topic}-1"), told(member))
        await anyio.to_thread.run_sync(two.start)
        await soon(lambda: polls(member), told(member))
        topics.send(topic, b"again", partition=1)
        await soon(lambda: b"again" in member.taken, told(member))
        await soon(lambda: group.committed == {0: 2, 1: 2})
    assert sorted(member.taken) == [b"again", b"here", b"meanwhile", b"there"]
    assert member.watch.of(FetchesAgain) != []


@pytest.mark.semantics("KAFKA-24")
async def test_when_the_coordinator_is_away_that_is_told_and_what_was_done_is_committed_later(
    pair: list[Restartable],
) -> None:
    one, two = pair
    topics = Topics(f"{one.server.host}:{one.server.port}")
    topic = topics.place([1])
    group = Group(topics, topic, name=topics.group_at(2), look=LOOK)
    topics.send(topic, b"before")
    member = group.member()
    async with member.running():
        await soon(lambda: group.committed == {0: 1}, told(member))
        two.kill()
        await soon(lambda: waits_for(member, f"the group {group.name}"), told(member))
        topics.send(topic, b"meanwhile")
        await soon(lambda: b"meanwhile" in member.taken, told(member))
        await anyio.to_thread.run_sync(two.start)
        await soon(lambda: group.committed == {0: 2}, told(member))
        await soon(lambda: polls(member), told(member))
    assert member.taken == [b"before", b"meanwhile"]


@pytest.mark.semantics("KAFKA-24")
async def test_a_group_without_coordinator_is_not_opened_and_that_is_told(pair: list[Restartable]) -> None:
    one, two = pair
    topics = Topics(f"{one.server.host}:{one.server.port}")
    topic = topics.place([1])
    topics.send(topic, b"x")
    group = Group(topics, topic, name=topics.group_at(2), look=LOOK)
    two.kill()
    member = group.member()
    async with member.running():
        await soon(lambda: waits_for(member, f"the group {group.name}"), told(member))
        await anyio.to_thread.run_sync(two.start)
        await soon(lambda: group.committed == {0: 1}, told(member))
    assert member.taken == [b"x"]


# --- topics that are deleted and made anew ----------------------------------------------------------------------------


@pytest.mark.semantics("KAFKA-08", "KAFKA-25")
async def test_a_topic_that_is_deleted_while_it_is_read_is_waited_for_and_not_made(topics: Topics) -> None:
    topic = topics.create()
    topics.send(topic, b"old", b"older")
    group = Group(topics, topic, start="LATEST", look=LOOK)
    member = group.member()
    async with member.running():
        await soon(lambda: group.committed == {0: 2})
        topics.delete(topic)
        await soon(lambda: waits_for(member, f"topic {topic} does not exist"), told(member))
        for _ in range(20):
            assert topic not in topics.names()
            await anyio.sleep(0.05)  # time in which it would be made, not a wait for anything
        topics.create(topic)
        topics.send(topic, b"new", b"newer")
        await soon(lambda: member.taken == [b"new", b"newer"], told(member))
        await soon(lambda: group.committed == {0: 2})
    (recreated,) = member.watch.of(StreamRecreated)
    assert (recreated.source, recreated.before) == (topic, topic)
    assert member.watch.of(Gap) == []


@pytest.mark.semantics("KAFKA-25")
@pytest.mark.parametrize("count", [1, 5])
async def test_a_topic_that_is_made_anew_between_two_looks_is_read_from_its_beginning(
    topics: Topics, count: int
) -> None:
    """With fewer records than were read, and with more: then only the topic's id tells."""
    topic = topics.create()
    topics.send(topic, b"a", b"b", b"c")
    group = Group(topics, topic, look=LOOK)
    member = group.member()
    async with member.running():
        await soon(lambda: group.committed == {0: 3})
        topics.delete(topic)
        topics.create(topic)
        fresh = [b"%d" % number for number in range(count)]
        topics.send(topic, *fresh)
        await soon(lambda: set(fresh) <= set(member.taken), told(member))
        await soon(lambda: group.committed == {0: count} and polls(member), told(member))
    assert len(member.watch.of(StreamRecreated)) == 1


@pytest.mark.semantics("KAFKA-25")
async def test_offsets_of_another_topic_of_this_name_count_no_more(topics: Topics) -> None:
    """As a broker leaves them that keeps the offsets of a topic which was deleted while nobody read it."""
    topic = topics.create()
    topics.send(topic, b"0", b"1", b"2")
    group = Group(topics, topic, start="LATEST")
    topics.commit(group.name, topic, 2, "topic 00000000-0000-0000-0000-000000000001")
    member = group.member()
    async with member.running():
        await soon(lambda: member.taken == [b"0", b"1", b"2"], told(member))
    assert len(member.watch.of(StreamRecreated)) == 1


@pytest.mark.semantics("KAFKA-25")
async def test_offsets_that_somebody_else_committed_are_gone_on_with(topics: Topics) -> None:
    topic = topics.create()
    topics.send(topic, b"0", b"1", b"2")
    group = Group(topics, topic)
    topics.commit(group.name, topic, 2, "whatever")
    topics.commit(group.name, topic, 2, "")
    member = group.member()
    async with member.running():
        await soon(lambda: member.taken == [b"2"], f"{member} {group.committed}")
    assert member.watch.of(StreamRecreated) == []


@pytest.mark.semantics("KAFKA-25")
async def test_an_offset_beyond_the_end_starts_again_at_the_oldest_record(topics: Topics) -> None:
    topic = topics.create()
    topics.send(topic, b"0", b"1")
    group = Group(topics, topic)
    topics.commit(group.name, topic, 7, "")
    member = group.member()
    async with member.running():
        await soon(lambda: member.taken == [b"0", b"1"], told(member))
        await soon(lambda: group.committed == {0: 2})
    assert len(member.watch.of(StreamRecreated)) == 1


@pytest.mark.semantics("KAFKA-26")
async def test_of_a_topic_that_was_waited_for_everything_is_new(topics: Topics) -> None:
    topic = topics.name()
    group = Group(topics, topic, start="LATEST")
    member = group.member()
    async with member.running():
        await soon(lambda: waits_for(member, "does not exist"))
        topics.create(topic)
        topics.send(topic, b"first")
        await soon(lambda: member.taken == [b"first"], told(member))


# --- partitions that come back ----------------------------------------------------------------------------------------


@pytest.mark.semantics("KAFKA-27")
async def test_a_partition_that_comes_back_waits_for_the_invocation_that_still_has_its_records(topics: Topics) -> None:
    topic = topics.create(partitions=2)
    topics.send(topic, b"a")
    topics.send(topic, b"b", partition=1)
    over, away = anyio.Event(), anyio.Event()
    running: list[bytes] = []
    together: list[bytes] = []

    async def one_at_a_time(values: list[bytes]) -> None:
        together.extend(value for value in values if value in running)
        running.extend(values)
        await over.wait()
        for value in values:
            running.remove(value)

    async def never(values: list[bytes]) -> None:
        await away.wait()

    group = Group(topics, topic, withdraw=0.2)
    one, two = group.member(one_at_a_time), group.member(never)
    async with one.running():
        await soon(lambda: sorted(one.begun) == [b"a", b"b"])
        async with two.running():
            await soon(lambda: len(two.begun) == 1)
        await soon(lambda: has_all_again(one), "both partitions are here again")
        topics.send(topic, b"c")
        topics.send(topic, b"d", partition=1)
        await soon(lambda: fetched(one) >= 6, "what was withdrawn and what is new is here, and waits")
        assert sorted(one.begun) == [b"a", b"b"]
        over.set()
        await soon(lambda: group.committed == {0: 2, 1: 2})
    assert together == []
    assert {b"c", b"d"} <= set(one.taken)


def has_all_again(member: Member) -> bool:
    return [len(each.gained) for each in member.watch.of(Rebalanced) if each.gained] == [2, 1, 2]


def fetched(member: Member) -> int:
    """Repetitions included."""
    return sum(len(each.records) for each in member.watch.of(Fetched))


@pytest.mark.semantics("KAFKA-19")
async def test_a_full_partition_of_which_nothing_is_fetched_is_kept_beyond_every_timeout(topics: Topics) -> None:
    topic = topics.create()
    topics.send(topic, b"long", b"next")

    async def long(values: list[bytes]) -> None:
        await anyio.sleep(9.0 if b"long" in values else 0.0)

    group = Group(topics, topic, session_timeout=6000, rebalance_timeout=6000, heartbeat=1000)
    member = group.member(long)
    member.ahead_bytes = 1
    async with member.running():
        await soon(lambda: group.committed == {0: 2})
    assert member.begun == [b"long", b"next"]


@pytest.mark.semantics("KAFKA-31")
async def test_partitions_that_are_blocked_hold_up_no_other(topics: Topics) -> None:
    topic = topics.create(partitions=3)
    for partition in range(2):
        topics.send(topic, b"poison", *[b"x" * 1000] * 500, partition=partition)

    async def refuse(values: list[bytes]) -> None:
        assert b"poison" not in values

    member = Group(topics, topic).member(refuse)
    member.pool, member.ahead_bytes = Pool(1), 200_000
    async with member.running():
        await soon(lambda: bool(member.begun))
        for number in range(20):
            topics.send(topic, b"%d" % number, partition=2)
            await soon(lambda number=number: b"%d" % number in member.taken)  # type: ignore[misc]
        assert [value for value in member.taken if value.isdigit()] == [b"%d" % number for number in range(20)]
