"""The servers that other tests start: on loopback only, and gone when we are; they say why they did not start."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import boto3
import pytest

from support.children import child
from support.eventually import eventually
from support.servers import (
    dynamodb_local,
    elasticmq,
    fetched,
    jars,
    kafka,
    kinesalite,
    ministack,
    moto,
    packages,
    running,
)
from support.servers.running import Program, Server, ServerError, free_port, started

JAVA = pytest.mark.needs("java", "maven")
NODE = pytest.mark.needs("node", "npm")
PYTHON = [sys.executable, "-I", "-S", "-u"]
ECHO = """
import http.server, os, subprocess, sys
if "grandchild" in sys.argv:
    print(subprocess.Popen(["sleep", "600"]).pid)
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(204)
        self.end_headers()
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Answer).serve_forever()
"""


def listens(server: Server, host: str = "127.0.0.1") -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((host, server.port)) == 0


def addresses_of_this_machine() -> list[str]:
    """What others would reach us at, as far as the routing table knows one. Nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return []
        return [probe.getsockname()[0]]


def takes_orders(server: Server) -> bool:
    """A table with a stream."""
    client = boto3.client("dynamodb", endpoint_url=server.endpoint_url, region_name="us-east-1")
    table = client.create_table(
        TableName="orders",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )
    client.close()
    return "LatestStreamArn" in table["TableDescription"]


def has_queues(server: Server) -> bool:
    client = boto3.client("sqs", endpoint_url=server.endpoint_url, region_name="us-east-1")
    client.create_queue(QueueName="orders")
    urls = client.list_queues()["QueueUrls"]
    client.close()
    return len(urls) == 1


def ends_shards(server: Server) -> bool:
    """A shard that was split has an end, once its records are read."""
    client = boto3.client("kinesis", endpoint_url=server.endpoint_url, region_name="us-east-1")
    client.create_stream(StreamName="orders", ShardCount=1)
    client.get_waiter("stream_exists").wait(StreamName="orders", WaiterConfig={"Delay": 0.1})
    client.put_record(StreamName="orders", PartitionKey="k", Data=b"{}")
    (parent,) = client.list_shards(StreamName="orders")["Shards"]
    which = {"StreamName": "orders", "ShardId": parent["ShardId"], "ShardIteratorType": "TRIM_HORIZON"}
    iterator = client.get_shard_iterator(**which)["ShardIterator"]
    open_ended = client.get_records(ShardIterator=iterator)
    client.split_shard(StreamName="orders", ShardToSplit=parent["ShardId"], NewStartingHashKey=str(2**127))
    client.get_waiter("stream_exists").wait(StreamName="orders", WaiterConfig={"Delay": 0.1})
    records = 0
    for _ in range(10):
        page = client.get_records(ShardIterator=iterator)
        records += len(page["Records"])
        iterator = page.get("NextShardIterator")
        if not iterator:
            break
    client.close()
    return "NextShardIterator" in open_ended and records == 1 and not iterator


STARTERS = [
    pytest.param(ministack.start, has_queues, id="ministack"),
    pytest.param(moto.start, has_queues, id="moto"),
    pytest.param(elasticmq.start, has_queues, id="elasticmq", marks=JAVA),
    pytest.param(dynamodb_local.start, takes_orders, id="dynamodb_local", marks=JAVA),
    pytest.param(kinesalite.start, ends_shards, id="kinesalite", marks=NODE),
    pytest.param(kafka.start, lambda server: kafka.brokers(server) == 1, id="kafka", marks=JAVA),
]


@pytest.mark.parametrize(("start", "works"), STARTERS)
def test_it_works_on_loopback_until_the_block_ends(
    start: Callable[[], AbstractContextManager[Server]], works: Callable[[Server], bool]
) -> None:
    with start() as server:
        assert server.host == "127.0.0.1"
        assert listens(server)
        assert not any(listens(server, address) for address in addresses_of_this_machine())
        assert works(server)
    assert not listens(server)
    assert not server.log.exists()


# --- how they end ---------------------------------------------------------------------------------------------------


def test_it_ends_with_the_thread_of_control_not_with_a_thread() -> None:
    """A server that a worker thread started stays when that thread ends."""
    entered: list[tuple[AbstractContextManager[Server], Server]] = []

    def start() -> None:
        context = started(echo())
        entered.append((context, context.__enter__()))

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    ((context, server),) = entered
    try:
        assert listens(server)
    finally:
        context.__exit__(None, None, None)
    assert not listens(server)


def test_it_takes_its_own_children_along() -> None:
    with started(echo("grandchild")) as server:
        child = int(server.log.read_text().splitlines()[0])
        os.kill(child, 0)
    eventually(lambda: not runs(child), "the server's child is gone")


def runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "Z" not in subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True).stdout


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_it_does_not_outlive_who_started_it(number: signal.Signals) -> None:
    script = """
import sys
from support.servers import ministack
with ministack.start() as server:
    print(server.port, flush=True)
    sys.stdin.read()
"""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[1])}
    command = [sys.executable, "-c", script]
    with child(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as starter:
        assert starter.stdout is not None
        server = Server("ministack", "127.0.0.1", int(starter.stdout.readline()), Path())
        assert listens(server)
        starter.send_signal(number)
    eventually(lambda: not listens(server), "the server is gone")


# --- how they do not start ------------------------------------------------------------------------------------------


def echo(*arguments: str) -> Program:
    return Program("echo", lambda port: [*PYTHON, "-c", ECHO, str(port), *arguments])


def test_a_server_that_ends_at_once_shows_its_log() -> None:
    program = Program("broken", lambda port: [*PYTHON, "-c", "print('no licence'); raise SystemExit(7)"])
    with pytest.raises(ServerError, match=r"broken ended with status 7:\nno licence"), started(program):
        pass


def test_a_taken_port_is_given_up_for_another() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", free_port()))
        taken.listen()
        ports = [taken.getsockname()[1]]

        def command(port: int) -> Sequence[str]:
            return [*PYTHON, "-c", ECHO, str(ports.pop() if ports else port)]

        with started(Program("echo", command)) as server:
            assert listens(server)
            assert not ports


def test_a_server_that_never_answers_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "START_TIMEOUT", 0.5)
    program = Program("mute", lambda port: [*PYTHON, "-c", "print('busy'); import time; time.sleep(600)"])
    with pytest.raises(ServerError, match=r"mute did not answer within 0 s:\nbusy"), started(program):
        pass


def test_a_missing_emulator_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HEADRACE_EMULATORS", str(tmp_path))
    with pytest.raises(ServerError, match="make emulators"), ministack.start():
        pass


FETCHES = [
    pytest.param("mvn", lambda: jars.jars(elasticmq.POM), id="maven"),
    pytest.param("npm", lambda: packages.packages(kinesalite.HOME / "package-lock.json"), id="npm"),
]


@pytest.mark.parametrize(("program", "fetch"), FETCHES)
def test_what_cannot_be_fetched_is_not_there(
    program: str, fetch: Callable[[], Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A failed fetch leaves nothing that a later run would take for the whole."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / program).write_text("#!/bin/sh\necho 'Could not transfer artifact'\nexit 1\n")
    (programs / program).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setattr(fetched, "ROOT", tmp_path)
    with pytest.raises(ServerError, match="Could not transfer artifact"):
        fetch()
    assert [path.name for path in (tmp_path / ".servers").iterdir() if path.is_dir()] == []


@pytest.mark.parametrize(("program", "fetch"), FETCHES)
def test_a_missing_program_says_what_to_install(
    program: str, fetch: Callable[[], Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(fetched, "ROOT", tmp_path)
    with pytest.raises(ServerError, match=f"no `{program}` on PATH: install"):
        fetch()


def test_no_cluster_id_looks_like_an_option() -> None:
    assert not [number for number in range(1000) if kafka.cluster_id().startswith("-")]
