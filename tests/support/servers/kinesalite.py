"""Kinesalite: Kinesis streams in memory, whose closed shards really end, on Node.js, fetched from npm."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from .packages import packages
from .running import Program, Server, started

HOME = Path(__file__).parent / "kinesalite_package"


def _command(port: int) -> list[str]:
    return ["node", str(HOME / "loopback.js"), str(packages(HOME / "package-lock.json")), str(port)]


def start() -> AbstractContextManager[Server]:
    return started(Program("kinesalite", _command))
