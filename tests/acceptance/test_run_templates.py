"""Templates as users have them, beside MiniStack: their sources are created, their functions run, and messages arrive.
And every command of docs/from-a-template.md."""

from __future__ import annotations

import io
import re
import shlex
import zipfile
from pathlib import Path
from typing import Any

import boto3
import pytest

from support import daemons, emulator_lab, template_cases, wheel
from support.daemons import Queues, headrace
from support.servers.running import Server

PAGE = (wheel.ROOT / "docs" / "from-a-template.md").read_text()
COMMANDS = re.findall(r"^    (headrace .*)$", PAGE, re.MULTILINE)
HANDLER = """
import os
from pathlib import Path
from typing import Any

def handler(event, context):
    for record in event["Records"]:
        text = record.get("body") or record["eventSource"]
        with Path(os.environ["OUT"]).open("a") as file:
            file.write(f"{os.environ['STAGE']} {text}\\n")
        if text == "poison":
            raise ValueError("poison")
    return {}
"""
TEMPLATE = """
AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
Parameters:
  Stage: {Type: String, Default: dev}
  Out: {Type: String, Default: OUT}
Globals: {Function: {Runtime: python3.11, Handler: app.handler, CodeUri: src, Timeout: 10}}
Resources:
  Orders:
    Type: AWS::Serverless::Function
    Properties:
      Environment: {Variables: {STAGE: !Ref Stage, OUT: !Ref Out}}
      Events:
        FromQueue: {Type: SQS, Properties: {Queue: !GetAtt OrdersQueue.Arn, BatchSize: 1}}
        FromTable: {Type: DynamoDB, Properties: {Stream: !GetAtt Table.StreamArn, StartingPosition: TRIM_HORIZON}}
        FromStream: {Type: Kinesis, Properties: {Stream: !GetAtt Stream.Arn, StartingPosition: TRIM_HORIZON}}
  OrdersQueue:
    Type: AWS::SQS::Queue
    Properties: {VisibilityTimeout: 2, RedrivePolicy: {deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 1}}
  Dead: {Type: AWS::SQS::Queue}
  Stream: {Type: AWS::Kinesis::Stream, Properties: {ShardCount: 1}}
  Table:
    Type: AWS::DynamoDB::Table
    Properties:
      KeySchema: [{AttributeName: id, KeyType: HASH}]
      AttributeDefinitions: [{AttributeName: id, AttributeType: S}]
      StreamSpecification: {StreamViewType: NEW_IMAGE}
"""
SAMCONFIG = '[staging.deploy.parameters]\nstack_name = "shop-staging"\nparameter_overrides = "Stage=staging"\n'


@pytest.fixture
def project(tmp_path: Path) -> Path:
    directory = tmp_path / "shop"
    (directory / "src").mkdir(parents=True)
    (directory / "src" / "app.py").write_text(HANDLER)
    (directory / "template.yaml").write_text(TEMPLATE)
    return directory


@pytest.mark.semantics("TPL-01", "TPL-28")
def test_a_template_runs_and_its_sources_are_created(queues: Queues, project: Path) -> None:
    out, stack = project / "out.txt", queues.name()
    env = {"AWS_ENDPOINT_URL": queues.endpoint_url}
    options = ["--create-sources", "--stack", stack, "--parameter", f"Out={out}", "--listen", "127.0.0.1:0"]
    with daemons.running("template.yaml", *options, cwd=project, env=env) as daemon:
        daemon.ready()
        assert f"created the queue {stack}-OrdersQueue" in daemon.stdout
        assert f"created the table {stack}-Table" in daemon.stdout
        queues.send(f"{stack}-OrdersQueue", "first", "poison")
        clients = {name: client(name, queues) for name in ("dynamodb", "kinesis")}
        clients["dynamodb"].put_item(TableName=f"{stack}-Table", Item={"id": {"S": "1"}})
        clients["kinesis"].put_record(StreamName=f"{stack}-Stream", Data=b"x", PartitionKey="p")
        wanted = {"dev first", "dev poison", "dev aws:dynamodb", "dev aws:kinesis"}
        daemon.wait_until(lambda: out.is_file() and set(out.read_text().splitlines()) == wanted)
        daemon.wait_until(lambda: queues.depth(f"{stack}-Dead") == (1, 0))  # the redrive policy was created too
        assert daemon.stop() == 0
    for each in clients.values():
        each.close()


DESTINATIONS = """\
  Topic: {Type: AWS::SNS::Topic}
  Bucket: {Type: AWS::S3::Bucket}
"""


@pytest.mark.semantics("TPL-28")
def test_topics_and_buckets_that_are_failure_destinations_are_created(queues: Queues, project: Path) -> None:
    stack, topics, buckets = queues.name(), client("sns", queues), client("s3", queues)
    text = TEMPLATE.replace("StartingPosition: TRIM_HORIZON}", "StartingPosition: TRIM_HORIZON, <TO>}")
    for destination in ("{Type: SNS, Destination: !Ref Topic}", "{Type: S3, Destination: !GetAtt Bucket.Arn}"):
        text = text.replace("<TO>", f"DestinationConfig: {{OnFailure: {destination}}}", 1)
    (project / "template.yaml").write_text(text + DESTINATIONS)
    options = ["--create-sources", "--stack", stack, "--until-idle=60", "--listen", "127.0.0.1:0"]
    done = headrace("run", "template.yaml", *options, cwd=project, env={"AWS_ENDPOINT_URL": queues.endpoint_url})
    assert done.returncode == 0, done.stdout + done.stderr
    assert any(each["TopicArn"].endswith(f":{stack}-Topic") for each in topics.list_topics()["Topics"])
    assert any(each["Name"] == f"{stack}-Bucket".lower() for each in buckets.list_buckets()["Buckets"])
    topics.close()
    buckets.close()


@pytest.mark.needs("java", "maven")
@pytest.mark.semantics("TPL-01", "TPL-28")
def test_a_template_runs_on_elasticmq_with_dynamodb_local(
    elasticmq: Server, dynamodb_local: Server, project: Path
) -> None:
    queues, out = Queues(elasticmq.endpoint_url), project / "out.txt"
    stack = queues.name()
    text = "\n".join(line for line in TEMPLATE.splitlines() if "Kinesis" not in line)
    (project / "template.yaml").write_text(text)
    env = {
        "AWS_ENDPOINT_URL_SQS": elasticmq.endpoint_url,
        "AWS_ENDPOINT_URL_DYNAMODB": dynamodb_local.endpoint_url,
        "AWS_ENDPOINT_URL_DYNAMODB_STREAMS": dynamodb_local.endpoint_url,
    }
    options = ["--create-sources", "--stack", stack, "--parameter", f"Out={out}", "--listen", "127.0.0.1:0"]
    with daemons.running("template.yaml", *options, cwd=project, env=env) as daemon:
        daemon.ready()
        assert f"created the queue {stack}-OrdersQueue" in daemon.stdout
        queues.send(f"{stack}-OrdersQueue", "first", "poison")
        table = emulator_lab.client_of("dynamodb", dynamodb_local.endpoint_url)
        table.put_item(TableName=f"{stack}-Table", Item={"id": {"S": "1"}})
        wanted = {"dev first", "dev poison", "dev aws:dynamodb"}
        daemon.wait_until(lambda: out.is_file() and set(out.read_text().splitlines()) == wanted)
        daemon.wait_until(lambda: queues.depth(f"{stack}-Dead") == (1, 0))
        assert daemon.stop() == 0
    table.close()
    queues.close()


@pytest.mark.semantics("TPL-28")
def test_what_is_there_stays_as_it_is(queues: Queues, project: Path) -> None:
    stack = queues.name()
    queues.client.create_queue(QueueName=f"{stack}-OrdersQueue", Attributes={"VisibilityTimeout": "77"})
    options = ["--create-sources", "--stack", stack, "--until-idle=60", "--listen", "127.0.0.1:0"]
    for _ in range(2):
        done = headrace("run", "template.yaml", *options, cwd=project, env={"AWS_ENDPOINT_URL": queues.endpoint_url})
        assert done.returncode == 0, done.stderr
        assert f"the queue {stack}-OrdersQueue is there already, and stays as it is" in done.stdout
    found = queues.client.get_queue_attributes(QueueUrl=queues.url(f"{stack}-OrdersQueue"), AttributeNames=["All"])
    assert found["Attributes"]["VisibilityTimeout"] == "77"


@pytest.mark.semantics("TPL-28")
def test_sources_are_not_created_at_real_aws_by_accident(project: Path) -> None:
    done = headrace("run", "template.yaml", "--create-sources", cwd=project)
    assert done.returncode == 78
    assert "--real-aws" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.semantics("LAYER-22")
def test_code_and_layers_in_s3_are_fetched_from_the_endpoint(queues: Queues, project: Path) -> None:
    stack, out, s3 = queues.name(), project / "out.txt", client("s3", queues)
    s3.create_bucket(Bucket=stack)
    for name, file, text in (("code", "app.py", f"import shared\n{HANDLER}"), ("layer", "python/shared.py", "")):
        s3.put_object(Bucket=stack, Key=f"{name}.zip", Body=zipped(file, text))
    layer = f"  Layer: {{Type: AWS::Serverless::LayerVersion, Properties: {{ContentUri: s3://{stack}/layer.zip}}}}\n"
    text = TEMPLATE.replace("CodeUri: src", f"CodeUri: s3://{stack}/code.zip, Layers: [!Ref Layer]") + layer
    (project / "template.yaml").write_text(text)
    env = {"AWS_ENDPOINT_URL": queues.endpoint_url}
    options = ["--stack", stack, "--parameter", f"Out={out}", "--listen", "127.0.0.1:0", "--create-sources"]
    with daemons.running("template.yaml", *options, cwd=project, env=env) as daemon:
        daemon.ready()
        queues.send(f"{stack}-OrdersQueue", "fetched")
        daemon.wait_until(lambda: out.is_file() and out.read_text() == "dev fetched\n")
    s3.delete_object(Bucket=stack, Key="layer.zip")
    checked = headrace("check", "template.yaml", *options[:4], cwd=project, env=env)
    assert f"s3://{stack}/layer.zip), and not on this machine (Error occurred while GetObject. S3" in checked.stdout
    s3.close()


def zipped(name: str, text: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as package:
        package.writestr(name, text)
    return buffer.getvalue()


def client(service: str, queues: Queues) -> Any:
    return boto3.client(service, region_name="us-east-1", endpoint_url=queues.endpoint_url)


# --- the page ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory in which every command of the page means something."""
    cases = template_cases.copied(tmp_path_factory.mktemp("page"))
    directory = cases / "page" / "shop"
    (directory / "src").mkdir(parents=True)
    (directory / "src" / "app.py").write_text(HANDLER)
    (directory / "template.yaml").write_text(TEMPLATE.replace("Default: OUT", f"Default: {directory}/out.txt"))
    (directory / "samconfig.toml").write_text(SAMCONFIG)
    (directory / "variables.json").write_text('{"Orders": {"STAGE": "given"}}')
    code = (directory / "src").as_posix()
    (directory / "functions.yaml").write_text(
        f"functions:\n  other: {{runtime: python, handler: app.handler, code: {code}}}\n"
    )
    (cases / "cdk" / "stages" / "cdk.out").rename(directory / "cdk.out")
    (cases / "serverless" / "name-of-file" / ".serverless").rename(directory / ".serverless")
    (cases / "terraform" / "state-queue" / "state.json").rename(directory / "state.json")
    (directory.parent / "code").symlink_to(cases / "terraform" / "code")
    return directory


def test_the_page_has_commands() -> None:
    assert len(COMMANDS) >= 12
    assert len(set(COMMANDS)) == len(COMMANDS)


@pytest.mark.semantics("TPL-01", "TPL-17")
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_page_works(command: str, queues: Queues, shop: Path) -> None:
    queues.client.create_queue(QueueName="orders")
    words = shlex.split(command.replace("http://localhost:4566", queues.endpoint_url))[1:]
    if words[0] == "run":  # what ends it, where nothing else would
        words += ["--until-idle=60", "--listen", "127.0.0.1:0", "--state", str(shop / "state")]
        words += [] if "--create-sources" in words else ["--create-sources"]
    done = headrace(*words, cwd=shop, env={"AWS_ENDPOINT_URL": queues.endpoint_url})
    assert done.returncode == 0, done.stdout + done.stderr
    assert "TAKEN" in done.stdout
    assert "Traceback" not in done.stderr
