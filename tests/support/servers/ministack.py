"""MiniStack: SQS, Kinesis, DynamoDB Streams, S3, SNS, Lambda and more in one small process."""

from __future__ import annotations

from contextlib import AbstractContextManager

from .running import Program, Server, emulator, started

PROGRAM = Program(
    "ministack",
    command=lambda port: [emulator("ministack")],
    environment=lambda port: {"GATEWAY_PORT": str(port), "BIND_HOST": "127.0.0.1"},
    ready_path="/_localstack/health",
)


def start() -> AbstractContextManager[Server]:
    return started(PROGRAM)
