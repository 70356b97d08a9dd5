"""An emulator with functions and event source mappings of its own, as somebody's deployment leaves them."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError

from support.api_kill import OURS
from support.eventually import eventually

ROLE = "arn:aws:iam::000000000000:role/any"
SOURCE = """
import json, os
def handler(event, context):
    with open(os.environ["JOURNAL"], "a") as journal:
        journal.write(json.dumps(event) + "\\n")
    bodies = [each.get("body") or each.get("kinesis", {}).get("data") for each in event.get("Records", ())]
    if os.environ.get("FAILS_AT") in bodies:
        raise ValueError("poison")
    return {"state": {"count": event.get("state", {}).get("count", 0) + len(bodies)}} if "window" in event else None
"""


def client_of(service: str, endpoint: str) -> Any:
    return boto3.client(
        service,
        region_name="us-east-1",
        endpoint_url=endpoint,
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


def package() -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as code:
        code.writestr(zipfile.ZipInfo("app.py"), SOURCE)
    return archive.getvalue()


@dataclass
class EmulatorLab:
    """`mappings` are deleted at the end."""

    endpoint: str
    directory: Path
    mappings: list[str] = field(default_factory=list)
    functions: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.lambda_ = client_of("lambda", self.endpoint)

    def function(self, name: str, **variables: str) -> str:
        """Its ARN. What it gets, it writes down."""
        variables = {"JOURNAL": str(self.journal(name)), **variables}
        made = self.lambda_.create_function(
            FunctionName=name,
            Runtime=OURS,
            Handler="app.handler",
            Role=ROLE,
            Code={"ZipFile": package()},
            Environment={"Variables": variables},
        )
        self.functions.append(name)
        arn: str = made["FunctionArn"]
        return arn

    def journal(self, name: str) -> Path:
        return self.directory / f"{name}.journal"

    def events(self, name: str) -> list[dict[str, Any]]:
        path = self.journal(name)
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def bodies(self, name: str) -> list[str]:
        return [record["body"] for event in self.events(name) for record in event["Records"]]

    def mapping(self, function: str, source: str, **settings: Any) -> str:
        made = self.lambda_.create_event_source_mapping(FunctionName=function, EventSourceArn=source, **settings)
        self.mappings.append(made["UUID"])
        uuid: str = made["UUID"]
        return uuid

    def state(self, uuid: str) -> str:
        state: str = self.lambda_.get_event_source_mapping(UUID=uuid)["State"]
        return state

    def until(self, uuid: str, state: str) -> None:
        eventually(lambda: self.state(uuid) == state, f"{uuid} is {state}")

    def close(self) -> None:
        for uuid in self.mappings:
            with suppress(ClientError):
                self.lambda_.delete_event_source_mapping(UUID=uuid)
        for name in self.functions:
            with suppress(ClientError):
                self.lambda_.delete_function(FunctionName=name)
        self.lambda_.close()


@contextmanager
def emulator_lab(endpoint: str, directory: Path) -> Iterator[EmulatorLab]:
    lab = EmulatorLab(endpoint, directory)
    try:
        yield lab
    finally:
        lab.close()
