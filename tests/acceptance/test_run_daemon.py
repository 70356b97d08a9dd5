"""The daemon as a process beside an emulator: what it does to messages, and how it begins and ends."""

from __future__ import annotations

import json
import os
import signal
import threading
from pathlib import Path
from typing import Any

import pytest

from support import daemons
from support.daemons import Queues
from support.servers.running import Server, free_port

CREATED = json.dumps({"type": "created"})
OTHER = json.dumps({"type": "other"})
FILTER = {"filter_criteria": {"filters": [{"pattern": {"body": {"type": ["created"]}}}]}}


def mapping(queues: Queues, name: str, **more: object) -> dict[str, dict[str, object]]:
    return {"m": {"source": queues.arn(name), **more}}


@pytest.mark.semantics("CLI-01", "OBS-02", "OBS-03", "OBS-04")
def test_from_a_queue_to_a_function(queues: Queues, tmp_path: Path) -> None:
    name = queues.create()
    queues.send(name, CREATED, OTHER, CREATED)
    with daemons.function() as function:
        config = daemons.write_config(tmp_path, queues.endpoint_url, function.url, mapping(queues, name, **FILTER))
        with daemons.running(str(config), cwd=tmp_path) as daemon:
            daemon.ready()
            daemon.wait_until(lambda: daemon.status()["mappings"][0]["counts"]["delivered"] == 2)
            assert daemon.get("/livez") == (200, "ok\n")
            assert daemon.get("/readyz?strict")[0] == 200
            assert (
                'headrace_records_received_total{function="f",mapping="m",source="sqs"} 3.0'
                in daemon.get("/metrics")[1]
            )
            assert daemon.status()["mappings"][0]["counts"]["filtered"] == 1
            assert daemon.stop() == 0
        assert function.bodies == [CREATED, CREATED]
    assert queues.depth(name) == (0, 0)


@pytest.mark.semantics("OBS-11")
def test_the_first_lines_name_account_region_and_endpoint(queues: Queues, tmp_path: Path) -> None:
    name = queues.create()
    with daemons.function() as function:
        config = daemons.write_config(tmp_path, queues.endpoint_url, function.url, mapping(queues, name))
        with daemons.running(str(config), cwd=tmp_path) as daemon:
            daemon.ready()
            line = daemon.wait_logged("mapping")
            assert (line["account"], line["region"]) == (daemons.ACCOUNT, "us-east-1")
            assert line["endpoint"] == queues.endpoint_url
            assert line["mapping"] == "m"


@pytest.mark.semantics("CLI-06")
def test_until_idle_ends_when_all_is_done_redrive_included(queues: Queues, tmp_path: Path) -> None:
    dead = queues.create()
    policy = json.dumps({"deadLetterTargetArn": queues.arn(dead), "maxReceiveCount": "1"})
    name = queues.create(VisibilityTimeout="6", RedrivePolicy=policy)
    queues.send(name, "good", "poison")

    def fail_on_poison(event: dict[str, Any]) -> object:
        failed = [record["messageId"] for record in event["Records"] if record["body"] == "poison"]
        return {"batchItemFailures": [{"itemIdentifier": each} for each in failed]}

    with daemons.function(fail_on_poison) as function:
        partial = mapping(queues, name, function_response_types=["ReportBatchItemFailures"])
        config = daemons.write_config(tmp_path, queues.endpoint_url, function.url, partial)
        with daemons.running(str(config), "--until-idle=60", cwd=tmp_path) as daemon:
            assert daemon.wait() == 0
        assert sorted(function.bodies) == ["good", "poison"]
    assert queues.depth(name) == (0, 0)
    assert queues.depth(dead) == (1, 0)


@pytest.mark.semantics("CLI-07")
def test_until_idle_gives_up_in_time_and_says_why(queues: Queues, tmp_path: Path) -> None:
    missing = queues.name()
    with daemons.function() as function:
        config = daemons.write_config(tmp_path, queues.endpoint_url, function.url, mapping(queues, missing))
        with daemons.running(str(config), "--until-idle=2", cwd=tmp_path) as daemon:
            assert daemon.wait() == 3
        assert missing in daemon.logged("not_idle")[0]["event"]


@pytest.mark.semantics("CLI-11")
def test_a_dry_run_tells_and_leaves_everything(queues: Queues, tmp_path: Path) -> None:
    name = queues.create()
    queues.send(name, CREATED, OTHER)
    with daemons.function() as function:
        config = daemons.write_config(tmp_path, queues.endpoint_url, function.url, mapping(queues, name, **FILTER))
        with daemons.running(str(config), "--dry-run", "--until-idle=60", cwd=tmp_path) as daemon:
            assert daemon.wait() == 0
        assert function.events == []
    told = [line.split("\t") for line in daemon.stdout if "\t" in line]
    assert sorted(line[2] for line in told) == ["FILTERED", "WOULD DELIVER to f"]
    assert {line[0] for line in told} == {"m"}
    assert queues.depth(name) == (2, 0)


@pytest.mark.semantics("CLI-11")
def test_a_dry_run_can_tell_in_json(queues: Queues, tmp_path: Path) -> None:
    name = queues.create()
    queues.send(name, CREATED)
    config = daemons.write_config(tmp_path, queues.endpoint_url, "http://127.0.0.1:9/", mapping(queues, name))
    with daemons.running(str(config), "--dry-run", "--until-idle=60", "--output=json", cwd=tmp_path) as daemon:
        assert daemon.wait() == 0
    (verdict,) = [json.loads(line) for line in daemon.stdout if line.startswith("{")]
    assert (verdict["mapping"], verdict["fate"], verdict["function"]) == ("m", "delivered", "f")


@pytest.mark.semantics("CLI-19")
def test_a_mapping_that_is_not_enabled_is_listed_and_not_polled(queues: Queues, tmp_path: Path) -> None:
    on, off = queues.create(), queues.create()
    queues.send(off, "stays")
    queues.send(on, "goes")
    with daemons.function() as function:
        mappings = {**mapping(queues, on), "off": {"source": queues.arn(off), "enabled": False}}
        config = daemons.write_config(tmp_path, queues.endpoint_url, function.url, mappings)
        with daemons.running(str(config), cwd=tmp_path) as daemon:
            daemon.ready()
            states = {each["name"]: each["state"] for each in daemon.status()["mappings"]}
            assert states == {"m": "polling", "off": "disabled"}
            function.wait_begun()
            daemon.stop()
        assert function.bodies == ["goes"]
    assert queues.depth(off) == (1, 0)


# --- waiting --------------------------------------------------------------------------------------------------------


@pytest.mark.semantics("CLI-12")
def test_a_queue_that_does_not_exist_yet_is_waited_for(queues: Queues, tmp_path: Path) -> None:
    name = queues.name()
    with daemons.function() as function:
        config = daemons.write_config(tmp_path, queues.endpoint_url, function.url, mapping(queues, name))
        with daemons.running(str(config), cwd=tmp_path) as daemon:
            daemon.ready()
            code, body = daemon.get("/readyz")
            assert code == 200
            assert name in json.loads(body)["reasons"][0]
            assert daemon.get("/readyz?strict")[0] == 503
            queues.create(name)
            queues.send(name, "at last")
            function.wait_begun()
            daemon.wait_logged("state", state="polling")
            assert daemon.stop() == 0
        assert function.bodies == ["at last"]


@pytest.mark.semantics("CLI-13")
def test_an_emulator_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    port = free_port()
    with daemons.function() as function:
        source = f"arn:aws:sqs:us-east-1:{daemons.ACCOUNT}:late"
        config = daemons.write_config(tmp_path, f"http://127.0.0.1:{port}", function.url, {"m": {"source": source}})
        with daemons.running(str(config), cwd=tmp_path) as daemon:
            daemon.ready()
            assert "m" in daemon.wait_logged("state", state="waiting")["event"]
            with daemons.emulator_at(port) as queues:
                queues.create("late")
                queues.send("late", "hello")
                function.wait_begun()
                assert daemon.stop() == 0


@pytest.mark.semantics("CLI-01")
def test_a_function_that_is_not_there_keeps_its_messages_in_the_queue(queues: Queues, tmp_path: Path) -> None:
    policy = json.dumps({"deadLetterTargetArn": queues.arn(queues.create()), "maxReceiveCount": "1"})
    name = queues.create(RedrivePolicy=policy)
    queues.send(name, "waits")
    config = daemons.write_config(
        tmp_path, queues.endpoint_url, f"http://127.0.0.1:{free_port()}/", mapping(queues, name)
    )
    with daemons.running(str(config), cwd=tmp_path) as daemon:
        daemon.ready()
        assert "function f" in json.loads(daemon.get("/readyz")[1])["reasons"][0]
        daemon.wait_logged("function_down")
        assert len(daemon.logged("function_down")) == 1
        daemon.stop()
    assert queues.depth(name) == (1, 0)


# --- the end --------------------------------------------------------------------------------------------------------


@pytest.mark.semantics("CLI-09", "OBS-10")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_in_the_middle_of_an_invocation_lets_it_end(
    queues: Queues, tmp_path: Path, number: signal.Signals
) -> None:
    name = queues.create()
    queues.send(name, "one")
    go_on = threading.Event()

    def wait(event: dict[str, Any]) -> object:
        assert go_on.wait(daemons.PATIENCE)
        return {}

    with daemons.function(wait) as function:
        config = daemons.write_config(tmp_path, queues.endpoint_url, function.url, mapping(queues, name))
        with daemons.running(str(config), "--stop-timeout=60", cwd=tmp_path) as daemon:
            daemon.ready()
            function.wait_begun()
            daemon.signal(number)
            daemon.wait_logged("stop")
            assert daemon.get("/readyz")[0] == 503
            go_on.set()
            assert daemon.wait() == 0
    assert queues.depth(name) == (0, 0)


@pytest.mark.semantics("CLI-10")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_second_signal_ends_at_once_and_the_message_stays(
    queues: Queues, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    name = queues.create()
    queues.send(name, "one")
    go_on = threading.Event()
    with daemons.function(lambda event: go_on.wait(daemons.PATIENCE)) as function:
        config = daemons.write_config(tmp_path, queues.endpoint_url, function.url, mapping(queues, name))
        with daemons.running(str(config), "--stop-timeout=600", cwd=tmp_path) as daemon:
            daemon.ready()
            function.wait_begun()
            daemon.signal()
            daemon.wait_logged("stop")
            daemon.signal(number)
            assert daemon.wait() == code
        go_on.set()
    assert queues.depth(name) == (0, 1)


@pytest.mark.semantics("CLI-05")
def test_a_state_directory_has_one_daemon_and_is_free_when_that_was_killed(queues: Queues, tmp_path: Path) -> None:
    config = daemons.write_config(
        tmp_path, queues.endpoint_url, "http://127.0.0.1:9/", mapping(queues, queues.create())
    )
    with daemons.running(str(config), cwd=tmp_path) as first:
        first.ready()
        second = daemons.headrace("run", str(config), cwd=tmp_path)
        assert second.returncode == 1
        assert f"pid {first.process.pid}" in second.stderr
        assert "--state" in second.stderr
        assert "Traceback" not in second.stderr
        os.kill(first.process.pid, signal.SIGKILL)
        first.wait()
        with daemons.running(str(config), cwd=tmp_path) as third:
            third.ready()


@pytest.mark.semantics("CLI-04")
def test_a_port_that_is_taken_is_said_before_anything_starts(queues: Queues, tmp_path: Path) -> None:
    name = queues.create()
    queues.send(name, "stays")
    with daemons.function() as function:
        config = daemons.write_config(tmp_path, queues.endpoint_url, function.url, mapping(queues, name))
        port = queues.endpoint_url.rpartition(":")[2]
        taken = daemons.headrace("run", str(config), "--listen", f"127.0.0.1:{port}", cwd=tmp_path)
        assert taken.returncode == 1
        assert f"cannot listen on 127.0.0.1:{port}" in taken.stderr
        assert "--listen" in taken.stderr
    assert queues.depth(name) == (1, 0)


@pytest.mark.semantics("CLI-20")
def test_a_mapping_of_the_emulator_itself_is_said_loudly(tmp_path: Path, ministack: Server) -> None:
    queues = Queues(ministack.endpoint_url)
    name = queues.create()
    client, uuid = _lambda_with_mapping(ministack.endpoint_url, queues.arn(name))
    with daemons.function() as function:
        config = daemons.write_config(tmp_path, ministack.endpoint_url, function.url, mapping(queues, name))
        with daemons.running(str(config), cwd=tmp_path) as daemon:
            line = daemon.wait_logged("foreign_mapping")
            assert (line["level"], line["mapping"]) == ("warning", "m")
            assert queues.arn(name) in line["event"]
    client.delete_event_source_mapping(UUID=uuid)
    client.close()
    queues.close()


def _lambda_with_mapping(endpoint_url: str, arn: str) -> tuple[Any, str]:
    import io
    import zipfile

    import boto3

    client = boto3.client(
        "lambda",
        region_name="us-east-1",
        endpoint_url=endpoint_url,
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as code:
        code.writestr("app.py", "def handler(event, context):\n    return None\n")
    client.create_function(
        FunctionName="theirs",
        Runtime="python3.12",
        Handler="app.handler",
        Role="arn:aws:iam::000000000000:role/any",
        Code={"ZipFile": archive.getvalue()},
    )
    return client, client.create_event_source_mapping(FunctionName="theirs", EventSourceArn=arn)["UUID"]
