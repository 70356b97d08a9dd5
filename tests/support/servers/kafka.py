"""Apache Kafka: one broker that is its own controller (KRaft), plain text, on the JVM, fetched from Maven."""

from __future__ import annotations

import base64
import socket
import struct
import tempfile
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from .jars import SHORT_LIVED, jars
from .running import Program, Server, free_port, started

POM = Path(__file__).parent / "kafka_jars" / "pom.xml"
METADATA, NO_TOPICS = 3, b"\x00\x00\x00\x00"
_FORMAT_AND_RUN = """
jars=$0 cluster=$1 settings=$2
shift 2
java $JVM -Xmx256m -cp "$jars" kafka.tools.StorageTool format -t "$cluster" -c "$settings" "$@" &&
exec java $JVM -Xmx512m -Dorg.slf4j.simpleLogger.defaultLogLevel=warn $OPTIONS -cp "$jars" kafka.Kafka "$settings"
"""


@dataclass(frozen=True, slots=True)
class Extras:
    """What a broker has besides its plain listener."""

    listeners: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    """Security protocol and port, by name."""
    advertised: Mapping[str, str] = field(default_factory=dict)
    """`host:port` of the listeners that clients are sent elsewhere by."""
    settings: Mapping[str, str] = field(default_factory=dict)
    formatting: Sequence[str] = ()
    """Options of the tool that formats the storage."""
    classes: Sequence[Path] = ()
    options: Sequence[str] = ()
    """Of the broker's JVM."""


PLAIN = Extras()


def _properties(port: int, controller: int, data: Path, extras: Extras) -> str:
    bound = {"PLAINTEXT": port} | {name: at for name, (_, at) in extras.listeners.items()}
    addresses = {name: f"127.0.0.1:{at}" for name, at in bound.items()}
    listeners = ",".join(f"{name}://{address}" for name, address in addresses.items())
    advertised = ",".join(f"{name}://{address}" for name, address in (addresses | dict(extras.advertised)).items())
    protocols = {"PLAINTEXT": "PLAINTEXT", "CONTROLLER": "PLAINTEXT"}
    protocols |= {name: protocol for name, (protocol, _) in extras.listeners.items()}
    settings = {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@127.0.0.1:{controller}",
        "listeners": f"{listeners},CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": advertised,
        "controller.listener.names": "CONTROLLER",
        "listener.security.protocol.map": ",".join(f"{name}:{protocol}" for name, protocol in protocols.items()),
        "log.dirs": str(data),
        "offsets.topic.replication.factor": "1",
        "offsets.topic.num.partitions": "4",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "group.initial.rebalance.delay.ms": "0",
        **extras.settings,
    }
    return "".join(f"{name}={value}\n" for name, value in settings.items())


def _command(port: int, home: Path, extras: Extras) -> list[str]:
    cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    file = home / f"{port}.properties"
    file.write_text(_properties(port, free_port(), home / f"{port}-data", extras))
    classes = ":".join([f"{jars(POM)}/*", *map(str, extras.classes)])
    return ["sh", "-c", _FORMAT_AND_RUN, classes, cluster, str(file), *extras.formatting]


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
def start(extras: Extras = PLAIN) -> Iterator[Server]:
    """The server's `host:port` is its bootstrap server."""
    with tempfile.TemporaryDirectory(prefix="kafka-", ignore_cleanup_errors=True) as home:
        program = Program(
            "kafka",
            lambda port: _command(port, Path(home), extras),
            environment=lambda port: {"JVM": " ".join(SHORT_LIVED), "OPTIONS": " ".join(extras.options)},
            ready=lambda server: brokers(server) > 0,
        )
        with started(program) as server:
            yield server
