"""A topic's records as ours: pure. Used by `reader.py` alone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ....dispatch.core.model import Lane, Position, Record
from ....dispatch.kinds.kafka import kafka_item

if TYPE_CHECKING:
    from aiokafka import ConsumerRecord, TopicPartition


def lane_of(source: str, partition: TopicPartition) -> Lane:
    """`source`: the cluster."""
    return Lane(f"{source}/{partition.topic}", f"{partition.topic}-{partition.partition}")


def lanes_of(source: str, partitions: Iterable[TopicPartition]) -> tuple[Lane, ...]:
    return tuple(lane_of(source, partition) for partition in sorted(partitions))


NO_TIME = -1
"""Kafka's timestamp of a record without one, which brokers take from any producer."""


def record_of(source: str, raw: ConsumerRecord, now: float) -> Record:
    """`now`: wall-clock seconds, from which the age of a record without a timestamp counts."""
    shard = f"{raw.topic}-{raw.partition}"
    timestamp = NO_TIME if raw.timestamp is None else raw.timestamp  # None: the oldest format has no place for it
    item = kafka_item(
        topic=raw.topic,
        partition=raw.partition,
        offset=raw.offset,
        timestamp=timestamp,
        timestamp_type=raw.timestamp_type or 0,
        key=raw.key,
        value=raw.value,
        headers=raw.headers,
    )
    return Record(
        lane=Lane(f"{source}/{raw.topic}", shard),
        id=(shard, raw.offset),
        item=item,
        arrived=now if timestamp == NO_TIME else timestamp / 1000,
        position=Position(raw.offset, 0, str(raw.offset)),
        key=None if raw.key is None else raw.key.hex(),
    )
