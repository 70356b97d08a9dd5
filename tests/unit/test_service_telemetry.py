"""Which events become a line, how it looks, and what never stands in one."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterable

import pytest

from headrace.config.kinds import kafka
from headrace.dispatch.core import observer as seen
from headrace.dispatch.core.model import (
    FILTERED,
    Attempt,
    DiscardReason,
    FailedItems,
    Failure,
    Flaw,
    FunctionFailed,
    Lane,
    Outcome,
    Record,
    Settlement,
    Succeeded,
    Throttled,
    Unreachable,
)
from headrace.dispatch.core.pages import Records
from headrace.dispatch.invokers.base import CLOSED
from headrace.service.telemetry.event_lines import OUTPUT_BURST, Logs
from headrace.service.telemetry.line_writer import StreamLines
from headrace.service.telemetry.log import Action, LibraryLines, Log, open_log
from support.reasons import no_start, why

SECRET = "the body of the message"
LANE = Lane("arn:aws:sqs:us-east-1:000000000000:orders")
RECORDS = Records.of(Record(LANE, f"id-{number}", {"body": SECRET}, 0.0) for number in range(3))
ATTEMPT = Attempt("request-1", 0.0, 1.0, 200)

EVENTS: list[seen.Event] = [
    seen.Fetched("m", RECORDS, 0.1),
    seen.FetchFailed("m", why("connection refused"), 1.0),
    seen.FetchesAgain("m"),
    seen.Filtered("m", RECORDS),
    seen.Invoking("m", "f", "request-1", RECORDS, 100),
    seen.Invoked("m", "f", RECORDS, Succeeded(ATTEMPT), 1.0),
    seen.Invoked("m", "f", RECORDS, FailedItems(ATTEMPT, frozenset({"id-1"})), 1.0),
    seen.Invoked("m", "f", RECORDS, FunctionFailed(ATTEMPT, Failure.ERROR, "ValueError: no", b"{}"), 1.0),
    seen.Invoked("m", "f", RECORDS, Throttled(ATTEMPT, None, "no room"), 1.0),
    seen.Invoked("m", "f", RECORDS, Unreachable(ATTEMPT, no_start("connection reset")), 1.0),
    seen.Invoked("m", "f", RECORDS, Unreachable(ATTEMPT, no_start("no such function"), down=True), 1.0),
    seen.Retrying("m", RECORDS, 1, 0.5),
    seen.Bisected("m", RECORDS),
    seen.Settling("m", (Settlement(RECORDS, FILTERED),)),
    seen.Settled("m", (Settlement(RECORDS, FILTERED),)),
    seen.SettleFailed("m", RECORDS, why("refused")),
    seen.Discarded("m", RECORDS, DiscardReason.OVERSIZED, ""),
    seen.DestinationFailed("m", "arn", why("refused"), 1.0),
    seen.DestinationChanged("m", "arn", why("refused")),
    seen.DestinationChanged("m", "arn", None),
    seen.Gap("m", LANE, "1", "9", "trimmed"),
    seen.StreamRecreated("m", "stream-2", "stream-1"),
    seen.CommitFailed("m", why("disk full")),
    seen.Blocked("m", LANE, "key", 10),
    seen.GateClosed("f", no_start("no module named app"), 1.0),
    seen.GateOpened("f", 0.2),
    seen.MappingChanged("m", "polling", None),
    seen.Crashed("m", RuntimeError("boom")),
    seen.FeedsChanged("m", 2),
    seen.RuntimeDiffers("f", "python3.12", "runs with Python 3.11 (/p), the nearest to python3.12 that is here"),
    seen.FunctionLog("f", "request-1", "hello\n", "stdout"),
]


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def lines_of(events: Iterable[seen.Event], level: str = "info", clock: Clock | None = None) -> list[dict[str, object]]:
    stream = io.StringIO()
    logs = Logs(Log(stream, level=level), monotonic=clock or Clock())
    for event in events:
        logs.observe(event)
    return [json.loads(line) for line in stream.getvalue().splitlines()]


@pytest.mark.semantics("OBS-05")
def test_every_line_is_an_object_with_time_level_text_and_an_action_of_the_list() -> None:
    lines = lines_of(EVENTS, "debug")
    assert lines
    for line in lines:
        assert {"timestamp", "level", "event", "action"} <= set(line)
        assert line["action"] in set(Action)
        assert str(line["timestamp"]).endswith("Z")


@pytest.mark.semantics("OBS-07")
@pytest.mark.parametrize("level", ["debug", "info", "warning", "error"])
def test_payloads_stand_in_no_line(level: str) -> None:
    assert SECRET not in json.dumps(lines_of(EVENTS, level))


def test_normal_operation_says_nothing_at_info() -> None:
    kinds = seen.Fetched | seen.Filtered | seen.Invoking | seen.Settled
    quiet: list[seen.Event] = [seen.Invoked("m", "f", RECORDS, Succeeded(ATTEMPT), 1.0)]
    quiet += [event for event in EVENTS if isinstance(event, kinds)]
    assert lines_of(quiet) == []
    assert len(lines_of(quiet, "debug")) == len(quiet)


@pytest.mark.parametrize(
    ("outcome", "action", "word"),
    [
        (FailedItems(ATTEMPT, frozenset({"id-1"})), "invoke_failed", "1 of 3 records"),
        (FunctionFailed(ATTEMPT, Failure.TIMEOUT, "timed out"), "invoke_failed", "timed out"),
        (Throttled(ATTEMPT, None, "no room"), "throttled", "no room"),
        (Unreachable(ATTEMPT, no_start("connection reset")), "unreachable", "connection reset"),
    ],
)
def test_an_invocation_that_failed_is_a_warning_with_its_reason(outcome: Outcome, action: str, word: str) -> None:
    (line,) = lines_of([seen.Invoked("m", "f", RECORDS, outcome, 1.0)])
    assert (line["level"], line["action"]) == ("warning", action)
    assert word in str(line["event"])


def test_a_function_that_cannot_start_is_said_by_its_gate_alone() -> None:
    down = seen.Invoked("m", "f", RECORDS, Unreachable(ATTEMPT, no_start("no such function"), down=True), 1.0)
    lines = lines_of([down, seen.GateClosed("f", no_start("no such function"), 1.0)])
    assert [line["action"] for line in lines] == ["function_down"]


@pytest.mark.semantics("OBS-06")
@pytest.mark.semantics("RUNTIME-06")
def test_another_version_of_a_runtime_is_said_each_time() -> None:
    event = seen.RuntimeDiffers("f", "python3.12", "runs with Python 3.11 (/p), the nearest to python3.12 that is here")
    lines = lines_of([event, event])
    text = "function f of python3.12 runs with Python 3.11 (/p), the nearest to python3.12 that is here"
    assert [(each["action"], each["event"], each["runtime"]) for each in lines] == [("runtime", text, "python3.12")] * 2


@pytest.mark.semantics("LAYER-25")
def test_a_command_that_runs_without_its_extensions_is_said() -> None:
    (line,) = lines_of([seen.RuntimeDiffers("f", "", "runs without the extensions of its layers")])
    assert (line["event"], line["runtime"]) == ("function f runs without the extensions of its layers", "")


def test_what_repeats_is_said_once_per_window() -> None:
    clock, event = Clock(), seen.FetchFailed("m", why("connection refused"), 1.0)
    stream = io.StringIO()
    logs = Logs(Log(stream), monotonic=clock)
    for clock.now in (0.0, 1.0, 2.0, 40.0):
        logs.observe(event)
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line.get("repeated") for line in lines] == [None, 2]


@pytest.mark.semantics("OBS-06")
def test_that_fetches_work_again_is_said_as_often_as_that_they_failed() -> None:
    clock, failed, again = Clock(), seen.FetchFailed("m", why("connection refused"), 1.0), seen.FetchesAgain("m")
    stream = io.StringIO()
    logs = Logs(Log(stream), monotonic=clock)
    for clock.now in (0.0, 1.0, 2.0, 40.0):
        logs.observe(failed)
        logs.observe(seen.FetchesAgain("other"))
        logs.observe(again)
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line["action"] for line in lines] == ["fetch_failed", "fetches_again"] * 2
    assert {line["mapping"] for line in lines} == {"m"}


def test_the_last_line_of_a_mapping_says_where_it_stands() -> None:
    polls, waits = seen.MappingChanged("m", "polling", None), seen.MappingChanged("m", "waiting", why("no such queue"))
    lines = lines_of([waits, waits, polls, waits, waits, polls])
    assert [line["state"] for line in lines] == ["waiting", "polling", "waiting", "polling"]


def test_a_function_that_fails_again_after_it_was_up_is_news() -> None:
    closed = seen.GateClosed("f", no_start("no module named app"), 1.0)
    lines = lines_of([closed, closed, seen.GateOpened("f", 0.1), closed])
    assert [line["action"] for line in lines] == ["function_down", "function_up", "function_down"]
    assert str(lines[1]["event"]).endswith("can start again")


@pytest.mark.semantics("OBS-08")
def test_a_function_that_prints_too_fast_loses_lines_aloud_and_others_lose_none() -> None:
    clock, stream = Clock(), io.StringIO()
    logs = Logs(Log(stream), monotonic=clock)
    burst = int(OUTPUT_BURST)
    for _ in range(burst + 500):
        logs.observe(seen.FunctionLog("loud", "", "", "stdout"))
    logs.observe(seen.FunctionLog("quiet", "", "one line", "stdout"))
    clock.now = 60.0
    logs.observe(seen.FunctionLog("loud", "", "", "stdout"))
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert sum(line.get("function") == "loud" and line["action"] == "function_log" for line in lines) == burst + 1
    assert [line["lines"] for line in lines if line["action"] == "output_left_out"] == [500]
    assert "one line" in [line["event"] for line in lines]


def test_output_that_is_no_unicode_is_written_nevertheless() -> None:
    (line,) = lines_of([seen.FunctionLog("f", "", "lone \udcff surrogate", "stdout")])
    assert line["event"] == "lone \\udcff surrogate"


def test_the_level_decides_and_a_crash_has_its_trace_only_at_debug() -> None:
    crash = seen.Crashed("m", RuntimeError("boom"))
    assert "trace" not in lines_of([crash])[0]
    assert "RuntimeError" in str(lines_of([crash], "debug")[0]["trace"])
    assert [line["level"] for line in lines_of(EVENTS, "error")] == ["error", "error", "error"]


def test_a_discard_names_what_was_discarded() -> None:
    (line,) = lines_of([seen.Discarded("m", RECORDS, DiscardReason.OVERSIZED, "")])
    assert line["ids"] == ["id-0", "id-1", "id-2"]
    assert "no destination has them" in str(line["event"])


@pytest.mark.semantics("OBS-16")
def test_what_failed_or_was_given_up_of_a_stream_names_its_shard_and_records() -> None:
    shard_1, shard_2 = (_records_of(f"shardId-{number}") for number in (1, 2))
    failed = FunctionFailed(ATTEMPT, Failure.ERROR, "ValueError: no", b"{}")
    lines = lines_of(
        [
            seen.Invoked("m", "f", shard_1, failed, 1.0),
            seen.Invoked("m", "f", shard_2, failed, 1.0),
            seen.Invoked("m", "f", shard_2, failed, 1.0),
            seen.Invoked("m", "f", shard_1, FailedItems(ATTEMPT, frozenset({"102", "101"})), 1.0),
            seen.Discarded("m", shard_1, DiscardReason.RETRIES_EXHAUSTED, ""),
        ]
    )
    assert [(line["shard"], line.get("first")) for line in lines] == [
        ("shardId-1", "100"),
        ("shardId-2", "100"),
        ("shardId-1", "100"),
        ("shardId-1", None),
    ]
    assert [line.get("ids") for line in lines[2:]] == [["101", "102"], ["100", "101", "102"]]
    assert "discarded 3 records of shardId-1 (RetryAttemptsExhausted)" in str(lines[3]["event"])


def _records_of(shard: str) -> Records:
    lane = Lane("arn:stream", shard)
    return Records.of(Record(lane, str(number), {}, 0.0) for number in (100, 101, 102))


def test_a_discard_says_who_has_the_document_or_why_nobody_has() -> None:
    taken = seen.Discarded("m", RECORDS, DiscardReason.OVERSIZED, "arn:failed")
    given_up = seen.Discarded("m", RECORDS, DiscardReason.OVERSIZED, "", why("AccessDenied"))
    first, second = lines_of([taken, given_up])
    assert "arn:failed has their document" in str(first["event"])
    assert "no destination has them" in str(second["event"])
    assert second["cause"] == "AccessDenied"


@pytest.mark.semantics("DEST-09")
def test_how_a_destination_stands_is_a_warning_or_good_news() -> None:
    missing, there = (
        seen.DestinationChanged("m", "arn", why("it is missing")),
        seen.DestinationChanged("m", "arn", None),
    )
    lines = lines_of([missing, there, missing])
    assert [(line["level"], line["action"]) for line in lines] == [
        ("warning", "destination"),
        ("info", "destination"),
        ("warning", "destination"),
    ]


def test_an_attempt_that_is_made_again_is_a_warning_and_the_last_is_said_by_the_discard() -> None:
    again = seen.DestinationFailed("m", "arn", why("refused"), 1.0)
    lines = lines_of([again, again, seen.DestinationFailed("m", "arn", why("refused"), None)])
    assert [(line["level"], line["action"], line["delay"]) for line in lines] == [
        ("warning", "destination_failed", 1.0)
    ]


@pytest.mark.semantics("OBS-14")
def test_what_happens_to_a_stream_is_one_line_each() -> None:
    shard = Lane("arn:stream", "shard-1")
    blocked = seen.Blocked("m", shard, "customer-7", 10_000)
    lines = lines_of(
        [
            seen.StreamRecreated("m", "arn:stream", "arn:stream"),
            seen.StreamRecreated("m", "arn:table/stream/2", "arn:table/stream/1"),
            seen.Gap("m", shard, "17", "TRIM_HORIZON", "trimmed"),
            blocked,
            blocked,
            seen.CommitFailed("m", why("disk full")),
        ]
    )
    assert [(line["level"], line["action"]) for line in lines] == [
        ("warning", "recreated"),
        ("warning", "recreated"),
        ("error", "gap"),
        ("warning", "blocked"),
        ("warning", "commit_failed"),
    ]
    texts = [str(line["event"]) for line in lines]
    assert texts[0] == "m: the stream arn:stream was created again, and is read from its beginning"
    assert texts[1] == ("m: the stream arn:table/stream/2 replaces arn:table/stream/1, and is read from its beginning")
    assert "17" in texts[2]
    assert "key customer-7" in texts[3]
    assert lines[3]["shard"] == "shard-1"
    assert "disk full" in texts[4]


@pytest.mark.semantics("OBS-14", "KAFKA-25")
def test_a_topic_that_was_made_anew_is_called_a_topic() -> None:
    (line,) = lines_of([seen.StreamRecreated("m", "orders", "orders", kafka.TOPIC.noun)])
    assert line["event"] == "m: the topic orders was created again, and is read from its beginning"


@pytest.mark.parametrize(
    ("form", "terminal", "environ", "begins", "colored"),
    [
        ("auto", False, {}, "{", False),
        ("auto", True, {}, "\x1b", True),
        ("auto", True, {"NO_COLOR": "1"}, "2", False),
        ("json", True, {}, "{", False),
        ("console", False, {}, "2", False),
    ],
)
def test_json_unless_a_person_reads(
    form: str, terminal: bool, environ: dict[str, str], begins: str, colored: bool
) -> None:
    out = io.StringIO()
    open_log(StreamLines(out), "info", form, terminal=terminal, environ=environ).info(Action.READY, "ready")
    assert out.getvalue().startswith(begins)
    assert ("\x1b" in out.getvalue()) is colored


def test_a_reader_that_went_away_ends_nothing() -> None:
    stream = io.StringIO()
    log = Log(stream)
    stream.close()
    log.info(Action.READY, "ready")


def test_what_libraries_warn_of_goes_the_same_way() -> None:
    stream = io.StringIO()
    handler = LibraryLines(Log(stream))
    record = logging.LogRecord("aiohttp", logging.ERROR, "", 0, "lost %s", ("it",), None)
    handler.handle(record)
    line = json.loads(stream.getvalue())
    assert (line["action"], line["logger"], line["event"], line["level"]) == ("library", "aiohttp", "lost it", "error")


@pytest.mark.semantics("SCHEMA-09")
def test_a_record_that_cannot_be_read_says_why() -> None:
    flaw = Flaw(DiscardReason.SCHEMA_NOT_FOUND, "the record's value names schema 7, which http://r does not have")
    record = Record(Lane("b:9092/t", "t-0"), ("t-0", 15), {}, 0.0, flaw=flaw)
    (line,) = lines_of([seen.Discarded("m", Records.of([record]), flaw.reason, "")])
    assert line["event"] == (
        "m discarded 1 record of t-0 (SCHEMA_NOT_FOUND: the record's value names schema 7, which http://r does not "
        "have), and no destination has them"
    )
    assert (line["ids"], line["reason"]) == (["t-0@15"], "SCHEMA_NOT_FOUND")


def test_a_function_that_is_ended_by_a_stop_is_not_told_as_one_that_cannot_start() -> None:
    assert lines_of([seen.GateClosed("f", CLOSED, 1.0)]) == []
