"""MiniStack's own event source mappings, as a peer: its queue or stream, its mapping, its function, in one process."""

from __future__ import annotations

import io
import os
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3

from support.servers import ministack
from support.servers.running import Server, emulator

from .daemons import FUNCTIONS
from .processes import Cpu, children, cpu
from .report import Unavailable

ROLE = "arn:aws:iam::000000000000:role/lambda"


@dataclass(frozen=True, slots=True)
class MiniStack:
    server: Server
    pid: int

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.server.endpoint_url,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    def cpu(self) -> Cpu:
        return cpu(self.pid)

    def function(self, journal: Path) -> str:
        """One that writes into the journal; its name."""
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as files:
            files.write(FUNCTIONS / "journal.py", "journal.py")
        self.client("lambda").create_function(
            FunctionName="f",
            Runtime="python{}.{}".format(*sys.version_info[:2]),
            Role=ROLE,
            Handler="journal.handler",
            Code={"ZipFile": archive.getvalue()},
            Timeout=60,
            Environment={"Variables": {"JOURNAL": str(journal)}},
        )
        return "f"

    def map(self, source: str, batch: int, **more: object) -> None:
        """From a queue or a stream, by its ARN, to the function."""
        self.client("lambda").create_event_source_mapping(
            EventSourceArn=source, FunctionName="f", BatchSize=batch, **more
        )


def version() -> str:
    program = Path(emulator("ministack")).parent.parent
    found = next(program.glob("lib/*/site-packages/ministack-*.dist-info"))
    return found.name.removesuffix(".dist-info").replace("-", " ")


@contextmanager
def started() -> Iterator[MiniStack]:
    with ministack.start() as server:
        yield MiniStack(server, _pid(server))


def _pid(server: Server) -> int:
    """Of the process that listens: the guard around it is our child, and it is the guard's."""
    for child in children(os.getpid()):
        command = Path(f"/proc/{child}/cmdline").read_bytes()
        variables = Path(f"/proc/{child}/environ").read_bytes()
        if b"guard.py" not in command and f"GATEWAY_PORT={server.port}\0".encode() in variables:
            return child
    raise Unavailable("MiniStack runs, and its process was not found")
