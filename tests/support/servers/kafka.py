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
from .running import Program, Restartable, Server, free_port, started

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


@dataclass(frozen=True, slots=True)
class Node:
    """One of a cluster's brokers. The first is the controller too."""

    number: int
    controller: int
    """The port of the controller."""
    cluster: str
    home: Path


def _properties(port: int, node: Node, extras: Extras) -> str:
    controls = node.number == 1
    bound = {"PLAINTEXT": port} | {name: at for name, (_, at) in extras.listeners.items()}
    addresses = {name: f"127.0.0.1:{at}" for name, at in bound.items()}
    listeners = ",".join(f"{name}://{address}" for name, address in addresses.items())
    advertised = ",".join(f"{name}://{address}" for name, address in (addresses | dict(extras.advertised)).items())
    protocols = {"PLAINTEXT": "PLAINTEXT", "CONTROLLER": "PLAINTEXT"}
    protocols |= {name: protocol for name, (protocol, _) in extras.listeners.items()}
    settings = {
        "process.roles": "broker,controller" if controls else "broker",
        "node.id": str(node.number),
        "controller.quorum.voters": f"1@127.0.0.1:{node.controller}",
        "listeners": f"{listeners},CONTROLLER://127.0.0.1:{node.controller}" if controls else listeners,
        "advertised.listeners": advertised,
        "controller.listener.names": "CONTROLLER",
        "listener.security.protocol.map": ",".join(f"{name}:{protocol}" for name, protocol in protocols.items()),
        "log.dirs": str(node.home / f"data-{node.number}"),
        "offsets.topic.replication.factor": "1",
        "offsets.topic.num.partitions": "4",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "group.initial.rebalance.delay.ms": "0",
        **extras.settings,
    }
    return "".join(f"{name}={value}\n" for name, value in settings.items())


def _command(port: int, node: Node, extras: Extras) -> list[str]:
    file = node.home / f"{node.number}-{port}.properties"
    file.write_text(_properties(port, node, extras))
    classes = ":".join([f"{jars(POM)}/*", *map(str, extras.classes)])
    formatting = ["--ignore-formatted", *extras.formatting]
    return ["sh", "-c", _FORMAT_AND_RUN, classes, node.cluster, str(file), *formatting]


def cluster_id() -> str:
    """Its first bit is 0, so that it does not begin with a dash: the tool that formats would take it for an option."""
    number = uuid.uuid4().bytes
    return base64.urlsafe_b64encode(bytes([number[0] & 0x7F]) + number[1:]).decode().rstrip("=")


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


def _program(node: Node, extras: Extras) -> Program:
    return Program(
        "kafka",
        lambda port: _command(port, node, extras),
        environment=lambda port: {"JVM": " ".join(SHORT_LIVED), "OPTIONS": " ".join(extras.options)},
        ready=lambda server: brokers(server) > 0,
    )


@contextmanager
def start(extras: Extras = PLAIN) -> Iterator[Server]:
    """The server's `host:port` is its bootstrap server."""
    with tempfile.TemporaryDirectory(prefix="kafka-", ignore_cleanup_errors=True) as home:
        node = Node(1, free_port(), cluster_id(), Path(home))
        with started(_program(node, extras)) as server:
            yield server


@contextmanager
def cluster(count: int, extras: Extras = PLAIN) -> Iterator[list[Restartable]]:
    """So many brokers, which keep what they store while they are away. They run; the first is the controller."""
    with tempfile.TemporaryDirectory(prefix="kafka-", ignore_cleanup_errors=True) as home:
        controller, name = free_port(), cluster_id()
        nodes = [Node(number, controller, name, Path(home)) for number in range(1, count + 1)]
        places = [Path(home, f"node-{node.number}") for node in nodes]
        for place in places:
            place.mkdir()
        made = [Restartable(_program(node, extras), place) for node, place in zip(nodes, places, strict=True)]
        try:
            for each in made:
                each.start()
            yield made
        finally:
            for each in reversed(made):
                each.stop()
