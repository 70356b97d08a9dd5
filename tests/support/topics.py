"""Topics of a broker, made when a test needs them, through the client library that most people use."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import confluent_kafka
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewPartitions, NewTopic

from .eventually import PATIENCE, eventually

Message = tuple[bytes | None, bytes | None]
"""Key and value."""
OFFSETS = "__consumer_offsets"


class Topics:
    def __init__(self, server: str) -> None:
        self.server = server
        self._settings: dict[str, Any] = {
            "bootstrap.servers": server,
            "allow.auto.create.topics": False,
            "log_level": 0,
        }
        self.admin = AdminClient(self._settings)
        self._producer = confluent_kafka.Producer({**self._settings, "linger.ms": 0})
        self._nobody = confluent_kafka.Consumer({**self._settings, "group.id": "nobody"})

    def name(self) -> str:
        return f"t-{uuid.uuid4().hex[:12]}"

    def create(self, name: str = "", partitions: int = 1, **settings: str) -> str:
        """A topic; its name."""
        name = name or self.name()
        topic = NewTopic(name, partitions, 1, config={key.replace("_", "."): text for key, text in settings.items()})
        self.admin.create_topics([topic])[name].result(PATIENCE)
        eventually(lambda: name in self.names() and len(self._partitions(name)) == partitions)
        return name

    def place(self, nodes: Sequence[int]) -> str:
        """A topic with a partition at each of these brokers."""
        name = self.name()
        topic = NewTopic(name, len(nodes), replica_assignment=[[node] for node in nodes])
        self.admin.create_topics([topic])[name].result(PATIENCE)
        eventually(lambda: name in self.names() and len(self._partitions(name)) == len(nodes))
        return name

    def grow(self, name: str, partitions: int) -> None:
        self.admin.create_partitions([NewPartitions(name, partitions)])[name].result(PATIENCE)

    def delete(self, name: str) -> None:
        self.admin.delete_topics([name])[name].result(PATIENCE)
        eventually(lambda: name not in self.names())

    def names(self) -> set[str]:
        return set(self.admin.list_topics(timeout=PATIENCE).topics)

    def _partitions(self, name: str) -> Sequence[int]:
        return list(self.admin.list_topics(name, timeout=PATIENCE).topics[name].partitions)

    # --- records ----------------------------------------------------------------------------------------------------

    def send(
        self,
        name: str,
        *values: bytes | None,
        partition: int = 0,
        key: bytes | None = None,
        headers: Sequence[tuple[str, bytes | None]] = (),
        timestamp: int = 0,
    ) -> None:
        """They have arrived, in this order, when it returns. `timestamp` in milliseconds; 0 is now."""
        for value in values:
            self._producer.produce(
                name, value, key=key, partition=partition, headers=list(headers), timestamp=timestamp
            )
        assert self._producer.flush(PATIENCE) == 0

    def producer(self, **settings: object) -> Any:
        return confluent_kafka.Producer({**self._settings, **{k.replace("_", "."): v for k, v in settings.items()}})

    def delete_before(self, name: str, offset: int, partition: int = 0) -> None:
        """As retention does."""
        at = confluent_kafka.TopicPartition(name, partition, offset)
        self.admin.delete_records([at])[confluent_kafka.TopicPartition(name, partition)].result(PATIENCE)

    def messages(self, name: str, count: int) -> list[Message]:
        """The first so many of a topic, once they are there."""
        group = {"group.id": f"g-{uuid.uuid4().hex}", "auto.offset.reset": "earliest", "enable.auto.commit": False}
        consumer = confluent_kafka.Consumer({**self._settings, **group})
        consumer.assign([confluent_kafka.TopicPartition(name, each, 0) for each in self._partitions(name)])
        found: list[Message] = []

        def gathered() -> bool:
            for each in consumer.consume(100, 0.2):
                assert each.error() is None, each.error()
                found.append((each.key(), each.value()))
            return len(found) >= count

        try:
            eventually(gathered, f"{count} messages of {name}")
        finally:
            consumer.close()
        return found

    def ends(self, name: str) -> dict[int, int]:
        """The offset after the last record of each partition."""
        found: dict[int, int] = {}

        def answered() -> bool:
            with suppress(confluent_kafka.KafkaException):  # a partition that was just added looks for its leader
                found.update({each: self._end(name, each) for each in self._partitions(name)})
            return bool(found)

        eventually(answered, f"the ends of {name}")
        return found

    def _end(self, name: str, partition: int) -> int:
        at = confluent_kafka.TopicPartition(name, partition)
        return int(self._nobody.get_watermark_offsets(at, PATIENCE)[1])

    # --- groups -----------------------------------------------------------------------------------------------------

    def committed(self, group: str, name: str) -> dict[int, int]:
        """The offsets of a group, by partition; those that it has."""
        consumer = confluent_kafka.Consumer({**self._settings, "group.id": group})
        try:
            asked = [confluent_kafka.TopicPartition(name, each) for each in self._partitions(name)]
            found: list[Any] = []

            def answered() -> bool:
                with suppress(confluent_kafka.KafkaException):  # a broker that has just started looks for its groups
                    found.extend(consumer.committed(asked, timeout=PATIENCE))
                return bool(found)

            eventually(answered, f"the offsets of {group}")
        finally:
            consumer.close()
        return {each.partition: each.offset for each in found if each.offset >= 0}

    def group_at(self, node: int) -> str:
        """The name of a group whose offsets this broker keeps: it leads their partition."""
        eventually(self._offsets_are_kept, "leaders of all partitions of the groups' offsets")
        leaders = self._leaders(OFFSETS)
        names = (self.name() for _ in itertools.count())
        return next(name for name in names if leaders[_java_hash(name) % len(leaders)] == node)

    def _offsets_are_kept(self) -> bool:
        """Asking for offsets makes the topic that they are kept in."""
        with suppress(confluent_kafka.KafkaException):
            self._nobody.committed([confluent_kafka.TopicPartition("any", 0)], timeout=PATIENCE)
        leaders = self._leaders(OFFSETS)
        return bool(leaders) and min(leaders.values()) > 0

    def _leaders(self, name: str) -> dict[int, int]:
        """The broker that leads each partition; not above 0 where there is none."""
        found = self.admin.list_topics(timeout=PATIENCE).topics.get(name)
        return {number: each.leader for number, each in found.partitions.items()} if found else {}

    def rebalancing(self, group: str) -> bool:
        """Whether its members are asked to give back what they have."""
        described = self.admin.describe_consumer_groups([group])[group].result(PATIENCE)
        return bool(described.state.name == "PREPARING_REBALANCING")

    def commit(self, group: str, name: str, offset: int, note: str, partition: int = 0) -> None:
        """As somebody who is no member."""
        consumer = confluent_kafka.Consumer({**self._settings, "group.id": group})
        try:
            at = confluent_kafka.TopicPartition(name, partition, offset, note)
            eventually(lambda: self._committed(consumer, at))
        finally:
            consumer.close()

    def _committed(self, consumer: Any, at: Any) -> bool:
        with suppress(confluent_kafka.KafkaException):  # a broker that has just started looks for its groups
            consumer.commit(offsets=[at], asynchronous=False)
            return True
        return False

    def groups(self) -> set[str]:
        return {each.group_id for each in self.admin.list_consumer_groups().result(PATIENCE).valid}


def _java_hash(text: str) -> int:
    """As brokers spread groups over the partitions of their offsets: Java's hash of a string, its absolute value."""
    value = 0
    for letter in text:
        value = (31 * value + ord(letter)) & 0xFFFFFFFF
    return min(value, 2**32 - value)
