"""`--take-over` and the tools that deploy: what the commands of docs/beside-your-emulator.md for SAM, CDK and
Serverless make in MiniStack's Lambda runs here, is followed when it is deployed again, and is MiniStack's again after a
stop."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support import wheel
from support.daemons import Daemon, Queues, running
from support.emulator_lab import client_of
from support.eventually import eventually
from support.sdks.stacks import TOOLS
from support.servers.running import Server
from support.stack_project import StackProject

PAGE = (wheel.ROOT / "docs" / "beside-your-emulator.md").read_text().partition("## Deploy to MiniStack")[2]
COMMANDS = [shlex.split(line) for line in re.findall(r"^\$ (.*)$", PAGE, re.MULTILINE)]
CREATED, OTHER = json.dumps({"type": "created"}), json.dumps({"type": "other"})


class Shop(StackProject):
    """A project, and an emulator to which it is deployed as a stack."""

    def __init__(self, emulator: str, directory: Path, stack: str) -> None:
        super().__init__(emulator, directory)
        self.stack = stack
        local = stack == "sls-dev"  # one of them with its functions here
        take_over = {"interval": 0.2, "functions": "local" if local else "invoke"}
        (self.project / "headrace.json").write_text(json.dumps({"take_over": take_over, "state": "../state"}))
        self.cloudformation, self.lambda_ = client_of("cloudformation", emulator), client_of("lambda", emulator)

    def deploy(self, tool: str) -> None:
        """By the page's commands for this tool, in their order."""
        for program, *arguments in COMMANDS:
            if program == tool:
                self.run(tool, *arguments)

    def made(self, kind: str) -> list[str]:
        """The physical ids of the stack's resources of this kind."""
        resources = self.cloudformation.describe_stack_resources(StackName=self.stack)["StackResources"]
        return [each["PhysicalResourceId"] for each in resources if each["ResourceType"] == kind]

    def mapping(self) -> dict[str, Any]:
        (found,) = self.made("AWS::Lambda::EventSourceMapping")
        shown: dict[str, Any] = self.lambda_.get_event_source_mapping(UUID=found)
        return shown


@pytest.fixture
def shop(ministack: Server, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Shop]:
    made = Shop(ministack.endpoint_url, tmp_path, request.param)
    yield made
    made.cloudformation.delete_stack(StackName=made.stack)
    made.cloudformation.close()
    made.lambda_.close()


@pytest.fixture
def daemon(shop: Shop) -> Iterator[Daemon]:
    environment = {"AWS_ENDPOINT_URL": shop.emulator, "AWS_DEFAULT_REGION": "us-east-1"}
    options = ("--take-over", "--listen=127.0.0.1:0", "--log-format=json")
    with running("headrace.json", *options, cwd=shop.project, env=environment) as found:
        yield found.ready()


def test_each_command_of_the_page_is_run() -> None:
    assert [each[0] for each in COMMANDS] == ["sam", "cdk", "cdk", "serverless"]
    assert {each[0] for each in COMMANDS} == TOOLS.keys()


def of_status(daemon: Daemon, mapped: str) -> dict[str, Any]:
    return next((each for each in daemon.status()["mappings"] if each["uuid"] == mapped), {})


def taken(shop: Shop, daemon: Daemon) -> str:
    """The UUID of the stack's mapping, once it runs here."""
    mapped: str = shop.mapping()["UUID"]
    daemon.wait_until(lambda: of_status(daemon, mapped).get("state") == "polling")
    assert of_status(daemon, mapped)["origin"] == "emulator"
    assert shop.mapping()["State"] == "Disabled"
    return mapped


def is_followed(shop: Shop, daemon: Daemon, batch_size: int) -> None:
    """What was deployed again is what runs here; a stop gives it back."""
    ours = client_of("lambda", daemon.url)
    mapped = taken(shop, daemon)
    eventually(lambda: ours.get_event_source_mapping(UUID=mapped)["BatchSize"] == batch_size, "it is the new one here")
    assert daemon.stop() == 0
    assert shop.mapping()["State"] == "Enabled"


@pytest.mark.semantics("TAKE-18", "TAKE-03")
@pytest.mark.parametrize("shop", ["shop"], indirect=True)
def test_what_sam_deploys_runs_here(shop: Shop, daemon: Daemon, queues: Queues) -> None:
    shop.of_sam()
    shop.deploy("sam")
    mapped = taken(shop, daemon)
    (url,) = shop.made("AWS::SQS::Queue")
    queues.send(url.rpartition("/")[2], CREATED, OTHER)
    daemon.wait_until(lambda: of_status(daemon, mapped)["counts"]["filtered"] == 1)
    daemon.wait_until(lambda: shop.seen() == [CREATED])
    shop.change("template.yaml", "BatchSize: 3", "BatchSize: 4")
    shop.deploy("sam")
    is_followed(shop, daemon, 4)


@pytest.mark.needs("npm")
@pytest.mark.semantics("TAKE-18", "TAKE-03")
@pytest.mark.parametrize("shop", ["CdkShop"], indirect=True)
def test_what_cdk_deploys_runs_here(shop: Shop, daemon: Daemon) -> None:
    shop.of_cdk()
    shop.deploy("cdk")
    mapped = taken(shop, daemon)
    shown = client_of("lambda", daemon.url).get_event_source_mapping(UUID=mapped)
    assert (shown["BisectBatchOnFunctionError"], shown["MaximumRetryAttempts"]) == (True, 0)
    assert ":CdkShop-Dead" in shown["DestinationConfig"]["OnFailure"]["Destination"]
    (table,) = shop.made("AWS::DynamoDB::Table")
    client_of("dynamodb", shop.emulator).put_item(TableName=table, Item={"id": {"S": "1"}})
    daemon.wait_until(lambda: shop.seen() == ["aws:dynamodb"])
    shop.change("app.js", "batchSize: 3", "batchSize: 4")
    shop.deploy("cdk")
    is_followed(shop, daemon, 4)


@pytest.mark.needs("npm")
@pytest.mark.semantics("TAKE-18", "TAKE-03", "TAKE-21")
@pytest.mark.parametrize("shop", ["sls-dev"], indirect=True)
def test_what_serverless_deploys_runs_here(shop: Shop, daemon: Daemon, queues: Queues) -> None:
    (plugin,) = re.findall(r"```yaml\n(plugins: .*?)```", PAGE, re.DOTALL)
    shop.of_serverless(plugin.replace("edgePort: 4566", "edgePort: <PORT>"))
    shop.deploy("serverless")
    mapped = taken(shop, daemon)
    (url,) = shop.made("AWS::SQS::Queue")
    queues.send(url.rpartition("/")[2], CREATED, OTHER)
    daemon.wait_until(lambda: of_status(daemon, mapped)["counts"]["filtered"] == 1)
    daemon.wait_until(lambda: shop.seen() == [CREATED])
    assert "by the Lambda API" in daemon.status()["functions"][0]["what"]  # it runs here
    shop.change("serverless.yml", "batchSize: 3", "batchSize: 4")
    shop.deploy("serverless")
    is_followed(shop, daemon, 4)
