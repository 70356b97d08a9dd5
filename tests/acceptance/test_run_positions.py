"""Positions beside a daemon that runs, and of one that is stopped, by the installed program."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support import daemons
from support.daemons import headrace
from support.servers.running import Server
from support.streams import Streams


@pytest.fixture
def streams(ministack: Server) -> Iterator[Streams]:
    found = Streams(ministack.endpoint_url)
    yield found
    found.close()


def data(event: dict[str, Any]) -> list[str]:
    return [json.loads(base64.b64decode(record["kinesis"]["data"])) for record in event["Records"]]


def refuse_poison(event: dict[str, Any]) -> object:
    if any("poison" in each for each in data(event)):
        raise ValueError("this record is poison")
    return {}


@pytest.mark.semantics("STEER-10", "STEER-12", "STEER-14")
def test_positions_are_listed_set_and_skipped_beside_the_daemon_and_set_without_one(
    streams: Streams, ministack: Server, tmp_path: Path
) -> None:
    queues = daemons.Queues(ministack.endpoint_url)
    failed, name = queues.create(), streams.create()
    streams.put(name, "poison", "good")
    mapping = {
        "source": streams.arn(name),
        "starting_position": "TRIM_HORIZON",
        "batch_size": 1,
        "destination_config": {"on_failure": {"destination": queues.arn(failed)}},
    }
    with daemons.function(refuse_poison) as function:

        def taken() -> list[str]:
            return [each for event in function.events for each in data(event) if "good" in each]

        config = daemons.write_config(tmp_path, streams.endpoint_url, function.url, {"m": mapping})
        with daemons.running(str(config), cwd=tmp_path) as daemon:
            daemon.ready()
            daemon.wait_until(lambda: daemon.status()["mappings"][0]["state"] == "failing")

            def positions(*arguments: str) -> subprocess.CompletedProcess[str]:
                return headrace("positions", *arguments, "--url", daemon.url, cwd=tmp_path)

            (kept,) = json.loads(positions("--output", "json").stdout)
            (shard,) = kept["shards"]
            assert (kept["mapping"], shard["place"]) == ("m", "start")
            asked = positions("skip", "m", shard["shard"])
            assert (asked.returncode, "--yes" in asked.stderr) == (2, True)
            skipped = positions("skip", "m", shard["shard"], "--yes")
            assert (skipped.returncode, skipped.stdout.startswith("m gives up on ")) == (0, True)
            daemon.wait_until(lambda: bool(taken()))
            (message,) = queues.client.receive_message(QueueUrl=queues.url(failed))["Messages"]
            document = json.loads(message["Body"])
            assert document["requestContext"]["condition"] == "Skipped"
            assert document["KinesisBatchInfo"]["batchSize"] == 1
            nothing = positions("skip", "m", shard["shard"], "--yes")
            assert (nothing.returncode, "can be skipped" in nothing.stderr) == (1, True)
            streams.put(name, "good too")
            daemon.wait_until(lambda: len(taken()) == 2)
            moved = positions("set", "m", shard["shard"], function_number(function), "--yes")
            assert (moved.returncode, moved.stdout.startswith("m goes on there")) == (0, True)
            daemon.wait_until(lambda: taken() == ["good", "good too", "good too"])
            assert daemon.stop() == 0
        moved = headrace("positions", "set", "m", "LATEST", "--yes", cwd=tmp_path)
        assert (moved.returncode, "starts at " in moved.stdout) == (0, True)
        removed = headrace("positions", "remove", "m", "--yes", cwd=tmp_path)
        assert removed.stdout == "removed 1 position of m\n"
    queues.close()


def function_number(function: daemons.Function) -> str:
    """The sequence number of the first record that the function took."""
    first = next(event for event in function.events if data(event) == ["good"])
    return str(first["Records"][0]["kinesis"]["sequenceNumber"])
