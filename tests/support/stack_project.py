"""A project with one function as SAM, CDK and Serverless have it: a queue or a table whose records it writes down."""

from __future__ import annotations

import json
from pathlib import Path

from support.api_kill import OURS
from support.emulator_lab import SOURCE
from support.sdks.stacks import TOOLS, node_modules

SAM = """
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
CDK = """
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
SERVERLESS = """
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


class StackProject:
    """Its directory, which the tools are run in, and the journal of its function."""

    def __init__(self, emulator: str, directory: Path) -> None:
        self.emulator = emulator
        self.project, self.journal = directory / "project", directory / "journal"
        (self.project / "src").mkdir(parents=True)
        (self.project / "src" / "app.py").write_text(SOURCE)

    def of_sam(self) -> None:
        self.write("template.yaml", SAM)

    def of_cdk(self) -> None:
        self.write("cdk.json", '{"app": "node app.js"}')
        self.write("app.js", CDK)
        (self.project.parent / "node_modules").symlink_to(node_modules())

    def of_serverless(self, more: str = "") -> None:
        """`more`: of its `serverless.yml`."""
        self.write("serverless.yml", SERVERLESS + more)
        (self.project.parent / "node_modules").symlink_to(node_modules())

    def write(self, name: str, text: str) -> None:
        words = {"JOURNAL": str(self.journal), "RUNTIME": OURS, "PORT": self.emulator.rpartition(":")[2]}
        for word, value in words.items():
            text = text.replace(f"<{word}>", value)
        (self.project / name).write_text(text)

    def change(self, name: str, old: str, new: str) -> None:
        text = (self.project / name).read_text()
        assert old in text
        (self.project / name).write_text(text.replace(old, new))

    def run(self, tool: str, *arguments: str) -> str:
        return TOOLS[tool](self.project, self.emulator, *arguments)

    def seen(self) -> list[str]:
        """What the function got: bodies of messages, else the names of sources."""
        lines = self.journal.read_text().splitlines() if self.journal.exists() else []
        records = [record for line in lines for record in json.loads(line)["Records"]]
        return [each["body"] if "body" in each else each["eventSource"] for each in records]
