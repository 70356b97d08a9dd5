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
from support.api_kill import OURS
from support.daemons import Daemon, Queues, running
from support.emulator_lab import SOURCE, client_of
from support.eventually import eventually
from support.sdks.stacks import TOOLS, node_modules
from support.servers.running import Server

PAGE = (wheel.ROOT / "docs" / "beside-your-emulator.md").read_text().partition("## Deploy to MiniStack")[2]
COMMANDS = [shlex.split(line) for line in re.findall(r"^\$ (.*)$", PAGE, re.MULTILINE)]
CREATED, OTHER = json.dumps({"type": "created"}), json.dumps({"type": "other"})


class Shop:
    """A project with one function, whose journal is a file, and an emulator to which it is deployed as a stack."""

    def __init__(self, emulator: str, directory: Path, stack: str) -> None:
        self.emulator, self.stack = emulator, stack
        self.project, self.journal = directory / "project", directory / "journal"
        (self.project / "src").mkdir(parents=True)
        (self.project / "src" / "app.py").write_text(SOURCE)
        (self.project / "headrace.json").write_text('{"take_over": {"interval": 0.2}, "state": "../state"}')
        self.cloudformation, self.lambda_ = client_of("cloudformation", emulator), client_of("lambda", emulator)

    def write(self, name: str, text: str) -> None:
        words = {"JOURNAL": str(self.journal), "RUNTIME": OURS, "PORT": self.emulator.rpartition(":")[2]}
        for word, value in words.items():
            text = text.replace(f"<{word}>", value)
        (self.project / name).write_text(text)

    def change(self, name: str, old: str, new: str) -> None:
        text = (self.project / name).read_text()
        assert old in text
        (self.project / name).write_text(text.replace(old, new))

    def deploy(self, tool: str) -> None:
        """By the page's commands for this tool, in their order."""
        for program, *arguments in COMMANDS:
            if program == tool:
                TOOLS[tool](self.project, self.emulator, *arguments)

    def made(self, kind: str) -> list[str]:
        """The physical ids of the stack's resources of this kind."""
        resources = self.cloudformation.describe_stack_resources(StackName=self.stack)["StackResources"]
        return [each["PhysicalResourceId"] for each in resources if each["ResourceType"] == kind]

    def mapping(self) -> dict[str, Any]:
        (found,) = self.made("AWS::Lambda::EventSourceMapping")
        shown: dict[str, Any] = self.lambda_.get_event_source_mapping(UUID=found)
        return shown

    def seen(self) -> list[str]:
        lines = self.journal.read_text().splitlines() if self.journal.exists() else []
        records = [record for line in lines for record in json.loads(line)["Records"]]
        return [each["body"] if "body" in each else each["eventSource"] for each in records]


@pytest.fixture
def queues(ministack: Server) -> Iterator[Queues]:
    found = Queues(ministack.endpoint_url)
    yield found
    found.close()


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


TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Resources:
  Orders:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: <RUNTIME>
      Handler: app.handler
      CodeUri: src
      Environment: {Variables: {JOURNAL: <JOURNAL>}}
      Events:
        FromQueue:
          Type: SQS
          Properties:
            Queue: !GetAtt Queue.Arn
            BatchSize: 3
            FilterCriteria: {Filters: [{Pattern: '{"body": {"type": ["created"]}}'}]}
  Queue: {Type: AWS::SQS::Queue}
"""


@pytest.mark.semantics("TAKE-18", "TAKE-03")
@pytest.mark.parametrize("shop", ["shop"], indirect=True)
def test_what_sam_deploys_runs_here(shop: Shop, daemon: Daemon, queues: Queues) -> None:
    shop.write("template.yaml", TEMPLATE)
    shop.deploy("sam")
    mapped = taken(shop, daemon)
    (url,) = shop.made("AWS::SQS::Queue")
    queues.send(url.rpartition("/")[2], CREATED, OTHER)
    daemon.wait_until(lambda: of_status(daemon, mapped)["counts"]["filtered"] == 1)
    daemon.wait_until(lambda: shop.seen() == [CREATED])
    shop.change("template.yaml", "BatchSize: 3", "BatchSize: 4")
    shop.deploy("sam")
    is_followed(shop, daemon, 4)


APP = """
const cdk = require("aws-cdk-lib"), lambda = require("aws-cdk-lib/aws-lambda"), sqs = require("aws-cdk-lib/aws-sqs");
const dynamodb = require("aws-cdk-lib/aws-dynamodb"), sources = require("aws-cdk-lib/aws-lambda-event-sources");
const stack = new cdk.Stack(new cdk.App(), "CdkShop");
const table = new dynamodb.Table(stack, "Table", {
  partitionKey: { name: "id", type: dynamodb.AttributeType.STRING }, stream: dynamodb.StreamViewType.NEW_IMAGE,
});
const orders = new lambda.Function(stack, "Orders", {
  runtime: new lambda.Runtime("<RUNTIME>"), handler: "app.handler", code: lambda.Code.fromAsset("src"),
  environment: { JOURNAL: "<JOURNAL>" },
});
orders.addEventSource(new sources.DynamoEventSource(table, {
  startingPosition: lambda.StartingPosition.TRIM_HORIZON, batchSize: 3, bisectBatchOnError: true, retryAttempts: 0,
  onFailure: new sources.SqsDlq(new sqs.Queue(stack, "Dead")),
}));
"""


@pytest.mark.needs("npm")
@pytest.mark.semantics("TAKE-18", "TAKE-03")
@pytest.mark.parametrize("shop", ["CdkShop"], indirect=True)
def test_what_cdk_deploys_runs_here(shop: Shop, daemon: Daemon) -> None:
    shop.write("cdk.json", '{"app": "node app.js"}')
    shop.write("app.js", APP)
    (shop.project.parent / "node_modules").symlink_to(node_modules())
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


SERVICE = """
service: sls
frameworkVersion: "3"
provider: {name: aws, runtime: <RUNTIME>, region: us-east-1, environment: {JOURNAL: <JOURNAL>}}
package: {patterns: ["!**", "src/app.py"]}
functions:
  orders:
    handler: src/app.handler
    events:
      - sqs: {arn: !GetAtt Queue.Arn, batchSize: 3, filterPatterns: [{body: {type: [created]}}]}
resources: {Resources: {Queue: {Type: AWS::SQS::Queue}}}
"""


@pytest.mark.needs("npm")
@pytest.mark.semantics("TAKE-18", "TAKE-03")
@pytest.mark.parametrize("shop", ["sls-dev"], indirect=True)
def test_what_serverless_deploys_runs_here(shop: Shop, daemon: Daemon, queues: Queues) -> None:
    (plugin,) = re.findall(r"```yaml\n(plugins: .*?)```", PAGE, re.DOTALL)
    shop.write("serverless.yml", SERVICE + plugin.replace("edgePort: 4566", "edgePort: <PORT>"))
    (shop.project.parent / "node_modules").symlink_to(node_modules())
    shop.deploy("serverless")
    mapped = taken(shop, daemon)
    (url,) = shop.made("AWS::SQS::Queue")
    queues.send(url.rpartition("/")[2], CREATED, OTHER)
    daemon.wait_until(lambda: of_status(daemon, mapped)["counts"]["filtered"] == 1)
    daemon.wait_until(lambda: shop.seen() == [CREATED])
    shop.change("serverless.yml", "batchSize: 3", "batchSize: 4")
    shop.deploy("serverless")
    is_followed(shop, daemon, 4)
