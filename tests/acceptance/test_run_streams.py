"""The daemon as a process beside an emulator's streams: what it delivers, what it keeps, and what it says."""

from __future__ import annotations

import base64
import itertools
import json
import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from headrace.pollers.checkpoints.state_file import APPLICATION, SCHEMA
from support import daemons
from support.daemons import headrace
from support.servers.running import Server
from support.streams import Streams

FILTER = {"filter_criteria": {"filters": [{"pattern": {"data": {"type": ["created"]}}}]}}


@pytest.fixture
def streams(ministack: Server) -> Iterator[Streams]:
    found = Streams(ministack.endpoint_url)
    yield found
    found.close()


def reading(source: str, **more: object) -> dict[str, dict[str, object]]:
    return {"m": {"source": source, "starting_position": "TRIM_HORIZON", **more}}


def data(function: daemons.Function) -> list[object]:
    """What the function was given, in order, repetitions included."""
    return [
        json.loads(base64.b64decode(record["kinesis"]["data"]))
        for event in function.events
        for record in event["Records"]
    ]


def delivered(daemon: daemons.Daemon) -> int:
    count: int = daemon.status()["mappings"][0]["counts"]["delivered"]
    return count


@pytest.mark.semantics("CLI-01", "CLI-26", "OBS-03", "STREAM-01")
def test_from_a_stream_to_a_function_and_on_after_a_restart(streams: Streams, tmp_path: Path) -> None:
    name = streams.create()
    streams.put(name, *({"type": "created", "n": number} for number in range(3)), {"type": "other"})
    with daemons.function() as function:
        config = daemons.write_config(
            tmp_path, streams.endpoint_url, function.url, reading(streams.arn(name), **FILTER)
        )
        with daemons.running(str(config), cwd=tmp_path) as daemon:
            daemon.ready()
            daemon.wait_until(lambda: daemon.status()["mappings"][0]["counts"]["filtered"] == 1)
            daemon.wait_until(lambda: delivered(daemon) == 3)
            assert (
                'headrace_records_delivered_total{function="f",mapping="m",source="kinesis"} 3.0'
                in (daemon.get("/metrics")[1])
            )
            refused = headrace("positions", cwd=tmp_path)
            assert (refused.returncode, refused.stdout) == (1, "")
            assert f"pid {daemon.process.pid}" in refused.stderr
            assert "--url" in refused.stderr
            assert daemon.stop() == 0
        streams.put(name, {"type": "created", "n": 3})
        with daemons.running(str(config), "--until-idle=60", cwd=tmp_path) as daemon:
            assert daemon.wait() == 0
    assert [each["n"] for each in data(function)] == [0, 1, 2, 3]  # type: ignore[index]
    (kept,) = json.loads(headrace("positions", "--output", "json", cwd=tmp_path).stdout)
    assert (kept["mapping"], kept["source"], kept["used"]) == ("m", streams.arn(name), True)
    assert [shard["place"] for shard in kept["shards"]] == ["position"]


@pytest.mark.semantics("RETRY-25")
@pytest.mark.parametrize(("own", "cap"), [({"retry_backoff": {"base": 0.01, "cap": 0.02}}, 0.02), ({}, 0.03)])
def test_the_pauses_between_attempts_are_as_configured(
    streams: Streams, tmp_path: Path, own: dict[str, object], cap: float
) -> None:
    name = streams.create()
    streams.put(name, {"n": 1})

    attempts = itertools.count(1)

    def fail_five_times(event: dict[str, Any]) -> object:
        if next(attempts) <= 5:
            raise ValueError("not yet")
        return {}

    with daemons.function(fail_five_times) as function:
        mappings = reading(streams.arn(name), **own)
        config = daemons.write_config(tmp_path, streams.endpoint_url, function.url, mappings)
        variables = {"HEADRACE_RETRY_BACKOFF__BASE": "0.03", "HEADRACE_RETRY_BACKOFF__CAP": "0.03"}
        arguments = ("--until-idle=60", "--log-level=debug")
        with daemons.running(str(config), *arguments, cwd=tmp_path, env=variables) as daemon:
            assert daemon.wait() == 0
    delays = [line["delay"] for line in daemon.logged("retry")]
    assert len(delays) == 5
    assert all(0 < delay <= cap for delay in delays)


@pytest.mark.semantics("CONFIG-36", "CLI-06")
def test_a_table_stands_for_its_stream(streams: Streams, tmp_path: Path) -> None:
    table = streams.table()
    for number in range(3):
        streams.dynamodb.put_item(TableName=table, Item={"id": {"S": str(number)}})
    source = f"arn:aws:dynamodb:us-east-1:{daemons.ACCOUNT}:table/{table}"
    with daemons.function() as function:
        config = daemons.write_config(tmp_path, streams.endpoint_url, function.url, reading(source))
        with daemons.running(str(config), "--until-idle=60", cwd=tmp_path) as daemon:
            assert daemon.wait() == 0
    records = [record for event in function.events for record in event["Records"]]
    assert [record["dynamodb"]["Keys"]["id"]["S"] for record in records] == ["0", "1", "2"]
    assert all(record["eventSourceARN"].startswith(f"{source}/stream/") for record in records)


@pytest.mark.semantics("CLI-11")
def test_a_dry_run_tells_and_stores_nothing(streams: Streams, tmp_path: Path) -> None:
    name = streams.create()
    streams.put(name, {"type": "created"}, {"type": "other"})
    with daemons.function() as function:
        config = daemons.write_config(
            tmp_path, streams.endpoint_url, function.url, reading(streams.arn(name), **FILTER)
        )
        for _ in range(2):
            with daemons.running(str(config), "--dry-run", "--until-idle=60", cwd=tmp_path) as daemon:
                assert daemon.wait() == 0
            told = [line.split("\t") for line in daemon.stdout if "\t" in line]
            assert sorted(line[2] for line in told) == ["FILTERED", "WOULD DELIVER to f"]
        assert function.events == []
    assert not (tmp_path / ".headrace").exists()


@pytest.mark.semantics("CLI-12", "STREAM-58")
def test_a_stream_that_does_not_exist_yet_is_waited_for(streams: Streams, tmp_path: Path) -> None:
    name = streams.name()
    with daemons.function() as function:
        config = daemons.write_config(tmp_path, streams.endpoint_url, function.url, reading(streams.arn(name)))
        with daemons.running(str(config), cwd=tmp_path) as daemon:
            daemon.ready()
            assert name in json.loads(daemon.get("/readyz")[1])["reasons"][0]
            streams.create(name)
            streams.put(name, "at last")
            function.wait_begun()
            assert daemon.stop() == 0
    assert data(function) == ["at last"]


@pytest.mark.semantics("OBS-13", "DEST-01", "DEST-09")
def test_a_poison_record_goes_to_the_destination_and_the_others_go_on(streams: Streams, tmp_path: Path) -> None:
    name, dead = streams.create(), streams.queues.name()
    streams.put(name, "good", "poison", "better")

    def fail_on_poison(event: dict[str, Any]) -> object:
        if any(base64.b64decode(record["kinesis"]["data"]) == b'"poison"' for record in event["Records"]):
            raise ValueError("poison")
        return {}

    policy = {
        "maximum_retry_attempts": 0,
        "bisect_batch_on_function_error": True,
        "destination_config": {"on_failure": {"destination": streams.queues.arn(dead)}},
    }
    with daemons.function(fail_on_poison) as function:
        mappings = reading(streams.arn(name), **policy)
        config = daemons.write_config(
            tmp_path, streams.endpoint_url, function.url, mappings, destinations={"block": True}
        )
        with daemons.running(str(config), cwd=tmp_path) as daemon:
            daemon.ready()
            (reason,) = json.loads(daemon.get("/readyz")[1])["reasons"]
            assert dead in reason
            assert daemon.get("/readyz?strict")[0] == 503
            daemon.wait_logged("destination_failed")
            streams.queues.create(dead)
            daemon.wait_until(lambda: delivered(daemon) == 2)
            daemon.wait_until(lambda: daemon.get("/readyz?strict")[0] == 200)
            assert daemon.stop() == 0
    (message,) = streams.queues.client.receive_message(QueueUrl=streams.queues.url(dead))["Messages"]
    document = json.loads(message["Body"])
    assert document["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert document["requestContext"]["functionArn"] == f"arn:aws:lambda:us-east-1:{daemons.ACCOUNT}:function:f"
    assert document["KinesisBatchInfo"]["batchSize"] == 1


@pytest.mark.semantics("DEST-02")
def test_a_destination_that_never_takes_it_is_given_up_as_soon_as_the_settings_say(
    streams: Streams, tmp_path: Path
) -> None:
    name = streams.create()
    streams.put(name, "poison")
    missing = {"on_failure": {"destination": streams.queues.arn(streams.queues.name())}}
    mappings = reading(streams.arn(name), maximum_retry_attempts=0, destination_config=missing)

    def fail(event: dict[str, Any]) -> object:
        raise ValueError("poison")

    with daemons.function(fail) as function:
        config = daemons.write_config(tmp_path, streams.endpoint_url, function.url, mappings)
        once = {"HEADRACE_DESTINATIONS__ATTEMPTS": "1"}
        arguments = ("--until-idle=60", "--fail-on-discard")
        with daemons.running(str(config), *arguments, cwd=tmp_path, env=once) as daemon:
            assert daemon.wait() == 4
    assert daemon.logged("destination_failed") == []
    (line,) = daemon.logged("discard", mapping="m")
    assert "no destination has them" in line["event"]
    assert len(function.events) == 1


def damage(file: Path) -> str:
    file.write_bytes(b"damaged")
    return "checkpoints.db: the stored positions are damaged"


def make_newer(file: Path) -> str:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute(f"PRAGMA application_id = {APPLICATION}")
        connection.execute(f"PRAGMA user_version = {SCHEMA + 1}")
    return "checkpoints.db: the stored positions are of a newer version of Headrace"


@pytest.mark.semantics("CLI-27", "STREAM-09")
@pytest.mark.parametrize("spoil", [damage, make_newer])
def test_a_file_of_positions_that_cannot_be_used_lets_nothing_start_and_is_left_as_it_is(
    streams: Streams, tmp_path: Path, spoil: Callable[[Path], str]
) -> None:
    name = streams.create()
    streams.put(name, "stays")
    file = tmp_path / ".headrace" / "checkpoints.db"
    file.parent.mkdir()
    told = spoil(file)
    before = file.read_bytes()
    with daemons.function() as function:
        config = daemons.write_config(tmp_path, streams.endpoint_url, function.url, reading(streams.arn(name)))
        done = headrace("run", str(config), cwd=tmp_path)
    assert (done.returncode, done.stdout) == (78, "")
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert function.events == []
    assert file.read_bytes() == before


@pytest.mark.semantics("CLI-26", "CLI-28")
def test_a_mapping_that_was_renamed_gets_its_positions_back(streams: Streams, tmp_path: Path) -> None:
    name = streams.create()
    streams.put(name, "before")
    with daemons.function() as function:
        old = daemons.write_config(tmp_path, streams.endpoint_url, function.url, reading(streams.arn(name)))
        with daemons.running(str(old), "--until-idle=60", cwd=tmp_path) as daemon:
            assert daemon.wait() == 0
        renamed = {"new": {"source": streams.arn(name), "starting_position": "LATEST"}}
        config = daemons.write_config(tmp_path, streams.endpoint_url, function.url, renamed)
        with daemons.running(str(config), cwd=tmp_path) as daemon:
            (line,) = [daemon.ready().wait_logged("positions")]
            daemon.signal(signal.SIGTERM)
            assert daemon.wait() == 0
        (source, _, owner) = line["event"].partition("positions of ")[2].partition(";")[0].split()
        assert headrace("positions", "remove", "--yes", "new", cwd=tmp_path).returncode == 0
        moved = headrace("positions", "move", owner, source, "new", cwd=tmp_path)
        assert (moved.returncode, moved.stderr) == (0, "")
        streams.put(name, "after")
        with daemons.running(str(config), "--until-idle=60", cwd=tmp_path) as daemon:
            assert daemon.wait() == 0
        assert daemon.logged("positions") == []
    assert data(function) == ["before", "after"]
