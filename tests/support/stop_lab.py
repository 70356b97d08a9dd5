"""A daemon with a mapping of every kind, of which one part or all of them hang when it is told to stop; and how long it
takes to end then. Used by `benchmarks/stop.py`, which prints the table, and by `tests/proof/test_stop_time.py`.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from headrace.pollers.checkpoints.state_file import FILE
from support import daemons, sqs_stub
from support.eventually import eventually
from support.holding_proxy import HoldingProxy, proxied
from support.servers import kafka, ministack
from support.servers.running import Restartable, free_port
from support.streams import Streams
from support.topics import Topics

STOP_TIMEOUT = 8.0
CODE = Path(__file__).with_name("stop_function")
SQS = f"arn:aws:sqs:us-east-1:{daemons.ACCOUNT}"


# --- servers --------------------------------------------------------------------------------------------------------


class Stub:
    """The stub of SQS as a process."""

    def __init__(self, url: str) -> None:
        self.url = url

    def post(self, path: str, body: bytes = b"") -> None:
        urllib.request.urlopen(urllib.request.Request(self.url + path, data=body, method="POST")).close()

    def unanswered(self, queue: str, *operations: str) -> None:
        self.post(f"/_faults?queue={queue}", json.dumps({"unanswered": operations}).encode())

    def send(self, queue: str, body: str) -> None:
        self.post(f"/_send?queue={queue}", body.encode())


@contextmanager
def stub() -> Iterator[Stub]:
    program = Path(sqs_stub.__file__)
    environment = {**os.environ, "PYTHONPATH": str(program.parents[1])}
    with subprocess.Popen(
        [sys.executable, str(program)], stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        try:
            yield Stub(process.stdout.readline().strip())
        finally:
            process.terminate()


@dataclass
class Servers:
    """Everything that a daemon speaks to, each behind a proxy of its own."""

    sqs: Stub
    kinesis: HoldingProxy
    dynamodb: HoldingProxy
    sns: HoldingProxy
    logs: HoldingProxy
    function: HoldingProxy
    function_url: str
    streams: Streams
    broker: Restartable | None = None
    brokers: HoldingProxy | None = None
    topics: Topics | None = None

    def release(self) -> None:
        """All of them answer again."""
        for each in (self.kinesis, self.dynamodb, self.sns, self.logs, self.function, self.brokers):
            if each is not None:
                each.release()
        for queue in ("orders", "slow", "loud"):
            self.sqs.unanswered(queue)
        if self.broker is not None:
            self.broker.resume()


@contextmanager
def servers(*, with_kafka: bool | None = None) -> Iterator[Servers]:
    """`with_kafka`: None where Java is there."""
    with ExitStack() as stack:
        emulator = stack.enter_context(ministack.start())
        kinesis, dynamodb, sns, logs = (stack.enter_context(proxied(emulator.host, emulator.port)) for _ in range(4))
        function = stack.enter_context(daemons.function())
        before_function = stack.enter_context(proxied("127.0.0.1", function.port))
        url = function.url.replace(str(function.port), str(before_function.port))
        streams = Streams(emulator.endpoint_url)
        stack.callback(streams.close)
        sqs = stack.enter_context(stub())
        made = Servers(sqs, kinesis, dynamodb, sns, logs, before_function, url, streams)
        if shutil.which("java") and shutil.which("mvn") if with_kafka is None else with_kafka:
            _add_kafka(made, stack)
        yield made


def _add_kafka(made: Servers, stack: ExitStack) -> None:
    inner, outer = free_port(), free_port()
    extras = kafka.Extras(listeners={"PROXIED": ("PLAINTEXT", inner)}, advertised={"PROXIED": f"127.0.0.1:{outer}"})
    (made.broker,) = stack.enter_context(kafka.cluster(1, extras))
    stack.callback(made.broker.resume)
    made.brokers = stack.enter_context(proxied("127.0.0.1", inner, outer))
    made.topics = Topics(f"{made.broker.server.host}:{made.broker.server.port}")


# --- the daemon -----------------------------------------------------------------------------------------------------


@dataclass
class Life:
    """One daemon, and what its mappings read."""

    servers: Servers
    directory: Path
    process: subprocess.Popen[bytes]
    port: int
    stream: str
    doomed: str
    table: str
    topic: str
    unread: bool = False
    held: list[Any] = field(default_factory=list)
    """What is let go of when it has ended."""

    def status(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/status", timeout=10) as answer:
            found: dict[str, Any] = json.load(answer)
            return found

    def delivered(self) -> dict[str, int]:
        return {each["name"]: each["counts"]["delivered"] for each in self.status()["mappings"]}

    def send(self) -> None:
        """A record for each mapping that takes what it gets."""
        servers = self.servers
        servers.sqs.send("orders", "one")
        servers.streams.put(self.stream, {"n": 1})
        servers.streams.dynamodb.put_item(TableName=self.table, Item={"id": {"S": str(time.monotonic())}})
        if servers.topics is not None:
            servers.topics.send(self.topic, b"1")


def _config(servers: Servers, directory: Path, port: int, names: dict[str, str]) -> Path:
    def local(handler: str) -> dict[str, object]:
        return {"runtime": "python", "handler": f"app.{handler}", "code": str(CODE), "timeout": 900}

    stream_of = servers.streams.arn
    table = servers.streams.dynamodb.describe_table(TableName=names["table"])["Table"]["LatestStreamArn"]
    reading = {"starting_position": "TRIM_HORIZON", "function": "f"}
    on_failure = {"destination_config": {"on_failure": {"destination": names["dead"]}}}
    mappings: dict[str, dict[str, object]] = {
        "queue": {"source": f"{SQS}:orders", "function": "f"},
        "slow": {"source": f"{SQS}:slow", "function": "sleeps"},
        "loud": {"source": f"{SQS}:loud", "function": "prints"},
        "stream": {"source": stream_of(names["stream"]), **reading},
        "table": {"source": table, **reading},
        "doomed": {
            "source": stream_of(names["doomed"]),
            **reading,
            "function": "fails",
            "maximum_retry_attempts": 0,
            **on_failure,
        },
    }
    if servers.brokers is not None:
        mappings["topic"] = {
            **reading,
            "topics": [names["topic"]],
            "self_managed_event_source": {
                "endpoints": {"kafka_bootstrap_servers": [f"127.0.0.1:{servers.brokers.port}"]}
            },
        }
    endpoints = {
        "sqs": servers.sqs.url,
        "kinesis": servers.kinesis.url,
        "dynamodb": servers.dynamodb.url,
        "dynamodbstreams": servers.dynamodb.url,
        "sns": servers.sns.url,
        "logs": servers.logs.url,
    }
    config = {
        "aws": {"endpoint_url": servers.streams.endpoint_url, "endpoint_urls": endpoints, "region": "us-east-1"},
        "listen": f"127.0.0.1:{port}",
        "stop_timeout": STOP_TIMEOUT,
        "functions": {
            "f": {"http": servers.function_url, "timeout": 900},
            **{name: local(name) for name in ("sleeps", "prints", "fails")},
        },
        "mappings": mappings,
    }
    file = directory / "headrace.json"
    file.write_text(json.dumps(config))
    return file


@contextmanager
def living(servers: Servers, *, unread: bool = False) -> Iterator[Life]:
    """A daemon of which each mapping has delivered a record."""
    with tempfile.TemporaryDirectory(prefix="stop-") as name:
        directory = Path(name)
        for queue in ("orders", "slow", "loud"):
            servers.sqs.post(f"/_create?queue={queue}")
        names = {
            "stream": servers.streams.create(),
            "doomed": servers.streams.create(),
            "table": servers.streams.table(),
            "topic": servers.topics.create() if servers.topics is not None else "",
            "dead": _topic_of_documents(servers),
        }
        port = free_port()
        config = _config(servers, directory, port, names)
        with (directory / "log").open("wb") as log:
            process = subprocess.Popen(
                [*daemons.command(), "run", str(config), *(["--log-level=debug"] if unread else [])],
                cwd=directory,
                env=daemons.environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if unread else subprocess.DEVNULL,
                stderr=subprocess.PIPE if unread else log,
                start_new_session=True,
            )
        life = Life(servers, directory, process, port, names["stream"], names["doomed"], names["table"], names["topic"])
        try:
            _warm(life)
            yield life
        finally:
            process.kill()
            process.wait()
            for pipe in filter(None, (process.stdout, process.stderr)):
                pipe.close()
            for each in life.held:
                each.close()
            servers.release()


def _topic_of_documents(servers: Servers) -> str:
    client = servers.streams._client("sns")
    arn: str = client.create_topic(Name=servers.streams.name())["TopicArn"]
    client.close()
    return arn


def _warm(life: Life) -> None:
    def polling() -> bool:
        try:
            return all(each["state"] == "polling" for each in life.status()["mappings"])
        except OSError:
            return False

    eventually(polling, "every mapping polls")
    life.send()
    life.servers.sqs.send("loud", "one")
    wanted = {"queue", "stream", "table", "loud", *(["topic"] if life.servers.topics is not None else [])}
    eventually(lambda: all(life.delivered()[name] >= 1 for name in wanted), "every mapping has delivered")


# --- what hangs -----------------------------------------------------------------------------------------------------


def _unanswered(*operations: str) -> Callable[[Life], None]:
    return lambda life: life.servers.sqs.unanswered("orders", *operations)


def _held(name: str) -> Callable[[Life], None]:
    def hold(life: Life) -> None:
        getattr(life.servers, name).hold()

    return hold


def _deaf_brokers(life: Life) -> None:
    assert life.servers.brokers is not None
    life.servers.brokers.deafen()


def _paused_broker(life: Life) -> None:
    assert life.servers.broker is not None
    life.servers.broker.pause()


def _documents(life: Life) -> None:
    life.servers.sns.hold()
    life.servers.streams.put(life.doomed, "poison")


def _sleeping(life: Life) -> None:
    life.servers.sqs.send("slow", "one")
    eventually(lambda: _counts(life, "slow")["fetched"] == 1, "the function runs")


def _lines(life: Life) -> None:
    life.servers.logs.hold()
    life.servers.sqs.send("loud", "more")
    eventually(lambda: life.delivered()["loud"] >= 2, "lines are printed")


def _positions(life: Life) -> None:
    connection = sqlite3.connect(life.directory / ".headrace" / FILE, isolation_level=None, check_same_thread=False)
    connection.execute("BEGIN IMMEDIATE")
    life.held.append(connection)


def _counts(life: Life, mapping: str) -> dict[str, int]:
    return next(each["counts"] for each in life.status()["mappings"] if each["name"] == mapping)


def _nothing(life: Life) -> None:
    """Everything works."""


ALONE: dict[str, Callable[[Life], None]] = {
    "nothing": _nothing,
    "SQS, all calls": _unanswered(*sqs_stub.OPERATIONS),
    "SQS, deletes": _unanswered("DeleteMessageBatch"),
    "Kinesis": _held("kinesis"),
    "DynamoDB": _held("dynamodb"),
    "Kafka, answers held": _held("brokers"),
    "Kafka, half-open": _deaf_brokers,
    "Kafka, broker stopped": _paused_broker,
    "destination": _documents,
    "function over HTTP": _held("function"),
    "local function": _sleeping,
    "log endpoint": _lines,
    "stored positions locked": _positions,
    "standard error unread": _nothing,
}
"""What hangs, and how it comes to hang. Records are sent after that."""
ALL = "all at once"
TOGETHER = [name for name in ALONE if name not in ("Kafka, answers held", "Kafka, half-open", "SQS, deletes")]
UNREAD = ("standard error unread", ALL)


def parts(servers: Servers) -> list[str]:
    """Those that can be tried here."""
    return [name for name in (*ALONE, ALL) if servers.brokers is not None or not name.startswith("Kafka")]


def measure(servers: Servers, part: str) -> float:
    """Seconds from the signal to the end of the process, in a daemon's life of its own. Raises AssertionError for one
    that did not end with 0."""
    hanging = [part] if part != ALL else [name for name in TOGETHER if name in parts(servers)]
    with living(servers, unread=part in UNREAD) as life:
        if part == ALL:
            hanging = sorted(hanging, key=lambda name: name == "SQS, all calls")  # others wait for it to begin
        for name in hanging:
            ALONE[name](life)
        threading.Thread(target=_send_what_may_hang, args=(life,), daemon=True).start()
        time.sleep(1.0)  # as long as it takes for what is fetched to get stuck
        began = time.monotonic()
        life.process.send_signal(signal.SIGTERM)
        code = life.process.wait()  # not with a limit: then it looks only now and then
        seconds = time.monotonic() - began
        assert code == 0, f"{part}: it ended with {code}\n{(life.directory / 'log').read_text()[-3000:]}"
        return seconds


def _send_what_may_hang(life: Life) -> None:
    try:
        life.send()
    except Exception:  # a broker that was stopped takes nothing from us either
        return
