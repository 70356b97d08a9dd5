"""Records that were discarded are replayed, by document and by position; the mapping's own position stays where it is.

The other servers and kinds: `tests/proof/test_replays.py`.
"""

from __future__ import annotations

import io
import sys
import zipfile
from pathlib import Path
from typing import Any

import boto3
import pytest

from support import daemons, replay_bench
from support.daemons import headrace
from support.replay_bench import KinesisOrigin, ReplayBench
from support.servers.running import Server
from support.streams import Streams


@pytest.mark.semantics("REPLAY-01", "REPLAY-02", "REPLAY-03", "REPLAY-04", "REPLAY-05")
def test_what_was_discarded_is_replayed_and_a_kill_breaks_nothing(ministack: Server, tmp_path: Path) -> None:
    with daemons.function() as function:
        origin = KinesisOrigin(ministack.endpoint_url)
        bench = ReplayBench(origin, ministack.endpoint_url, tmp_path, function)
        replay_bench.check(bench, 40)
        bench.close()
        origin.streams.close()


@pytest.mark.semantics("REPLAY-08")
def test_a_mapping_of_the_api_is_replayed_through_the_daemon_that_has_its_function(
    ministack: Server, tmp_path: Path
) -> None:
    streams = Streams(ministack.endpoint_url)
    stream = streams.create()
    config = daemons.write_config(tmp_path, ministack.endpoint_url, "http://127.0.0.1:9/", {})
    with daemons.running(str(config), cwd=tmp_path) as daemon:
        daemon.ready()
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
        client: Any = boto3.client("lambda", endpoint_url=daemon.url, **keys)
        role, runtime = f"arn:aws:iam::{daemons.ACCOUNT}:role/r", "python{}.{}".format(*sys.version_info[:2])
        client.create_function(
            FunctionName="made", Runtime=runtime, Role=role, Handler="app.handler", Code={"ZipFile": zipped()}
        )
        made = client.create_event_source_mapping(
            EventSourceArn=streams.arn(stream), FunctionName="made", StartingPosition="TRIM_HORIZON"
        )
        streams.put(stream, "one", "two")
        daemon.wait_until(lambda: [each["counts"]["delivered"] for each in daemon.status()["mappings"]] == [2])
        command = ["replay", made["UUID"], "--from", "1h", "--yes", "--url", daemon.url]
        ended = headrace(*command, cwd=tmp_path)
        assert (ended.returncode, ended.stdout) == (0, "replayed 2 records: 2 delivered\n"), ended.stderr
        lines = headrace("logs", "made", "--url", daemon.url, cwd=tmp_path).stdout
        assert lines.count("took") >= 2
        refused = headrace("replay", "nobody", "--from", "1h", "--yes", cwd=tmp_path)
        assert (refused.returncode, "there is no mapping 'nobody'" in refused.stderr) == (78, True)
        queue = headrace("replay", made["UUID"], "--document", str(config), "--yes", cwd=tmp_path)
        assert (queue.returncode, "is left out" in queue.stderr) == (2, True)
        client.close()
    streams.close()


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as package:
        package.writestr("app.py", "def handler(event, context):\n    print('took', len(event['Records']))\n")
    return buffer.getvalue()
