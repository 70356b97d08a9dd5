"""DynamoDB Local: AWS's own DynamoDB and Streams in memory, on the JVM, fetched from Maven."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from .jars import SHORT_LIVED, jars
from .running import Program, Server, started

HOME = Path(__file__).parent / "dynamodb_local_jars"


def _command(port: int) -> list[str]:
    library = jars(HOME / "pom.xml")
    options = [*SHORT_LIVED, "-Xmx512m", f"-Djava.library.path={library}", "-cp", f"{library}/*"]
    return ["java", *options, str(HOME / "Loopback.java"), str(port)]


def start() -> AbstractContextManager[Server]:
    return started(Program("dynamodb_local", _command))
