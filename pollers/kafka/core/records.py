"""A topic's records as ours: pure. Used by `reader.py` alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from ....dispatch.core.model import Lane
from ....dispatch.core.pages import Page
from ....dispatch.kinds.kafka import KafkaSheet

if TYPE_CHECKING:
    from aiokafka import ConsumerRecord, TopicPartition


def lane_of(source: str, partition: TopicPartition) -> Lane:
    """`source`: the cluster."""
    return Lane(f"{source}/{partition.topic}", f"{partition.topic}-{partition.partition}")


def lanes_of(source: str, partitions: Iterable[TopicPartition]) -> tuple[Lane, ...]:
    return tuple(lane_of(source, partition) for partition in sorted(partitions))


def page_of(lane: Lane, partition: TopicPartition, raws: Sequence[ConsumerRecord], now: float) -> Page:
    """The records that one fetch returned from a partition. `now`: wall-clock seconds."""
    return Page(KafkaSheet(lane, partition.topic, partition.partition, raws, now))
