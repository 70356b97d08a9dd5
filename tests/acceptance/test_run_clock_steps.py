"""The daemon as a process whose wall clock steps: what came after the step is delivered."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from support import daemons
from support.servers.running import Server
from support.streams import Streams

from .test_run_streams import data, delivered, reading

STEPPED = Path(__file__).parents[1] / "support" / "stepped_time"
RECORDS = 120


@pytest.mark.semantics("STREAM-74")
@pytest.mark.parametrize("seconds", [7200, -7200, 600])
def test_a_step_of_the_daemons_clock_discards_no_fresh_record(seconds: int, ministack: Server, tmp_path: Path) -> None:
    streams = Streams(ministack.endpoint_url)
    step = tmp_path / "step"
    env = {"PYTHONPATH": os.fspath(STEPPED), "STEPPED_TIME": os.fspath(step)}
    mapping = reading(streams.arn(name := streams.create()), maximum_record_age_in_seconds=60)
    with daemons.function() as function:
        config = daemons.write_config(tmp_path, streams.endpoint_url, function.url, mapping)
        with daemons.running(str(config), cwd=tmp_path, env=env) as daemon:
            daemon.ready()
            streams.put(name, {"n": -1})
            daemon.wait_until(lambda: delivered(daemon) == 1)
            step.write_text(str(seconds))
            for number in range(RECORDS):
                streams.put(name, {"n": number})
            daemon.wait_until(lambda: len(data(function)) > RECORDS or bool(daemon.logged("discarded")))
            counts = daemon.status()["mappings"][0]["counts"]
            assert daemon.stop() == 0
    streams.close()
    assert counts["discarded"] == 0
    assert data(function) == [{"n": number} for number in range(-1, RECORDS)]
