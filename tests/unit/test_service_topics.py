"""What is counted and told of a topic's consumer group, and how many pollers it has."""

from __future__ import annotations

import io
import json
import logging

import pytest

from headrace.dispatch.core.model import Lane, Position, Record
from headrace.dispatch.core.observer import Event, Lagging, OffsetsCommitted, Rebalanced
from headrace.pollers.kafka.core.scaling import GROW, SHRINK, Pollers
from headrace.pollers.source import FetchResult
from headrace.service.telemetry.event_lines import Logs
from headrace.service.telemetry.log import LibraryLines, Log
from headrace.service.telemetry.metrics import Labels, Metrics


def lane(number: int) -> Lane:
    return Lane("b:9092/orders", f"orders-{number}")


class Hand:
    """A clock that is moved by hand."""

    now = 0.0

    def wall(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now


# --- pollers ----------------------------------------------------------------------------------------------------------

BEHIND, CAUGHT_UP, UNKNOWN = FetchResult(full=True), FetchResult(), FetchResult(passed_over=True)


def pollers(least: int, most: int, partitions: int) -> tuple[Pollers, Hand]:
    clock = Hand()
    made = Pollers((least, most), clock.now)
    made.partitions = partitions
    return made, clock


@pytest.mark.semantics("KAFKA-21")
def test_while_partitions_have_enough_here_the_pollers_stay_as_many_as_they_are() -> None:
    made, clock = pollers(1, 3, 8)
    clock.now += GROW
    made.polled("poller-1", BEHIND, clock.now)
    for _ in range(10):
        clock.now += SHRINK
        made.polled("poller-1", UNKNOWN, clock.now)
        assert len(made.wanted()) == 2
    clock.now += SHRINK
    made.polled("poller-1", CAUGHT_UP, clock.now)
    assert len(made.wanted()) == 1


@pytest.mark.semantics("KAFKA-21")
def test_there_is_one_poller_more_while_they_are_behind_and_one_less_while_they_are_not() -> None:
    made, clock = pollers(1, 3, 8)
    counts = []
    for seconds, fetched in [
        (0, BEHIND),
        (GROW - 1, BEHIND),
        (1, BEHIND),
        (1, BEHIND),
        (GROW, BEHIND),
        (GROW, BEHIND),
        (SHRINK - 1, CAUGHT_UP),
        (1, CAUGHT_UP),
        (1, CAUGHT_UP),
        (SHRINK, CAUGHT_UP),
        (SHRINK, CAUGHT_UP),
    ]:
        clock.now += seconds
        made.polled("poller-1", fetched, clock.now)
        counts.append(len(made.wanted()))
    assert counts == [1, 1, 2, 2, 3, 3, 3, 2, 2, 1, 1]


@pytest.mark.semantics("KAFKA-21")
@pytest.mark.parametrize(("partitions", "expected"), [(0, 1), (1, 1), (3, 3), (9, 4)])
def test_there_are_never_more_pollers_than_partitions(partitions: int, expected: int) -> None:
    made, _ = pollers(4, 4, partitions)
    assert made.wanted() == [f"poller-{number}" for number in range(1, expected + 1)]


# --- what is counted --------------------------------------------------------------------------------------------------


@pytest.mark.semantics("KAFKA-22")
def test_the_lag_is_that_of_all_members_until_a_partition_goes() -> None:
    metrics = Metrics([Labels("m", "kafka", "f")])

    def gauges() -> tuple[float | None, float | None]:
        labels = {"mapping": "m", "source": "kafka", "function": "f"}
        names = ("headrace_offset_lag_max", "headrace_offset_lag_sum")
        return tuple(metrics.registry.get_sample_value(name, labels) for name in names)  # type: ignore[return-value]

    told: list[tuple[Event, tuple[float, float]]] = [
        (Lagging("m", {lane(0): 3, lane(1): 4}), (4, 7)),
        (Lagging("m", {lane(2): 5}), (5, 12)),
        (Lagging("m", {lane(0): 0, lane(1): 0}), (5, 5)),
        (Rebalanced("m", lost=(lane(2),)), (0, 0)),
    ]
    for event, expected in told:
        metrics.observe(event)
        assert gauges() == expected


def test_commits_and_rebalances_are_counted() -> None:
    metrics = Metrics([Labels("m", "kafka", "f")])
    events = (Rebalanced("m", gained=(lane(0),)), OffsetsCommitted("m", 5), OffsetsCommitted("m", 2))
    for event in (*events, Rebalanced("m", lost=(lane(0),))):
        metrics.observe(event)
    text = metrics.render().decode()
    assert 'headrace_offsets_committed_total{function="f",mapping="m",source="kafka"} 7.0' in text
    assert 'headrace_rebalances_total{function="f",mapping="m",source="kafka"} 1.0' in text


# --- what is told -----------------------------------------------------------------------------------------------------


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_change_of_partitions_is_one_line_however_many_there_are() -> None:
    stream = io.StringIO()
    logs = Logs(Log(stream))
    logs.observe(Rebalanced("m", gained=tuple(lane(number) for number in range(12))))
    logs.observe(Rebalanced("m", lost=(lane(0),)))
    logs.observe(Rebalanced("m"))
    named = ", ".join(f"orders-{number}" for number in range(10))
    assert [line["event"] for line in lines(stream)] == [f"m takes {named} and 2 more", "m gives back orders-0"]


def test_what_the_kafka_client_says_is_for_debug_and_repetitions_of_others_are_left_out() -> None:
    stream = io.StringIO()
    handler = LibraryLines(Log(stream), monotonic=lambda: 0.0)
    for name in ("aiokafka.conn", "asyncio", "asyncio"):
        handler.emit(logging.LogRecord(name, logging.ERROR, "", 0, "it broke", (), None))
    assert [(line["logger"], line["level"]) for line in lines(stream)] == [("asyncio", "error")]


def test_a_record_of_a_topic_has_a_name_for_people() -> None:
    record = Record(lane(0), ("orders-0", 15), {}, 0.0, Position(15))
    assert record.name == "orders-0@15"
