"""A cluster's answers about a topic: its id, the leaders of its partitions, and the coordinator of a group's offsets.
aiokafka does not ask for a topic's id, and without it a recreated topic looks like the old one; so the request that
does is here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any
from uuid import UUID

import anyio

from .closing import end
from .connection import KafkaConnection

if TYPE_CHECKING:
    from aiokafka.client import AIOKafkaClient

NOBODY = -1
"""The leader of a partition that has none."""
UNKNOWN_TOPIC, NO_LEADER = 3, 5
"""Codes of errors: of a topic, and of a partition."""
PAUSES = (0.1, 0.2, 0.4, 0.8, 1.6)
"""Seconds between questions that a coordinator which has just become one cannot answer yet."""


@dataclass(frozen=True, slots=True)
class TopicDescription:
    """One topic as the cluster knows it now."""

    id: str
    """The topic's id: a recreated topic has another. Empty where brokers tell none (before 2.8)."""
    leaders: Mapping[int, int]
    """The node that leads each partition, or NOBODY."""


@asynccontextmanager
async def asking(connection: KafkaConnection) -> AsyncIterator[AIOKafkaClient]:
    """A client for a question or two. Raises what aiokafka raises."""
    from aiokafka.client import AIOKafkaClient

    client = AIOKafkaClient(**connection.arguments())
    try:
        await client.bootstrap()
        yield client
    finally:
        await end(client.close())


async def find(client: AIOKafkaClient, name: str) -> TopicDescription | None:
    """The topic, if there is one; asking does not make it. Raises what aiokafka raises."""
    from aiokafka import errors

    try:
        (found,) = (await client.send(client.get_random_node(), _request()(name))).topics
    except (errors.IncompatibleBrokerVersion, NotImplementedError):
        return await _found_among_all(client, name)
    code, _, number, _, partitions, *_ = found
    if code == UNKNOWN_TOPIC:
        return None
    if code not in (0, NO_LEADER):
        raise errors.for_code(code)(name)
    return TopicDescription(str(UUID(bytes=number)), {partition: leader for _, partition, leader, *_ in partitions})


async def _found_among_all(client: AIOKafkaClient, name: str) -> TopicDescription | None:
    """From brokers that would make the one topic that they are asked for."""
    from aiokafka.protocol.metadata import MetadataRequest

    topics = (await client.send(client.get_random_node(), MetadataRequest(None))).to_object()["topics"]
    found = next((each for each in topics if each["topic"] == name), None)
    if found is None:
        return None
    return TopicDescription("", {each["partition"]: each["leader"] for each in found["partitions"]})


async def leaders_away(client: AIOKafkaClient, name: str, topic: TopicDescription) -> str:
    """The partitions without a leader to read from; empty when all have one."""
    led: dict[int, list[str]] = defaultdict(list)
    for partition, node in sorted(topic.leaders.items()):
        led[node].append(f"{name}-{partition}")
    if orphans := led.pop(NOBODY, None):
        return f"{', '.join(orphans)} has no leader: the broker that holds it is not available"
    for node, partitions in led.items():
        if not await client.ready(node):
            return f"{_place(client, node)}, which leads {', '.join(partitions)}, does not answer"
    return ""


async def coordinator_away(client: AIOKafkaClient, group: str) -> str:
    """Why no broker stores the offsets of a group; empty when one does. Raises what aiokafka raises of a group that
    this user may not use."""
    node, kind = await _coordinator(client, group)
    if kind is not None:
        return f"the group {group} has no coordinator ({kind}): the broker that keeps its offsets is not available"
    if not await client.ready(node):
        return f"{_place(client, node)}, which keeps the offsets of the group {group}, does not answer"
    return ""


async def _coordinator(client: AIOKafkaClient, group: str) -> tuple[int, str | None]:
    """The first request for any group makes brokers create their topic of offsets, which takes a moment."""
    from aiokafka import errors
    from aiokafka.protocol.coordination import FindCoordinatorRequest

    for pause in (*PAUSES, None):
        answer = await client.send(client.get_random_node(), FindCoordinatorRequest(group, 0))
        kind = errors.for_code(answer.error_code)
        if kind is errors.GroupAuthorizationFailedError:
            raise kind(group)
        if kind is errors.NoError:
            return answer.coordinator_id, None
        if pause is not None:
            await anyio.sleep(pause)
    return NOBODY, kind.__name__


@dataclass(frozen=True, slots=True)
class Committed:
    """What a group has of a partition."""

    offset: int
    note: str


async def committed(
    client: AIOKafkaClient, group: str, name: str, partitions: Iterable[int]
) -> Mapping[int, Committed]:
    """By partition; those that the group has an offset of. Raises what aiokafka raises."""
    from aiokafka import errors

    for pause in (*PAUSES, None):
        try:
            return await _committed(client, group, name, partitions)
        except (errors.GroupLoadInProgressError, errors.NotCoordinatorForGroupError):
            if pause is None:
                raise
            await anyio.sleep(pause)
    raise AssertionError("unreachable: the last attempt returns or raises")


async def _committed(
    client: AIOKafkaClient, group: str, name: str, partitions: Iterable[int]
) -> Mapping[int, Committed]:
    from aiokafka import errors
    from aiokafka.protocol.commit import OffsetFetchRequest

    node, kind = await _coordinator(client, group)
    if kind is not None:
        raise errors.GroupCoordinatorNotAvailableError(kind)
    answer = await client.send(node, OffsetFetchRequest(group, [(name, sorted(partitions))]))
    found = [each for _, of_topic in answer.topics for each in of_topic]
    for code in (getattr(answer, "error_code", 0), *(each[3] for each in found)):
        if code:
            raise errors.for_code(code)(group)
    return {partition: Committed(offset, note or "") for partition, offset, note, _ in found if offset >= 0}


def _place(client: AIOKafkaClient, node: int) -> str:
    broker = client.cluster.broker_metadata(node)
    return f"the broker at {broker.host}:{broker.port}" if broker else f"broker {node}"


@cache
def _request() -> Any:
    """The request for metadata of one topic, as of version 11: https://kafka.apache.org/protocol#The_Messages_Metadata."""
    from aiokafka.protocol.api import Request, RequestStruct, Response
    from aiokafka.protocol.types import (
        AbstractType,
        Boolean,
        CompactArray,
        CompactString,
        Int16,
        Int32,
        Schema,
        TaggedFields,
    )

    class Uuid(AbstractType[bytes]):  # type: ignore[misc]
        @classmethod
        def encode(cls, value: bytes) -> bytes:
            return value

        @classmethod
        def decode(cls, data: Any) -> bytes:
            return bytes(data.read(16))

    text = CompactString("utf-8")
    partition = CompactArray(
        ("error_code", Int16),
        ("partition", Int32),
        ("leader", Int32),
        ("leader_epoch", Int32),
        ("replicas", CompactArray(Int32)),
        ("isr", CompactArray(Int32)),
        ("offline_replicas", CompactArray(Int32)),
        ("tags", TaggedFields),
    )
    topic = CompactArray(
        ("error_code", Int16),
        ("topic", text),
        ("id", Uuid),
        ("is_internal", Boolean),
        ("partitions", partition),
        ("operations", Int32),
        ("tags", TaggedFields),
    )
    broker = CompactArray(("node_id", Int32), ("host", text), ("port", Int32), ("rack", text), ("tags", TaggedFields))

    class FindCoordinatorAnswer(Response):  # type: ignore[misc]
        API_KEY, API_VERSION = 3, 11
        SCHEMA = Schema(
            ("throttle_time_ms", Int32),
            ("brokers", broker),
            ("cluster_id", text),
            ("controller_id", Int32),
            ("topics", topic),
            ("tags", TaggedFields),
        )

    class Question(RequestStruct):  # type: ignore[misc]
        FLEXIBLE_VERSION = True
        API_KEY, API_VERSION, RESPONSE_TYPE = 3, 11, FindCoordinatorAnswer
        SCHEMA = Schema(
            ("topics", CompactArray(("id", Uuid), ("topic", text), ("tags", TaggedFields))),
            ("allow_auto_topic_creation", Boolean),
            ("operations", Boolean),
            ("tags", TaggedFields),
        )

    class AboutTopic(Request[Question]):  # type: ignore[misc]
        API_KEY = 3

        def __init__(self, name: str) -> None:
            self._name = name

        def build(self, request_struct_class: Any) -> Any:
            return request_struct_class([(bytes(16), self._name, {})], False, False, {})

    return AboutTopic
