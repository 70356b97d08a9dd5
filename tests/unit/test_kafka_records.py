"""Records of a topic as ours."""

from __future__ import annotations

import pytest
from aiokafka import ConsumerRecord, TopicPartition

from headrace.dispatch.core.model import Record
from headrace.pollers.kafka.core.records import lane_of, page_of

NOW = 1657720080.5


def raw(timestamp: int | None, timestamp_type: int | None) -> ConsumerRecord:
    return ConsumerRecord("orders", 2, 7, timestamp, timestamp_type, None, b"x", None, -1, 1, [])


def record_of(raw: ConsumerRecord) -> Record:
    partition = TopicPartition("orders", 2)
    (record,) = page_of(lane_of("cluster", partition), partition, [raw], NOW)
    return record


@pytest.mark.semantics("KAFKA-30")
@pytest.mark.parametrize(("timestamp", "timestamp_type"), [(None, None), (-1, 0)], ids=["oldest format", "none"])
def test_the_age_of_a_record_without_a_timestamp_counts_from_its_fetch(
    timestamp: int | None, timestamp_type: int | None
) -> None:
    record = record_of(raw(timestamp, timestamp_type))
    assert record.arrived == NOW
    assert record.item["timestamp"] == -1
    assert record.item["timestampType"] == "CREATE_TIME"


@pytest.mark.semantics("KAFKA-30")
@pytest.mark.parametrize(("timestamp_type", "name"), [(0, "CREATE_TIME"), (1, "LOG_APPEND_TIME")])
def test_a_record_is_as_old_as_its_timestamp_says(timestamp_type: int, name: str) -> None:
    record = record_of(raw(1545084650987, timestamp_type))
    assert record.arrived == 1545084650.987
    assert record.item["timestamp"] == 1545084650987
    assert record.item["timestampType"] == name
