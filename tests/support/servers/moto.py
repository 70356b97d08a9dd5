"""moto's server: AWS's API shapes, slowly."""

from __future__ import annotations

from contextlib import AbstractContextManager

from .running import Program, Server, emulator, started

PROGRAM = Program("moto", command=lambda port: [emulator("moto_server"), "-H", "127.0.0.1", "-p", str(port)])


def start() -> AbstractContextManager[Server]:
    return started(PROGRAM)
