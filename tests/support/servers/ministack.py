"""MiniStack: SQS, Kinesis, DynamoDB Streams, S3, SNS, Lambda and more in one small process."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import replace

from .running import Program, Server, answers_http, emulator, started

PROGRAM = Program(
    "ministack",
    command=lambda port: [emulator("ministack")],
    # Without the last one it also listens on port 8883, on all interfaces.
    environment=lambda port: {"GATEWAY_PORT": str(port), "BIND_HOST": "127.0.0.1", "IOT_MTLS_ENABLED": "0"},
    ready=answers_http("/_localstack/health"),
)


def start(**variables: str) -> AbstractContextManager[Server]:
    """`variables`: of its environment, besides those that it always has."""
    program = replace(PROGRAM, environment=lambda port: {**PROGRAM.environment(port), **variables})
    return started(program)
