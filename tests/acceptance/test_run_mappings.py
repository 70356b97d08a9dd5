"""Event source mappings that come, change and go through the Lambda API of a daemon, a process beside an emulator."""

from __future__ import annotations

import base64
import io
import json
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support import daemons
from support.mapping_calls import Api, kill, refusal, running
from support.servers.running import Server
from support.streams import Streams

NO_QUEUE = (
    "Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. SQS Error Message: "
    "The specified queue does not exist."
)
BAD_START = (
    "1 validation error detected: Value 'invalid' at 'startingPosition' failed to satisfy constraint: "
    "Member must satisfy enum value set: [LATEST, AT_TIMESTAMP, TRIM_HORIZON]"
)
LAMBDA = "arn:aws:lambda:us-east-1:000000000000"


@pytest.fixture
def streams(ministack: Server) -> Iterator[Streams]:
    found = Streams(ministack.endpoint_url)
    yield found
    found.close()


@pytest.mark.semantics("ESM-05", "ESM-50", "ESM-20")
def test_a_mapping_of_a_queue_comes_changes_and_goes(streams: Streams, tmp_path: Path) -> None:
    queues = streams.queues
    name = queues.create(VisibilityTimeout="60")
    with daemons.function() as function:
        config = daemons.write_config(tmp_path, queues.endpoint_url, function.url, {})
        with running(config) as api:
            made = api.create(queues.arn(name))
            assert made["State"] == "Creating"
            api.wait_state(made["UUID"], "Enabled")
            queues.send(name, "one")
            function.wait_begun()
            metrics = api.daemon.get("/metrics")[1]
            assert f'headrace_records_received_total{{function="f",mapping="{made["UUID"]}",source="sqs"}}' in metrics
            changed = api.update(made["UUID"], FilterCriteria={"Filters": [{"Pattern": '{"body":["three"]}'}]})
            assert changed["State"] == "Updating"
            api.wait_state(made["UUID"], "Enabled")
            queues.send(name, "two")
            api.daemon.wait_until(lambda: api.counts(made["UUID"])["filtered"] == 1)
            queues.send(name, "three")
            function.wait_begun()
            assert api.update(made["UUID"], Enabled=False)["State"] == "Disabling"
            api.wait_state(made["UUID"], "Disabled")
            assert api.delete(made["UUID"])["State"] == "Deleting"
            api.wait_gone(made["UUID"])
            assert api.daemon.status()["mappings"] == []
            assert made["UUID"] not in api.daemon.get("/metrics")[1]
            queues.send(name, "four")
            assert api.daemon.stop() == 0
        assert function.bodies == ["one", "three"]
        assert queues.depth(name) == (1, 0)


@pytest.mark.semantics("ESM-10", "ESM-13", "ESM-15")
def test_what_is_refused_over_the_wire(streams: Streams, tmp_path: Path) -> None:
    queues = streams.queues
    name, brief = queues.create(), queues.create(VisibilityTimeout="2")
    stream = f"arn:aws:kinesis:us-east-1:{daemons.ACCOUNT}:stream/nowhere"
    table = f"arn:aws:dynamodb:us-east-1:{daemons.ACCOUNT}:table/nowhere/stream/2024-01-01T00:00:00.000"
    with daemons.function() as function:
        functions = {"f": {"http": function.url, "timeout": 3}}
        config = daemons.write_config(tmp_path, queues.endpoint_url, function.url, {}, functions=functions)
        with running(config) as api:
            invalid = "InvalidParameterValueException"
            assert refusal(lambda: api.create(queues.arn("nowhere"))) == (invalid, NO_QUEUE)
            assert refusal(lambda: api.create(queues.arn(brief))) == (
                invalid,
                "Queue visibility timeout: 2 seconds is less than Function timeout: 3 seconds",
            )
            for missing in (stream, table):
                assert refusal(lambda source=missing: api.create(source, StartingPosition="LATEST")) == (  # type: ignore[misc]
                    invalid,
                    f"Stream not found: {missing}",
                )
            refused = refusal(lambda: api.create(stream, StartingPosition="invalid"))
            assert refused == ("ValidationException", BAD_START)
            assert api.uuids() == []
            made = api.create(queues.arn(name))
            assert refusal(lambda: api.create(queues.arn(name)))[0] == "ResourceConflictException"
            assert api.uuids(FunctionName="f", EventSourceArn=queues.arn(name)) == [made["UUID"]]


def seen(function: daemons.Function) -> list[Any]:
    """The numbers that a stream's records had."""
    return [
        json.loads(base64.b64decode(record["kinesis"]["data"]))
        if "kinesis" in record
        else int(record["dynamodb"]["Keys"]["id"]["S"])
        for event in function.events
        for record in event["Records"]
    ]


def put(streams: Streams, source: str, number: int) -> None:
    if ":kinesis:" in source:
        streams.put(source.rpartition("/")[2], number)
    else:
        streams.dynamodb.put_item(TableName=source.split("/")[1], Item={"id": {"S": str(number)}})


@pytest.mark.parametrize("kind", ["kinesis", "dynamodb"])
@pytest.mark.semantics("ESM-07", "ESM-30", "ESM-51", "ESM-52")
def test_a_mapping_of_a_stream_goes_on_after_a_kill_and_begins_anew_when_it_is_made_anew(
    kind: str, streams: Streams, tmp_path: Path
) -> None:
    if kind == "kinesis":
        source = streams.arn(streams.create())
    else:
        source = streams.dynamodb.describe_table(TableName=streams.table())["Table"]["LatestStreamArn"]
    with daemons.function() as function:
        config = daemons.write_config(tmp_path, streams.endpoint_url, function.url, {})
        with running(config) as api:
            uuid = api.create(source, StartingPosition="TRIM_HORIZON")["UUID"]
            assert api.wait_state(uuid, "Enabled")["LastProcessingResult"] == "No records processed"
            put(streams, source, 0)
            api.daemon.wait_until(lambda: api.get(uuid)["LastProcessingResult"] == "OK")
            assert api.update(uuid, BatchSize=7, MaximumRetryAttempts=2)["BatchSize"] == 7
            api.wait_state(uuid, "Enabled")
            put(streams, source, 1)
            api.daemon.wait_until(lambda: api.counts(uuid)["delivered"] == 2)
            before = api.get(uuid)
            kill(api)
        (kept,) = json.loads(daemons.headrace("positions", "--output", "json", cwd=tmp_path).stdout)
        assert (kept["mapping"], kept["mapping_uuid"], kept["used"]) == (uuid, uuid, True)
        put(streams, source, 2)
        with running(config) as api:
            assert api.get(uuid) | {"ResponseMetadata": 0, "LastProcessingResult": ""} == before | {
                "ResponseMetadata": 0,
                "LastProcessingResult": "",
            }
            api.daemon.wait_until(lambda: 2 in seen(function))
            taken = seen(function)
            assert taken in ([0, 1, 2], [0, 1, 1, 2])  # the kill may come before the position of the second is stored
            api.delete(uuid)
            api.wait_gone(uuid)
            anew = api.create(source, StartingPosition="TRIM_HORIZON")["UUID"]
            api.daemon.wait_until(lambda: len(seen(function)) == len(taken) + 3)
            assert seen(function) == [*taken, 0, 1, 2]
            assert (anew != uuid, api.daemon.stop()) == (True, 0)


@pytest.mark.semantics("ESM-31")
def test_what_was_answered_is_so_after_a_kill(streams: Streams, tmp_path: Path) -> None:
    queues = streams.queues
    with daemons.function() as function:
        config = daemons.write_config(tmp_path, queues.endpoint_url, function.url, {})
        with running(config) as api:
            uuid = api.create(queues.arn(queues.create(VisibilityTimeout="60")))["UUID"]
            other = api.create(queues.arn(queues.create(VisibilityTimeout="60")), Enabled=False, Tags={"a": "b"})[
                "UUID"
            ]
            kill(api)
        with running(config) as api:
            assert api.get(uuid)["State"] == "Enabled"
            assert api.get(other)["State"] == "Disabled"
            arn = f"{LAMBDA}:event-source-mapping:{other}"
            assert api.client.list_tags(Resource=arn)["Tags"] == {"a": "b"}
            api.client.untag_resource(Resource=arn, TagKeys=["a"])
            api.update(uuid, Enabled=False)
            api.update(other, BatchSize=3, Enabled=True)
            kill(api)
        with running(config) as api:
            assert api.client.list_tags(Resource=arn)["Tags"] == {}
            assert api.get(uuid)["State"] == "Disabled"
            assert (api.get(other)["State"], api.get(other)["BatchSize"]) == ("Enabled", 3)
            api.delete(uuid)
            api.delete(other)
            kill(api)
        with running(config) as api:
            api.wait_gone(uuid)
            api.wait_gone(other)


@pytest.mark.semantics("ESM-40", "ESM-41", "ESM-42", "ESM-43")
def test_a_mapping_of_the_configuration(streams: Streams, tmp_path: Path) -> None:
    queues = streams.queues
    mapping = {"source": queues.arn(queues.create(VisibilityTimeout="60")), "function": "f"}

    with daemons.function() as function:

        def write(**more: object) -> Path:
            return daemons.write_config(tmp_path, queues.endpoint_url, function.url, {"m": {**mapping, **more}})

        config = write()
        with running(config) as api:
            (uuid,) = api.uuids(FunctionName="f")
            assert api.get(uuid)["FunctionArn"] == f"{LAMBDA}:function:f"
            code, message = refusal(lambda: api.update(uuid, BatchSize=1))
            assert (code, config.name in message, "--adopt" in message) == ("ResourceConflictException", True, True)
            assert refusal(lambda: api.delete(uuid)) == (code, message)
        with running(config, "--adopt") as api:
            api.update(uuid, BatchSize=1)
            api.wait_state(uuid, "Enabled")
            assert api.daemon.status()["mappings"][0]["name"] == "m"
            kill(api)
        with running(config, "--adopt") as api:
            assert api.get(uuid)["BatchSize"] == 1
            assert any("has changes of the API" in line["event"] for line in api.daemon.logged("mapping"))
            api.delete(uuid)
            api.wait_gone(uuid)
        with running(config) as api:
            assert (api.uuids(), api.daemon.status()["mappings"]) == ([], [])
            assert 'mapping="m"' not in api.daemon.get("/metrics")[1]
        with running(write(batch_size=4)) as api:
            assert api.get(uuid)["BatchSize"] == 4
            assert any("has changed" in line["event"] for line in api.daemon.logged("mapping"))


def package(file: Path, said: str) -> bytes:
    """A function that notes each body that it gets, after what it says."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as zipped:
        code = f"""
def handler(event, context):
    with open({str(file)!r}, "a") as notes:
        for record in event["Records"]:
            notes.write({said!r} + ":" + record["body"] + "\\n")
"""
        zipped.writestr("app.py", code)
    return data.getvalue()


@pytest.mark.semantics("ESM-04", "ESM-51", "ESM-53")
def test_a_mapping_to_an_alias_follows_its_function(streams: Streams, tmp_path: Path) -> None:
    queues = streams.queues
    name, notes = queues.create(), tmp_path / "notes"
    notes.touch()
    config = tmp_path / "headrace.json"
    config.write_text(json.dumps({"aws": {"endpoint_url": queues.endpoint_url}, "listen": "127.0.0.1:0"}))

    def wait_notes(api: Api, *lines: str) -> None:
        api.daemon.wait_until(lambda: notes.read_text().split() == list(lines))

    def create(api: Api, said: str) -> None:
        api.client.create_function(
            FunctionName="orders",
            Runtime=f"python3.{sys.version_info.minor}",
            Handler="app.handler",
            Role="arn:aws:iam::000000000000:role/r",
            Code={"ZipFile": package(notes, said)},
            Publish=True,
        )
        api.client.create_alias(FunctionName="orders", Name="live", FunctionVersion="1")

    with running(config) as api:
        create(api, "first")
        uuid = api.create(queues.arn(name), FunctionName="orders:live")["UUID"]
        assert api.wait_state(uuid, "Enabled")["FunctionArn"] == f"{LAMBDA}:function:orders:live"
        queues.send(name, "a")
        wait_notes(api, "first:a")
        kill(api)
    with running(config) as api:
        queues.send(name, "b")
        wait_notes(api, "first:a", "first:b")
        api.client.delete_function(FunctionName="orders")
        api.daemon.wait_until(lambda: "does not exist" in api.daemon.status()["mappings"][0]["reason"])
        assert api.get(uuid)["State"] == "Enabled"
        queues.send(name, "c")
        create(api, "second")
        wait_notes(api, "first:a", "first:b", "second:c")
        assert api.daemon.stop() == 0


@pytest.mark.semantics("ESM-54")
def test_no_mapping_reaches_real_aws_unsaid(streams: Streams, tmp_path: Path) -> None:
    queues = streams.queues
    first, second = (queues.arn(queues.create(VisibilityTimeout="60")) for _ in range(2))
    with daemons.function() as function:
        config = daemons.write_config(tmp_path, queues.endpoint_url, function.url, {})
        with running(config) as api:
            uuid = api.create(first)["UUID"]
            assert api.daemon.stop() == 0
        config = daemons.write_config(tmp_path, queues.endpoint_url, function.url, {}, aws={"region": "us-east-1"})
        with running(config) as api:
            code, message = refusal(lambda: api.create(second))
            assert (code, "real AWS" in message) == ("InvalidParameterValueException", True)
            assert api.get(uuid)["State"] == "Enabled"
            assert "real AWS" in api.daemon.status()["mappings"][0]["reason"]
            assert api.delete(uuid)["State"] == "Deleting"
            api.wait_gone(uuid)


@pytest.mark.semantics("CLI-29", "TPL-31")
def test_a_daemon_without_a_configuration(streams: Streams, tmp_path: Path) -> None:
    (tmp_path / "template.yaml").write_text("Transform: AWS::Serverless-2016-10-31\nResources: {}\n")
    name = streams.queues.create()
    env = {"AWS_ENDPOINT_URL": streams.endpoint_url}
    with daemons.running("--listen=127.0.0.1:0", cwd=tmp_path, env=env) as daemon:
        daemon.ready()
        assert "no configuration was named" in daemon.logged("start")[0]["event"]
        hint = "template.yaml is here (SAM): `headrace run template.yaml` runs it"
        assert daemon.logged("start")[1]["event"] == hint
        api = Api(daemon)
        assert refusal(lambda: api.create(streams.queues.arn(name)))[1] == "Function does not exist"
        api.client.close()
        assert daemon.stop() == 0
    assert json.loads(daemons.headrace("positions", "--output", "json", cwd=tmp_path).stdout) == []
    for arguments, more in ((("--dry-run",), {}), ((), {"HEADRACE_API__ENABLED": "false"})):
        refused = daemons.headrace("run", *arguments, cwd=tmp_path, env={**env, **more})
        assert (refused.returncode, "no configuration was named" in refused.stderr) == (78, True)
        assert hint in refused.stderr


@pytest.mark.semantics("FUNC-45", "ESM-07")
def test_functions_and_mappings_are_in_the_region_of_the_clients(streams: Streams, tmp_path: Path) -> None:
    queues = daemons.Queues(streams.endpoint_url, "eu-west-1")
    name = queues.create()
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as code:
        code.writestr("app.py", "import os\ndef handler(event, context):\n    return os.environ['AWS_REGION']\n")
    for region in ("eu-west-1", "us-west-2"):
        env = {"AWS_ENDPOINT_URL": streams.endpoint_url, "AWS_REGION": region}
        with daemons.running("--listen=127.0.0.1:0", cwd=tmp_path, env=env) as daemon:
            api = Api(daemon.ready())
            function = f"arn:aws:lambda:{region}:000000000000:function:f"
            if region == "eu-west-1":
                api.client.create_function(
                    FunctionName=function,
                    Runtime="python{}.{}".format(*sys.version_info[:2]),
                    Role="arn:aws:iam::000000000000:role/lambda",
                    Handler="app.handler",
                    Code={"ZipFile": archive.getvalue()},
                )
                uuid = api.create(queues.arn(name))["UUID"]
            assert api.client.get_function(FunctionName=function)["Configuration"]["FunctionArn"] == function
            assert api.get(uuid)["FunctionArn"] == function
            assert invoked(api) == region
            api.client.close()
            assert daemon.stop() == 0
    queues.close()


def invoked(api: Api) -> object:
    """What the function answers, once it is there."""
    api.client.get_waiter("function_active_v2").wait(FunctionName="f", WaiterConfig={"Delay": 1})
    return json.loads(api.client.invoke(FunctionName="f")["Payload"].read())
