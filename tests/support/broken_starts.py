"""A function that started well once, and cannot start any more: its dependency is gone, or its stored code. Its queue
moves a message to the dead-letter queue when it was received twice."""

from __future__ import annotations

import io
import json
import shutil
import sys
import uuid
import zipfile
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import boto3

from support import daemons
from support.daemons import Daemon, Queues

RUNTIME = "python{}.{}".format(*sys.version_info[:2])
BODIES = tuple(f"order-{number}" for number in range(20))
HANDLER = """
{imports}
def handler(event, context):
    with open({journal!r}, "a") as journal:
        for record in event["Records"]:
            journal.write(record["body"] + "\\n")
"""


def config_of(directory: Path, queues: Queues, **more: object) -> Path:
    """One without functions, unless `more` has some."""
    config = {"aws": {"endpoint_url": queues.endpoint_url, "region": "us-east-1"}, "listen": "127.0.0.1:0", **more}
    file = directory / "headrace.json"
    file.write_text(json.dumps(config))
    return file


class OnceGood(ABC):
    """`set_up` with a daemon that runs, then `spoil` and `mend` as often as wanted."""

    def __init__(self, directory: Path, queues: Queues) -> None:
        self.directory = directory
        self.queues = queues
        self.dead = queues.create()
        redrive = json.dumps({"deadLetterTargetArn": queues.arn(self.dead), "maxReceiveCount": "1"})
        self.queue = queues.create(RedrivePolicy=redrive, VisibilityTimeout="5")
        self.journal = directory / "journal"
        self.config = self.made()

    @abstractmethod
    def made(self) -> Path:
        """The configuration."""

    @abstractmethod
    def set_up(self, daemon: Daemon) -> None:
        """Tell a daemon what it must know before the function is there."""

    @abstractmethod
    def spoil(self) -> None:
        """Let it not start any more. No daemon runs."""

    @abstractmethod
    def mend(self, daemon: Daemon) -> None:
        """Let it start again, under this daemon."""

    def send(self) -> None:
        self.queues.send(self.queue, *BODIES)

    def taken(self) -> list[str]:
        return self.journal.read_text().splitlines() if self.journal.exists() else []

    def untouched(self) -> bool:
        """Whether every message is still to be had, and none was ever received."""
        return self.queues.depth(self.queue) == (len(BODIES), 0) and self.queues.depth(self.dead) == (0, 0)


class LostDependency(OnceGood):
    """A function of the configuration file."""

    def made(self) -> Path:
        self.library, code = self.directory / "library", self.directory / "code"
        for made in (self.library, code):
            made.mkdir()
        (self.library / "stock.py").touch()
        (code / "app.py").write_text(HANDLER.format(imports="import stock", journal=str(self.journal)))
        take = {
            "runtime": "python",
            "handler": "app.handler",
            "code": str(code),
            "environment": {"PYTHONPATH": str(self.library), "PYTHONDONTWRITEBYTECODE": "1"},
        }
        mapping = {"source": self.queues.arn(self.queue), "function": "take"}
        return config_of(self.directory, self.queues, functions={"take": take}, mappings={"m": mapping})

    def set_up(self, daemon: Daemon) -> None:
        """The configuration has it all."""

    def spoil(self) -> None:
        (self.library / "stock.py").rename(self.directory / "stock.py")

    def put_back(self) -> None:
        """What was lost. It may be there."""
        if (self.directory / "stock.py").exists():
            (self.directory / "stock.py").rename(self.library / "stock.py")

    def mend(self, daemon: Daemon) -> None:
        self.put_back()


class LostCode(OnceGood):
    """A function of the Lambda API."""

    def made(self) -> Path:
        self.name = f"take-{uuid.uuid4().hex[:8]}"
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("app.py", HANDLER.format(imports="", journal=str(self.journal)))
        self.package = buffer.getvalue()
        return config_of(self.directory, self.queues)

    def api(self, daemon: Daemon) -> Any:
        return boto3.client(
            "lambda",
            endpoint_url=daemon.url,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    def set_up(self, daemon: Daemon) -> None:
        api = self.api(daemon)
        api.create_function(
            FunctionName=self.name,
            Runtime=RUNTIME,
            Role=f"arn:aws:iam::{daemons.ACCOUNT}:role/r",
            Handler="app.handler",
            Code={"ZipFile": self.package},
        )
        api.get_waiter("function_active_v2").wait(FunctionName=self.name, WaiterConfig={"Delay": 1})
        api.create_event_source_mapping(FunctionName=self.name, EventSourceArn=self.queues.arn(self.queue))

    def spoil(self) -> None:
        shutil.rmtree(self.directory / ".headrace" / "code")

    def mend(self, daemon: Daemon) -> None:
        self.api(daemon).update_function_code(FunctionName=self.name, ZipFile=self.package)

    def shown(self, daemon: Daemon) -> dict[str, Any]:
        found: dict[str, Any] = self.api(daemon).get_function(FunctionName=self.name)["Configuration"]
        return found
