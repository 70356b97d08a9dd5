"""A state directory that goes away under the daemon, and one of which a part is lost."""

from __future__ import annotations

import io
import json
import shutil
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from support import daemons

RUNTIME = "python{}.{}".format(*sys.version_info[:2])
NOWHERE = {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_REGION": "us-east-1", "HEADRACE_LISTEN": "127.0.0.1:0"}


def package() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("app.py", "def handler(event, context):\n    return event\n")
    return buffer.getvalue()


@contextmanager
def running(directory: Path) -> Iterator[tuple[daemons.Daemon, Any]]:
    """A daemon of no configuration, and its Lambda API."""
    with daemons.running(cwd=directory, env=NOWHERE) as daemon:
        yield (
            daemon,
            boto3.client(
                "lambda",
                endpoint_url=daemon.ready().url,
                region_name="us-east-1",
                aws_access_key_id="a",
                aws_secret_access_key="b",
                config=boto3.session.Config(retries={"total_max_attempts": 1}),
            ),
        )


def create(api: Any, name: str) -> None:
    api.create_function(
        FunctionName=name,
        Runtime=RUNTIME,
        Role="arn:aws:iam::000000000000:role/r",
        Handler="app.handler",
        Code={"ZipFile": package()},
    )
    api.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})


@pytest.mark.semantics("CLI-43", "OBS-22")
def test_what_a_directory_that_was_deleted_cannot_keep_is_refused_and_shown(tmp_path: Path) -> None:
    with running(tmp_path) as (daemon, api):
        create(api, "orders")
        assert daemon.get("/readyz")[0] == 200
        shutil.rmtree(tmp_path / ".headrace")
        calls: list[Callable[[], object]] = [
            lambda: api.invoke(FunctionName="orders", InvocationType="Event", Payload=b"{}"),
            lambda: create(api, "stock"),
            lambda: api.tag_resource(Resource="arn:aws:lambda:us-east-1:000000000000:function:orders", Tags={"a": "b"}),
        ]
        for call in calls:
            with pytest.raises(ClientError, match=r"(?s)ServiceException.*cannot store .*restart the daemon"):
                call()
        assert [each["FunctionName"] for each in api.list_functions()["Functions"]] == ["orders"]
        code, body = daemon.get("/readyz")
        assert (code, json.loads(body)["ready"]) == (503, False)
        assert "deleted or moved while this daemon ran" in body
        daemon.wait_logged("store_failed", level="error")
        assert not (tmp_path / ".headrace").exists()
        assert daemon.stop() == 0


@pytest.mark.semantics("CLI-43", "OBS-22")
def test_a_second_daemon_in_its_place_makes_the_first_one_not_ready_and_loses_nothing(tmp_path: Path) -> None:
    with running(tmp_path) as (first, _):
        shutil.move(tmp_path / ".headrace", tmp_path / "away")
        with running(tmp_path) as (second, api):
            create(api, "theirs")
            first.wait_until(lambda: "replaced by another" in first.get("/readyz")[1])
            assert "another daemon may use the state directory at the same time" in first.get("/readyz")[1]
            assert first.stop() == 0
            assert second.get("/readyz")[0] == 200
            assert json.loads(api.invoke(FunctionName="theirs", Payload=b'"here"')["Payload"].read()) == "here"


@pytest.mark.semantics("CLI-27")
@pytest.mark.parametrize("lost", ["checkpoints.db", "control.db", "events.db"])
def test_a_file_that_is_lost_while_its_end_is_there_lets_nothing_start(tmp_path: Path, lost: str) -> None:
    (tmp_path / ".headrace").mkdir()
    (tmp_path / ".headrace" / f"{lost}-wal").write_bytes(b"the end of it")
    done = daemons.headrace("run", cwd=tmp_path, env=NOWHERE)
    assert (done.returncode, done.stdout) == (78, "")
    assert f"{lost}: the " in done.stderr
    assert "it is missing, but its -wal file still exists" in done.stderr
    assert (tmp_path / ".headrace" / f"{lost}-wal").read_bytes() == b"the end of it"
