"""What a mapping's settings mean to the loop, and to filters."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from headrace.config.errors import BugError
from headrace.config.mapping import EventSourceMapping
from headrace.config.settings import Destinations, Settings
from headrace.dispatch.core.backoff import Backoff
from headrace.dispatch.core.batcher import PAYLOAD_LIMIT
from headrace.dispatch.core.events import RecordsEnvelope, WindowEnvelope
from headrace.dispatch.core.model import Lane, Now, OpenWindow, Position, Record, Window
from headrace.dispatch.core.policy import Policy, Progress
from headrace.dispatch.core.slots import KeyHash, SingleSlot, Slots, Taken
from headrace.dispatch.core.windows import WindowSlot
from headrace.dispatch.destinations.persistence import Persistence
from headrace.dispatch.kinds import dynamodb, kafka, sqs
from headrace.dispatch.kinds.kinesis import STREAM as KINESIS
from headrace.dispatch.kinds.kinesis import kinesis_item
from headrace.dispatch.kinds.table import dispatch_of
from headrace.pollers.feed_settings import ahead_of

QUEUE = "arn:aws:sqs:us-east-1:000000000000:orders"
STREAM = "arn:aws:kinesis:us-east-1:000000000000:stream/s"
TABLE = "arn:aws:dynamodb:eu-west-1:111122223333:table/T"
LANE = Lane(STREAM, "shard-1")
CLUSTER = "arn:aws:kafka:eu-west-1:111122223333:cluster/c/1"
NOW = Now(0.0, 1_700_000_000.0)


def brokers() -> str:
    return "b-1:9092,b-2:9092"


def mapping(source: str = STREAM, **fields: Any) -> EventSourceMapping:
    return EventSourceMapping.model_validate({"name": "m", "source": source, "function": "f", **fields})


def slots(made: EventSourceMapping, window: OpenWindow | None = None) -> Slots:
    return dispatch_of(made).feed_slots(made, dispatch_of(made).envelope(made, brokers), lambda: NOW)(LANE, window)


def record(number: int, key: str = "k") -> Record:
    return Record(LANE, str(number), {"n": number}, NOW.wall, Position(number), key)


@pytest.mark.parametrize(
    ("source", "fields", "expected"),
    [
        (QUEUE, {}, Policy(Progress.NONE)),
        (QUEUE, {"function_response_types": ["ReportBatchItemFailures"]}, Policy(Progress.NONE, partial=True)),
        (STREAM, {}, Policy(Progress.PREFIX)),
        (TABLE, {"maximum_retry_attempts": -1, "maximum_record_age_in_seconds": -1}, Policy(Progress.PREFIX)),
        (
            TABLE,
            {
                "maximum_retry_attempts": 0,
                "maximum_record_age_in_seconds": 60,
                "bisect_batch_on_function_error": True,
                "function_response_types": ["ReportBatchItemFailures"],
                "tumbling_window_in_seconds": 30,
            },
            Policy(Progress.PREFIX, retries=0, max_age=60, bisect=True, partial=True, windowed=True),
        ),
        (STREAM, {"tumbling_window_in_seconds": 0}, Policy(Progress.PREFIX)),
        (CLUSTER, {}, Policy(Progress.PER_RECORD)),
        (
            CLUSTER,
            {
                "bisect_batch_on_function_error": True,
                "function_response_types": ["ReportBatchItemFailures"],
                "destination_config": {"on_failure": {"destination": "kafka://dead"}},
            },
            Policy(Progress.PER_RECORD, retries=10, bisect=True, partial=True),
        ),
    ],
)
def test_policies(source: str, fields: dict[str, object], expected: Policy) -> None:
    made = mapping(source, **fields)
    assert dispatch_of(made).policy(made) == expected


def pauses(made: EventSourceMapping, settings: Settings) -> Backoff:
    return dispatch_of(made).policy_of(made, settings.retry_backoff).backoff


@pytest.mark.semantics("RETRY-25")
def test_the_pauses_between_attempts_are_the_mappings_own_else_the_daemons() -> None:
    ours = Settings.model_validate({"retry_backoff": {"base": 0.1, "cap": 2}})
    assert pauses(mapping(STREAM), Settings()) == Backoff(0.5, 2.0, 30.0) == Backoff()
    assert pauses(mapping(STREAM), ours) == Backoff(base=0.1, cap=2.0)
    assert pauses(mapping(STREAM, retry_backoff={"cap": 1}), ours) == Backoff(base=0.5, cap=1.0)
    assert pauses(mapping(QUEUE, retry_backoff={"base": 0.01, "cap": 0.01}), ours) == Backoff(base=0.01, cap=0.01)


def test_a_shard_has_as_many_batches_in_flight_as_its_mapping_says() -> None:
    for factor, expected in ((None, 1), (1, 1), (4, 4)):
        made = slots(mapping(parallelization_factor=factor))
        assert isinstance(made, KeyHash)
        made.put([record(number, key=str(number)) for number in range(100)], NOW)
        assert [made.take(NOW) is not None for _ in range(5)] == [index < expected for index in range(5)]


def test_a_batch_of_a_shard_has_the_size_and_the_window_of_its_mapping() -> None:
    made = slots(mapping(batch_size=3, maximum_batching_window_in_seconds=7))
    made.put([record(number) for number in range(5)], NOW)
    assert batch(made.take(NOW)) == ["0", "1", "2"]
    made.completed(0, NOW)
    assert made.take(NOW) is None
    assert made.deadline() == 7.0


def batch(taken: Taken | None) -> list[object]:
    assert taken is not None
    return [each.id for each in taken.batch.records]


def test_a_tumbling_window_goes_on_where_it_was() -> None:
    made = mapping(tumbling_window_in_seconds=60)
    assert isinstance(dispatch_of(made).envelope(made, brokers), WindowEnvelope)
    window = OpenWindow(Window(1_699_999_980, 1_700_000_040), b'{"sum":1}')
    restored = slots(made, window)
    assert isinstance(restored, WindowSlot)
    assert restored.stored == window
    restored.put([record(1)], NOW)
    taken = restored.take(NOW)
    assert taken is not None
    assert (taken.state, taken.batch.window, taken.batch.lane) == (window.state, window.window, LANE)
    with pytest.raises(BugError):
        dispatch_of(made).feed_slots(made, dispatch_of(made).envelope(made, brokers), lambda: NOW)(None, None)


@pytest.mark.parametrize(
    ("seconds", "window"), [(60, Window(1_699_999_980, 1_700_000_040)), (900, Window(1_699_999_200, 1_700_000_100))]
)
def test_a_tumbling_window_is_as_long_as_its_mapping_says(seconds: int, window: Window) -> None:
    fresh = slots(mapping(tumbling_window_in_seconds=seconds))
    fresh.put([record(1)], NOW)
    taken = fresh.take(NOW)
    assert taken is not None
    assert taken.batch.window == window


def test_queues_have_one_batch_at_a_time() -> None:
    made = mapping(QUEUE)
    assert isinstance(dispatch_of(made).envelope(made, brokers), RecordsEnvelope)
    assert isinstance(slots(mapping(QUEUE)), SingleSlot)


def test_how_long_a_destination_is_tried() -> None:
    assert Persistence.of(Destinations()) == Persistence(5, 60.0, block=False)
    assert Persistence.of(Destinations(attempts=1, seconds=2.5, block=True)) == Persistence(1, 2.5, block=True)


@pytest.mark.parametrize(
    ("source", "function", "account", "arn"),
    [
        (STREAM, "f", None, "arn:aws:lambda:us-east-1:000000000000:function:f"),
        (TABLE, "f:$LATEST", None, "arn:aws:lambda:eu-west-1:111122223333:function:f"),
        (STREAM, "f", "1" * 12, "arn:aws:lambda:us-east-1:111111111111:function:f"),
        (
            STREAM,
            "arn:aws:lambda:eu-west-1:000000000000:function:f:live",
            "1" * 12,
            "arn:aws:lambda:eu-west-1:000000000000:function:f:live",
        ),
    ],
)
def test_the_arn_of_a_function(source: str, function: str, account: str | None, arn: str) -> None:
    assert mapping(source, function=function).function_arn(account) == arn


# --- filters --------------------------------------------------------------------------------------------------------


def kinesis(data: bytes, key: str = "k") -> Record:
    fields = {"SequenceNumber": "1", "PartitionKey": key, "Data": data, "ApproximateArrivalTimestamp": NOW.wall}
    item = kinesis_item(fields, shard="shard-1", arn=STREAM, region="us-east-1", role="r")
    return Record(LANE, "1", item, NOW.wall)


@pytest.mark.semantics("FILTER-41", "FILTER-45")
def test_the_data_of_kinesis_records_are_decoded_for_filters_and_delivered_as_they_are() -> None:
    keeps = KINESIS.keeps([{"data": {"type": ["created"]}, "kinesis": {"partitionKey": ["k"]}}])
    kept = kinesis(b'{"type": "created"}')
    assert keeps(kept)
    assert kept.item["kinesis"]["data"] == base64.b64encode(b'{"type": "created"}').decode()  # type: ignore[index]
    assert not keeps(kinesis(b'{"type": "created"}', key="other"))
    assert not keeps(kinesis(b'{"type": "other"}'))
    assert not keeps(kinesis(b"\xff"))


@pytest.mark.semantics("FILTER-42")
def test_records_of_tables_are_filtered_as_they_are() -> None:
    keeps = dynamodb.STREAM.keeps([{"eventName": ["INSERT"], "dynamodb": {"NewImage": {"n": {"N": ["7"]}}}}])
    image = {"NewImage": {"n": {"N": "7"}}}
    assert keeps(Record(LANE, "1", {"eventName": "INSERT", "dynamodb": image}, NOW.wall))
    assert not keeps(Record(LANE, "1", {"eventName": "MODIFY", "dynamodb": image}, NOW.wall))


@pytest.mark.semantics("FILTER-40")
def test_bodies_of_messages_are_filtered_as_they_are() -> None:
    keeps = sqs.STANDARD.keeps([{"body": {"n": [7]}}])
    assert keeps(Record(Lane(QUEUE), "1", {"body": '{"n": 7}'}, NOW.wall))
    assert not keeps(Record(Lane(QUEUE), "1", {"body": "7"}, NOW.wall))


@pytest.mark.semantics("SCHEMA-04")
def test_filters_look_at_what_was_decoded_where_there_is_something() -> None:
    keeps = kafka.TOPIC.keeps([{"value": {"n": [7]}}])
    raw = {"topic": "orders", "value": base64.b64encode(b'{"n": 8}').decode()}
    for view, kept in ((b'{"n": 7}', True), (b'{"n": 6}', False), (None, False)):
        assert keeps(Record(partition(0), ("orders-0", 1), raw, NOW.wall, view=view)) is kept


def partition(number: int) -> Lane:
    return Lane(f"{CLUSTER}/orders", f"orders-{number}")


def taken(made: Slots, partitions: int) -> int:
    """How many batches of that many partitions, one record each, are in flight at once."""
    for number in range(partitions):
        item = {"topic": "orders", "partition": number, "offset": 0}
        made.put([Record(partition(number), (f"orders-{number}", 0), item, NOW.wall, Position(0))], NOW)
    return sum(made.take(NOW) is not None for _ in range(partitions))


@pytest.mark.semantics("KAFKA-12")
def test_a_topic_has_one_batch_for_each_partition_and_a_provisioned_poller_five() -> None:
    fields: dict[str, object] = {"batch_size": 1, "maximum_batching_window_in_seconds": 0}
    assert taken(slots(mapping(CLUSTER, **fields)), 9) == 9
    provisioned = {"minimum_pollers": 2}
    assert taken(slots(mapping(CLUSTER, **fields, provisioned_poller_config=provisioned)), 9) == 5


def test_the_event_of_a_topic_names_the_brokers_that_were_reached() -> None:
    reached: list[str] = ["c/1"]
    made = mapping(CLUSTER)
    envelope = dispatch_of(made).envelope(made, lambda: reached[-1])
    record = Record(partition(0), ("orders-0", 0), {"offset": 0}, NOW.wall, Position(0))
    assert b'"bootstrapServers":"c/1"' in envelope.render([record])
    before = envelope.overhead
    reached.append("b-1:9098")
    event = envelope.render([record])
    assert (b'"bootstrapServers":"b-1:9098"' in event, b'"eventSource":"aws:kafka"' in event) == (True, True)
    assert (envelope.overhead - before, len(event)) == (5, envelope.overhead + 12 + envelope.lane_overhead(record.lane))


def test_the_arn_of_a_function_without_a_source_s_arn_is_what_the_settings_say() -> None:
    own = {"endpoints": {"kafka_bootstrap_servers": ["b:9092"]}}
    made = mapping("", self_managed_event_source=own, topics=["orders"])
    assert made.function_arn() == "arn:aws:lambda:us-east-1:000000000000:function:f"
    assert made.function_arn("111122223333", "eu-west-1") == "arn:aws:lambda:eu-west-1:111122223333:function:f"


@pytest.mark.parametrize(
    ("fields", "records", "payloads"),
    [({}, 10_000, 2), ({"batch_size": 10_000, "parallelization_factor": 10}, 100_000, 10)],
)
def test_every_slot_can_fill_a_batch_of_its_own(fields: dict[str, int], records: int, payloads: int) -> None:
    ahead_records, ahead_bytes = ahead_of(mapping(STREAM, **fields))
    assert ahead_records == records
    assert ahead_bytes >= payloads * PAYLOAD_LIMIT
