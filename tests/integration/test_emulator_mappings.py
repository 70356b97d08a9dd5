"""What emulators show and hide of their own event source mappings; each is a row of docs/emulators.md."""

from __future__ import annotations

import json
import re
import uuid
from pathlib import Path

import pytest

from support.emulator_lab import EmulatorLab, client_of, emulator_lab, package
from support.eventually import eventually
from support.servers.running import Server

ROWS = Path(__file__).resolve().parents[2] / "docs" / "emulators.md"
ACCOUNT = "000000000000"
TESTED = {"ministack-lambda-01", "ministack-lambda-02", "ministack-lambda-03", "moto-lambda-01"}


def fresh() -> str:
    return f"t-{uuid.uuid4().hex[:10]}"


def stream_of(lab: EmulatorLab) -> str:
    name = fresh()
    client_of("kinesis", lab.endpoint).create_stream(StreamName=name, ShardCount=1)
    return f"arn:aws:kinesis:us-east-1:{ACCOUNT}:stream/{name}"


def test_every_row_has_its_test() -> None:
    assert set(re.findall(r"^\| (\w+-lambda-\d+) \|", ROWS.read_text(), re.MULTILINE)) == TESTED


def test_ministack_shows_no_tumbling_window_and_honours_the_switch(ministack: Server, tmp_path: Path) -> None:
    """ministack-lambda-01."""
    with emulator_lab(ministack.endpoint_url, tmp_path) as lab:
        name = fresh()
        lab.function(name)
        mapped = lab.mapping(name, stream_of(lab), StartingPosition="TRIM_HORIZON", TumblingWindowInSeconds=30)
        shown = lab.lambda_.get_event_source_mapping(UUID=mapped)
        assert "TumblingWindowInSeconds" not in shown
        lab.lambda_.update_event_source_mapping(UUID=mapped, Enabled=False)
        assert lab.state(mapped) == "Disabled"


def test_ministack_forgets_the_time_of_a_starting_position(ministack: Server, tmp_path: Path) -> None:
    """ministack-lambda-03."""
    with emulator_lab(ministack.endpoint_url, tmp_path) as lab:
        name = fresh()
        lab.function(name)
        at = {"StartingPosition": "AT_TIMESTAMP", "StartingPositionTimestamp": 1_700_000_000}
        shown = lab.lambda_.get_event_source_mapping(UUID=lab.mapping(name, stream_of(lab), **at))
        assert shown["StartingPosition"] == "AT_TIMESTAMP"
        assert "StartingPositionTimestamp" not in shown


def test_ministacks_cloudformation_gives_a_queue_a_starting_position(ministack: Server, tmp_path: Path) -> None:
    """ministack-lambda-02."""
    with emulator_lab(ministack.endpoint_url, tmp_path) as lab:
        name, queue, stack = fresh(), fresh(), fresh()
        lab.function(name)
        client_of("sqs", lab.endpoint).create_queue(QueueName=queue)
        source = f"arn:aws:sqs:us-east-1:{ACCOUNT}:{queue}"
        properties = {"FunctionName": name, "EventSourceArn": source}
        template = {"Resources": {"M": {"Type": "AWS::Lambda::EventSourceMapping", "Properties": properties}}}
        client_of("cloudformation", lab.endpoint).create_stack(StackName=stack, TemplateBody=json.dumps(template))
        found = lab.lambda_.list_event_source_mappings
        eventually(lambda: found(EventSourceArn=source)["EventSourceMappings"], "the mapping is there")
        (shown,) = found(EventSourceArn=source)["EventSourceMappings"]
        lab.mappings.append(shown["UUID"])
        assert shown["StartingPosition"] == "LATEST"


@pytest.mark.semantics("TAKE-15")
def test_moto_invokes_for_a_table_although_the_mapping_is_disabled(moto: Server) -> None:
    """moto-lambda-01. What moto's function logs says that it was invoked, with or without Docker."""
    name, table = fresh(), fresh()
    role = client_of("iam", moto.endpoint_url).create_role(RoleName=fresh(), AssumeRolePolicyDocument="{}")
    lambda_, dynamodb = client_of("lambda", moto.endpoint_url), client_of("dynamodb", moto.endpoint_url)
    made = {"Runtime": "python3.12", "Handler": "app.handler", "Role": role["Role"]["Arn"]}
    lambda_.create_function(FunctionName=name, Code={"ZipFile": package()}, **made)
    stream = dynamodb.create_table(
        TableName=table,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )["TableDescription"]["LatestStreamArn"]
    create = lambda_.create_event_source_mapping
    mapped = create(FunctionName=name, EventSourceArn=stream, StartingPosition="LATEST", Enabled=False)
    assert mapped["State"] == "Disabled"
    groups = client_of("logs", moto.endpoint_url).describe_log_groups
    assert not groups(logGroupNamePrefix=f"/aws/lambda/{name}")["logGroups"]
    dynamodb.put_item(TableName=table, Item={"id": {"S": "1"}})
    eventually(lambda: groups(logGroupNamePrefix=f"/aws/lambda/{name}")["logGroups"], "it was invoked")
    lambda_.delete_event_source_mapping(UUID=mapped["UUID"])
