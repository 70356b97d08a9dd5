"""Apache Kafka: one broker that is its own controller (KRaft), plain text, on the JVM, fetched from Maven."""

from __future__ import annotations

import base64
import socket
import struct
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .jars import jars
from .running import Program, Server, free_port, started

POM = Path(__file__).parent / "kafka_jars" / "pom.xml"
METADATA, NO_TOPICS = 3, b"\x00\x00\x00\x00"
_FORMAT_AND_RUN = """
java -Xmx256m -cp "$0" kafka.tools.StorageTool format -t "$1" -c "$2" &&
exec java -Xmx512m -Dorg.slf4j.simpleLogger.defaultLogLevel=warn -cp "$0" kafka.Kafka "$2"
"""


def _properties(port: int, controller: int, data: Path) -> str:
    settings = {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@127.0.0.1:{controller}",
        "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
        "controller.listener.names": "CONTROLLER",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.dirs": str(data),
        "offsets.topic.replication.factor": "1",
        "offsets.topic.num.partitions": "4",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "group.initial.rebalance.delay.ms": "0",
    }
    return "".join(f"{name}={value}\n" for name, value in settings.items())


def _command(port: int, home: Path) -> list[str]:
    cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    file = home / f"{port}.properties"
    file.write_text(_properties(port, free_port(), home / f"{port}-data"))
    return ["sh", "-c", _FORMAT_AND_RUN, f"{jars(POM)}/*", cluster, str(file)]


def brokers(server: Server) -> int:
    """How many brokers the cluster says it has; 0 while it does not answer."""
    request = struct.pack(">hhih", METADATA, 1, 0, -1) + NO_TOPICS
    try:
        with socket.create_connection((server.host, server.port), timeout=2) as connection:
            connection.sendall(struct.pack(">i", len(request)) + request)
            with connection.makefile("rb") as reply:
                return _count(reply.read(struct.unpack(">i", reply.read(4))[0]))
    except (OSError, struct.error):
        return 0


def _count(reply: bytes) -> int:
    """The length of the array that follows the correlation id."""
    (number,) = struct.unpack_from(">i", reply, 4)
    return int(number)


@contextmanager
def start() -> Iterator[Server]:
    """The server's `host:port` is its bootstrap server."""
    with tempfile.TemporaryDirectory(prefix="kafka-", ignore_cleanup_errors=True) as home:
        program = Program("kafka", lambda port: _command(port, Path(home)), ready=lambda server: brokers(server) > 0)
        with started(program) as server:
            yield server
