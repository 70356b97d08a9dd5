"""The calls of event source mappings, as tests make them with boto's client at a daemon."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import botocore.config
import botocore.exceptions
import pytest

from . import daemons
from .daemons import Daemon


class Api:
    """Boto's client, and what tests ask it again and again."""

    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon
        self.client: Any = boto3.client(
            "lambda",
            region_name="us-east-1",
            endpoint_url=daemon.url,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=botocore.config.Config(retries={"total_max_attempts": 1}),
        )

    def create(self, source: str, **more: Any) -> dict[str, Any]:
        made: dict[str, Any] = self.client.create_event_source_mapping(
            **{"FunctionName": "f", "EventSourceArn": source, **more}
        )
        return made

    def update(self, uuid: str, **more: Any) -> dict[str, Any]:
        made: dict[str, Any] = self.client.update_event_source_mapping(UUID=uuid, **more)
        return made

    def delete(self, uuid: str) -> dict[str, Any]:
        made: dict[str, Any] = self.client.delete_event_source_mapping(UUID=uuid)
        return made

    def get(self, uuid: str) -> dict[str, Any]:
        found: dict[str, Any] = self.client.get_event_source_mapping(UUID=uuid)
        return found

    def uuids(self, **asked: Any) -> list[str]:
        found = self.client.list_event_source_mappings(**asked)["EventSourceMappings"]
        return [each["UUID"] for each in found]

    def wait_state(self, uuid: str, state: str) -> dict[str, Any]:
        self.daemon.wait_until(lambda: self.get(uuid)["State"] == state)
        return self.get(uuid)

    def wait_gone(self, uuid: str) -> None:
        self.daemon.wait_until(lambda: uuid not in self.uuids())
        assert refusal(lambda: self.get(uuid)) == (
            "ResourceNotFoundException",
            "The resource you requested does not exist.",
        )

    def counts(self, name: str) -> dict[str, int]:
        return next(each["counts"] for each in self.daemon.status()["mappings"] if each["name"] == name)


def refusal(call: Callable[[], object]) -> tuple[str, str]:
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        call()
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


@contextmanager
def running(config: Path, *arguments: str) -> Iterator[Api]:
    with daemons.running(str(config), *arguments, cwd=config.parent) as daemon:
        daemon.ready()
        api = Api(daemon)
        try:
            yield api
        finally:
            api.client.close()


def kill(api: Api) -> None:
    api.daemon.signal(signal.SIGKILL)
    api.daemon.wait()
