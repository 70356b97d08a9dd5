"""ElasticMQ: a real SQS-compatible server on the JVM, fetched from Maven."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from .jars import SHORT_LIVED, jars
from .running import Program, Server, answers_http, started

POM = Path(__file__).parent / "elasticmq_jars" / "pom.xml"


def _command(port: int) -> list[str]:
    options = [
        *SHORT_LIVED,
        "-Xmx512m",
        "-Drest-sqs.bind-hostname=127.0.0.1",
        f"-Drest-sqs.bind-port={port}",
        "-Drest-stats.enabled=false",
        f"-Dnode-address.port={port}",
        "-Dnode-address.host=127.0.0.1",
        "-Daws.region=us-east-1",
        "-Daws.accountId=000000000000",
    ]
    return ["java", *options, "-cp", f"{jars(POM)}/*", "org.elasticmq.server.Main"]


def start() -> AbstractContextManager[Server]:
    return started(Program("elasticmq", _command, ready=answers_http("/health")))
