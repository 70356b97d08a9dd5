"""What is said of filters: before they meet records, and when they refused all of the first ones."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from headrace.config.loader import load
from headrace.config.mapping import EventSourceMapping
from headrace.dispatch.core import observer as seen
from headrace.dispatch.core.model import Lane, Record
from headrace.dispatch.kinds.pattern_check import pattern_notes
from headrace.service.telemetry.filter_lines import say_filters
from headrace.service.telemetry.log import Log
from headrace.service.telemetry.mapping_logs import MappingLogs
from headrace.service.wiring.endpoints import ServiceEndpoints
from headrace.service.wiring.start_lines import say_first_lines
from support.configs import with_mapping

QUEUE = "arn:aws:sqs:us-east-1:000000000000:q"


def mapping(*patterns: object, source: str = QUEUE, name: str = "m") -> EventSourceMapping:
    filters = [{"pattern": json.dumps(pattern)} for pattern in patterns]
    fields = {"name": name, "source": source, "function": "f", "filter_criteria": {"filters": filters}}
    return EventSourceMapping.model_validate(fields)


def records(number: int, body: str = '{"type": "x"}') -> tuple[Record, ...]:
    return tuple(Record(Lane("q", ""), str(index), {"body": body}, 0.0) for index in range(number))


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


# --- before -----------------------------------------------------------------------------------------------------------


@pytest.mark.semantics("FILTER-52")
def test_each_filter_that_can_match_nothing_is_told() -> None:
    stream = io.StringIO()
    say_filters(Log(stream), mapping({"body": ["x"]}, {"data": {"type": ["x"]}}, {"body": [7]}))
    told = lines(stream)
    assert [(line["level"], line["action"], line["path"]) for line in told] == [
        ("warning", "filter_unmet", "data.type"),
        ("warning", "filter_unmet", "body"),
    ]
    assert told[0]["event"] == (
        "m: filter 2 can match nothing, so no record passes it: the records have no 'data' (their data is "
        'matched as {"body": …})'
    )


@pytest.mark.semantics("FILTER-54")
def test_a_filter_beside_the_data_gets_a_remark() -> None:
    stream = io.StringIO()
    say_filters(Log(stream), mapping({"eventSourceARN": [{"prefix": "arn:"}], "body": {"a": ["x"]}}))
    (line,) = lines(stream)
    assert (line["level"], line["action"]) == ("info", "filter_unmet")
    assert "looks at eventSourceARN" in line["event"]


@pytest.mark.semantics("FILTER-52", "FILTER-54")
def test_at_the_start_the_files_are_told_with_their_lines_and_the_apis_without(tmp_path: Path) -> None:
    nothing, beside = {"data": {"a": ["x"]}}, {"messageId": ["x"]}
    filters = {"filters": [{"pattern": nothing}, {"pattern": beside}]}
    config = load([with_mapping(tmp_path, filter_criteria=filters)], environ={}, pattern_notes=pattern_notes)
    stream = io.StringIO()
    mappings = [*config.mappings.values(), mapping(nothing, name="of-the-api")]
    say_first_lines(Log(stream), config, mappings, cast("ServiceEndpoints", SimpleNamespace(told=lambda each: "x")))
    told = [line for line in lines(stream) if line["action"] in ("recorded", "filter_unmet")]
    assert [(line["level"], line["action"]) for line in told] == [
        ("warning", "filter_unmet"),
        ("warning", "recorded"),
        ("info", "recorded"),
    ]
    assert "of-the-api: filter 1 can match nothing" in told[0]["event"]
    assert "headrace.json:1: mappings.m.filter_criteria.filters[0].pattern.data.a: can match" in told[1]["event"]
    assert "filters[1].pattern: looks at messageId" in told[2]["event"]


def test_nothing_is_said_here_of_a_filter_that_is_refused() -> None:
    stream = io.StringIO()
    say_filters(Log(stream), mapping({"data": "x"}))
    assert lines(stream) == []


# --- the first records ------------------------------------------------------------------------------------------------


def watched(events: Sequence[seen.Event], *patterns: object) -> list[dict[str, Any]]:
    stream = io.StringIO()
    logs = MappingLogs([mapping(*patterns)], Log(stream))
    for event in events:
        logs.observe(event)
    return lines(stream)


def refused(number: int, of: int | None = None, body: str = '{"type": "x"}') -> list[seen.Event]:
    found = records(number, body)
    return [seen.Fetched("m", records(of or number), 0.0), seen.Filtered("m", found)]


ORDERS = {"body": {"type": ["order"]}}
INVOKING = seen.Invoking("m", "f", "r", records(1), 10)


@pytest.mark.semantics("FILTER-53")
def test_a_hundred_records_of_which_none_was_kept_are_told_once_with_the_field() -> None:
    (line,) = watched([*refused(60), *refused(40), *refused(100)], ORDERS)
    assert (line["level"], line["action"], line["mapping"], line["path"]) == (
        "warning",
        "filter_unmet",
        "m",
        "body.type",
    )
    assert line["event"] == (
        "m: its filters refused each of the first 100 records, most of them because they have no body.type that is "
        '"order"'
    )


@pytest.mark.semantics("FILTER-53")
def test_a_format_that_does_not_fit_is_named() -> None:
    (line,) = watched(refused(100, body="plain"), ORDERS)
    assert line["path"] == "body"
    assert line["event"].endswith("because body has another format than the filter expects")


@pytest.mark.semantics("FILTER-53")
@pytest.mark.parametrize(
    "events",
    [
        refused(99),
        refused(149, of=150),
        [*refused(10), INVOKING, *refused(500)],
        [seen.Fetched("m", records(150), 0.0), seen.Filtered("m", records(149)), INVOKING, *refused(100)],
        [seen.Fetched("other", records(100), 0.0), seen.Filtered("other", records(100))],
    ],
    ids=["fewer", "one kept", "one invoked", "one kept and invoked", "another mapping"],
)
def test_nothing_is_told_where_one_was_kept_or_fewer_were_refused(events: list[seen.Event]) -> None:
    assert watched(events, ORDERS) == []


@pytest.mark.semantics("FILTER-53")
def test_feeds_beside_each_other_count_together() -> None:
    fetched = seen.Fetched("m", records(60), 0.0)
    events: list[seen.Event] = [fetched, fetched, seen.Filtered("m", records(60))]
    assert watched(events, ORDERS) == []
    assert len(watched([*events, seen.Filtered("m", records(60))], ORDERS)) == 1


@pytest.mark.semantics("FILTER-53")
def test_other_filters_begin_anew_and_the_same_do_not() -> None:
    stream = io.StringIO()
    logs = MappingLogs([], Log(stream))
    for pattern, told in ((ORDERS, 1), (ORDERS, 1), ({"body": {"type": ["y"]}}, 2)):
        logs.add(mapping(pattern))
        for event in refused(100):
            logs.observe(event)
        assert len(lines(stream)) == told
    logs.remove("m")
    for event in refused(100):
        logs.observe(event)
    assert len(lines(stream)) == 2


@pytest.mark.semantics("FILTER-53")
def test_records_that_cannot_be_read_are_counted_and_no_field_is_named() -> None:
    stream = io.StringIO()
    stream_arn = "arn:aws:kinesis:us-east-1:000000000000:stream/s"
    logs = MappingLogs([mapping({"data": {"a": ["x"]}}, source=stream_arn)], Log(stream))
    found = tuple(Record(Lane("s", ""), str(each), {"kinesis": {"data": "é"}}, 0.0) for each in range(100))
    logs.observe(seen.Fetched("m", found, 0.0))
    logs.observe(seen.Filtered("m", found))
    (line,) = lines(stream)
    assert line["event"] == "m: its filters refused each of the first 100 records"
    assert "path" not in line
