"""`--take-over` beside the emulators as they come: what was deployed to them runs here, and is theirs again later."""

from __future__ import annotations

import base64
import json
import re
import shlex
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support import daemons, wheel
from support.api_kill import ACCOUNT
from support.daemons import Daemon, Queues
from support.emulator_lab import EmulatorLab, client_of, emulator_lab, package
from support.eventually import eventually
from support.sdks import aws_cli
from support.servers.running import Server, free_port

CREATED, OTHER = json.dumps({"type": "created"}), json.dumps({"type": "other"})
FILTER = {"Filters": [{"Pattern": json.dumps({"body": {"type": ["created"]}})}]}


@pytest.fixture
def lab(ministack: Server, tmp_path: Path) -> Iterator[EmulatorLab]:
    with emulator_lab(ministack.endpoint_url, tmp_path) as found:
        yield found


def fresh() -> str:
    return f"f-{uuid.uuid4().hex[:10]}"


def settings(directory: Path, endpoint: str, **more: object) -> str:
    config = {
        "aws": {"endpoint_url": endpoint, "region": "us-east-1"},
        "listen": "127.0.0.1:0",
        "state": str(directory / "state"),
        "log": {"level": "debug"},
        "function_logs": "off",
        "take_over": {"enabled": True, "interval": 0.2},
        **more,
    }
    path = directory / "headrace.json"
    path.write_text(json.dumps(config))
    return str(path)


def of_status(daemon: Daemon, found: str) -> dict[str, Any]:
    return next((each for each in daemon.status()["mappings"] if each["uuid"] == found), {})


@pytest.mark.semantics("TAKE-01", "TAKE-02", "TAKE-05", "TAKE-09")
def test_what_was_deployed_runs_here_and_is_the_emulators_again(
    lab: EmulatorLab, queues: Queues, tmp_path: Path
) -> None:
    name, queue = fresh(), queues.create()
    lab.function(name)
    mapped = lab.mapping(name, queues.arn(queue), FilterCriteria=FILTER, BatchSize=7)
    environment = {"AWS_ENDPOINT_URL": lab.endpoint, "AWS_DEFAULT_REGION": "us-east-1"}
    with daemons.running(
        "--take-over", "--listen=127.0.0.1:0", "--log-format=json", cwd=tmp_path, env=environment
    ) as d:
        d.ready()
        assert lab.state(mapped) == "Disabled"
        seen = of_status(d, mapped)
        assert (seen["origin"], seen["function"], seen["state"]) == ("emulator", name, "polling")
        table = daemons.headrace("status", "--url", d.url, cwd=tmp_path).stdout
        assert "emulator" in table
        assert mapped in table
        queues.send(queue, CREATED, OTHER)
        d.wait_until(lambda: of_status(d, mapped)["counts"]["filtered"] == 1)
        d.wait_until(lambda: lab.bodies(name) == [CREATED])
        ours = client_of("lambda", d.url)
        assert ours.get_event_source_mapping(UUID=mapped)["BatchSize"] == 7
        assert d.stop() == 0
    assert lab.state(mapped) == "Enabled"
    queues.send(queue, CREATED)
    eventually(lambda: len(lab.bodies(name)) == 2, "the emulator delivers")


@pytest.mark.semantics("TAKE-03", "TAKE-04", "TAKE-06")
def test_a_deployment_is_followed(lab: EmulatorLab, queues: Queues, tmp_path: Path) -> None:
    name, queue = fresh(), queues.create()
    lab.function(name)
    with daemons.running(settings(tmp_path, lab.endpoint), cwd=tmp_path) as daemon:
        daemon.ready()
        mapped = lab.mapping(name, queues.arn(queue))
        daemon.wait_until(lambda: of_status(daemon, mapped).get("state") == "polling")
        ours = client_of("lambda", daemon.url)
        lab.lambda_.update_event_source_mapping(UUID=mapped, FilterCriteria=FILTER, Enabled=True)
        lab.until(mapped, "Disabled")
        eventually(
            lambda: ours.get_event_source_mapping(UUID=mapped).get("FilterCriteria") == FILTER, "it has the filter here"
        )
        daemon.wait_until(lambda: of_status(daemon, mapped).get("state") == "polling")
        queues.send(queue, OTHER, CREATED)
        daemon.wait_until(lambda: lab.bodies(name) == [CREATED])
        lab.lambda_.delete_event_source_mapping(UUID=mapped)
        daemon.wait_until(lambda: not of_status(daemon, mapped))
        assert daemon.stop() == 0


@pytest.mark.semantics("TAKE-07", "TAKE-08")
def test_a_mapping_is_paused_here_and_deleted_there(lab: EmulatorLab, queues: Queues, tmp_path: Path) -> None:
    name, queue = fresh(), queues.create()
    lab.function(name)
    mapped = lab.mapping(name, queues.arn(queue))
    config = settings(tmp_path, lab.endpoint)
    with daemons.running(config, cwd=tmp_path) as daemon:
        daemon.ready()
        ours = client_of("lambda", daemon.url)
        ours.update_event_source_mapping(UUID=mapped, Enabled=False)
        daemon.wait_until(lambda: of_status(daemon, mapped)["state"] == "disabled")
        with pytest.raises(ours.exceptions.ResourceConflictException, match="delete it there"):
            ours.delete_event_source_mapping(UUID=mapped)
        daemon.process.kill()
    with daemons.running(config, cwd=tmp_path) as daemon:
        daemon.ready()
        assert of_status(daemon, mapped)["state"] == "disabled"
        queues.send(queue, CREATED)
        assert lab.state(mapped) == "Disabled"
        ours = client_of("lambda", daemon.url)
        ours.update_event_source_mapping(UUID=mapped, Enabled=True)
        daemon.wait_until(lambda: lab.bodies(name) == [CREATED])
        assert daemon.stop() == 0
    assert lab.state(mapped) == "Enabled"


@pytest.mark.semantics("TAKE-10", "TAKE-11")
def test_what_a_killed_daemon_left_off_is_told_and_released(lab: EmulatorLab, queues: Queues, tmp_path: Path) -> None:
    name, queue = fresh(), queues.create()
    lab.function(name)
    mapped = lab.mapping(name, queues.arn(queue))
    config = settings(tmp_path, lab.endpoint)
    with daemons.running(config, cwd=tmp_path) as daemon:
        daemon.ready()
        daemon.process.kill()
    assert lab.state(mapped) == "Disabled"
    with daemons.running(settings(tmp_path, lab.endpoint, take_over={}), cwd=tmp_path) as daemon:
        assert mapped in daemon.wait_logged("not_taken_over")["event"]
        assert daemons.headrace("release", config, cwd=tmp_path).returncode == 1  # the daemon has the directory
        assert daemon.stop() == 0
    released = daemons.headrace("release", config, cwd=tmp_path)
    assert (released.returncode, released.stdout) == (0, f"{mapped}: switched on again\n")
    assert lab.state(mapped) == "Enabled"
    assert "nothing is taken over" in daemons.headrace("release", config, cwd=tmp_path).stdout


@pytest.mark.semantics("TAKE-12")
def test_what_is_not_given_back_stays_off_until_the_next_run(lab: EmulatorLab, queues: Queues, tmp_path: Path) -> None:
    name, queue = fresh(), queues.create()
    lab.function(name)
    mapped = lab.mapping(name, queues.arn(queue))
    kept = {"enabled": True, "interval": 0.2, "give_back": False}
    config = settings(tmp_path, lab.endpoint, take_over=kept)
    with daemons.running(config, cwd=tmp_path) as daemon:
        daemon.ready()
        assert daemon.stop() == 0
    assert lab.state(mapped) == "Disabled"
    queues.send(queue, CREATED)
    with daemons.running(config, cwd=tmp_path) as daemon:
        daemon.wait_until(lambda: lab.bodies(name) == [CREATED])
    daemons.headrace("release", config, cwd=tmp_path)


@pytest.mark.semantics("TAKE-13")
def test_bisect_and_a_failure_destination_hold_for_a_stream(lab: EmulatorLab, queues: Queues, tmp_path: Path) -> None:
    name, stream, dead = fresh(), fresh(), queues.create()
    lab.function(name, FAILS_AT=base64.b64encode(b"poison").decode())
    kinesis = client_of("kinesis", lab.endpoint)
    kinesis.create_stream(StreamName=stream, ShardCount=1)
    arn = f"arn:aws:kinesis:us-east-1:{ACCOUNT}:stream/{stream}"
    mapped = lab.mapping(
        name,
        arn,
        StartingPosition="LATEST",
        BisectBatchOnFunctionError=True,
        MaximumRetryAttempts=0,
        DestinationConfig={"OnFailure": {"Destination": queues.arn(dead)}},
    )
    with daemons.running(settings(tmp_path, lab.endpoint), cwd=tmp_path) as daemon:
        daemon.ready()
        daemon.wait_until(lambda: lab.state(mapped) == "Disabled")
        ours = client_of("lambda", daemon.url)
        shown = ours.get_event_source_mapping(UUID=mapped)
        assert (shown["BisectBatchOnFunctionError"], shown["MaximumRetryAttempts"]) == (True, 0)
        records = [{"Data": data, "PartitionKey": "k"} for data in (b"1", b"2", b"poison", b"3")]
        kinesis.put_records(StreamName=stream, Records=records)
        daemon.wait_until(lambda: queues.depth(dead) == (1, 0))
        daemon.wait_until(lambda: of_status(daemon, mapped)["counts"]["delivered"] == 3)
        ours.update_event_source_mapping(UUID=mapped, TumblingWindowInSeconds=1)  # MiniStack does not show one
        daemon.wait_until(lambda: of_status(daemon, mapped)["state"] == "polling")
        kinesis.put_record(StreamName=stream, Data=b"4", PartitionKey="k")
        daemon.wait_until(lambda: any("window" in event for event in lab.events(name)))
        assert daemon.stop() == 0


@pytest.mark.semantics("TAKE-14")
def test_what_cannot_be_run_here_stays_the_emulators_aloud(lab: EmulatorLab, queues: Queues, tmp_path: Path) -> None:
    name, queue = fresh(), queues.create()
    arn = lab.function(name)
    mapped = lab.mapping(name, queues.arn(queue))
    own = {"f": {"invoke": {"function_name": name}}, name: {"invoke": {"function_name": name}}}
    twice = {"m": {"source": queues.arn(queue), "function": name, "enabled": False}}
    config = settings(tmp_path, lab.endpoint, functions=own, mappings=twice)
    with daemons.running(config, cwd=tmp_path) as daemon:
        daemon.ready()
        line = daemon.wait_logged("not_taken_over", foreign_uuid=mapped)
        assert "stays the emulator's" in line["event"]
        assert lab.state(mapped) == "Enabled"
        assert daemon.stop() == 0
    assert arn


@pytest.mark.semantics("TAKE-15")
def test_moto_is_taken_at_its_word_for_queues_alone(moto: Server, tmp_path: Path) -> None:
    name, stream, queue = fresh(), fresh(), fresh()
    role = client_of("iam", moto.endpoint_url).create_role(RoleName=fresh(), AssumeRolePolicyDocument="{}")
    lambda_ = client_of("lambda", moto.endpoint_url)
    made = {"Runtime": "python3.12", "Handler": "app.handler", "Role": role["Role"]["Arn"]}
    lambda_.create_function(FunctionName=name, Code={"ZipFile": package()}, **made)
    kinesis, sqs = client_of("kinesis", moto.endpoint_url), client_of("sqs", moto.endpoint_url)
    kinesis.create_stream(StreamName=stream, ShardCount=1)
    arn = kinesis.describe_stream(StreamName=stream)["StreamDescription"]["StreamARN"]
    sqs.create_queue(QueueName=queue)
    of_queue = arn.replace("kinesis", "sqs").replace(f"stream/{stream}", queue)
    create = lambda_.create_event_source_mapping
    left = create(FunctionName=name, EventSourceArn=arn, StartingPosition="TRIM_HORIZON")["UUID"]
    taken = create(FunctionName=name, EventSourceArn=of_queue)["UUID"]
    with daemons.running(settings(tmp_path, moto.endpoint_url), cwd=tmp_path) as daemon:
        daemon.ready()
        assert "moto goes on delivering" in daemon.wait_logged("not_taken_over", foreign_uuid=left)["event"]
        assert lambda_.get_event_source_mapping(UUID=left)["State"] == "Enabled"
        assert lambda_.get_event_source_mapping(UUID=taken)["State"] == "Disabled"
        assert of_status(daemon, taken)["origin"] == "emulator"
        assert daemon.stop() == 0
    assert lambda_.get_event_source_mapping(UUID=taken)["State"] == "Enabled"
    for each in (left, taken):
        lambda_.delete_event_source_mapping(UUID=each)


@pytest.mark.semantics("TAKE-16")
def test_an_emulator_that_is_not_there_is_waited_for(tmp_path: Path) -> None:
    port = free_port()
    with daemons.running(settings(tmp_path, f"http://127.0.0.1:{port}"), cwd=tmp_path) as daemon:
        daemon.ready()
        assert any("event source mappings" in reason for reason in daemon.status()["reasons"])
        with daemons.emulator_at(port) as queues, emulator_lab(queues.endpoint_url, tmp_path) as lab:
            name, queue = fresh(), queues.create()
            lab.function(name)
            mapped = lab.mapping(name, queues.arn(queue))
            daemon.wait_until(lambda: of_status(daemon, mapped).get("state") == "polling")
            assert daemon.stop() == 0
            assert lab.state(mapped) == "Enabled"


@pytest.mark.semantics("TAKE-17")
def test_real_aws_and_our_own_address_are_no_emulator(tmp_path: Path) -> None:
    found = daemons.headrace("run", "--take-over", cwd=tmp_path)
    assert (found.returncode, "no emulator" in found.stderr) == (78, True)
    port = free_port()
    address = f"127.0.0.1:{port}"
    own = daemons.headrace(
        "run", "--take-over", f"--endpoint-url=http://{address}", f"--listen={address}", cwd=tmp_path
    )
    assert (own.returncode, "own address" in own.stderr) == (78, True)


STACK = {
    "Resources": {
        "Role": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {}}},
        "Queue": {"Type": "AWS::SQS::Queue"},
        "Function": {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "Runtime": "python3.12",
                "Handler": "index.handler",
                "Role": {"Fn::GetAtt": ["Role", "Arn"]},
                "Code": {"ZipFile": "def handler(event, context):\n    return None\n"},
            },
        },
        "FunctionQueue": {
            "Type": "AWS::Lambda::EventSourceMapping",
            "Properties": {
                "FunctionName": {"Ref": "Function"},
                "EventSourceArn": {"Fn::GetAtt": ["Queue", "Arn"]},
                "FunctionResponseTypes": ["ReportBatchItemFailures"],
                "ScalingConfig": {"MaximumConcurrency": 3},
            },
        },
    },
    "Outputs": {"Url": {"Value": {"Ref": "Queue"}}, "Mapping": {"Value": {"Ref": "FunctionQueue"}}},
}
"""As SAM, CDK and Serverless make one of a function with a queue."""


@pytest.mark.semantics("TAKE-18")
def test_a_stack_of_cloudformation_is_taken_over(lab: EmulatorLab, queues: Queues, tmp_path: Path) -> None:
    cloudformation, stack = client_of("cloudformation", lab.endpoint), fresh()
    cloudformation.create_stack(StackName=stack, TemplateBody=json.dumps(STACK))
    eventually(
        lambda: cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"] == "CREATE_COMPLETE",
        "the stack is there",
    )
    outputs = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["Outputs"]
    told = {each["OutputKey"]: each["OutputValue"] for each in outputs}
    with daemons.running(settings(tmp_path, lab.endpoint), cwd=tmp_path) as daemon:
        daemon.ready()
        assert of_status(daemon, told["Mapping"]).get("origin") == "emulator", (told, daemon.everything)
        shown = client_of("lambda", daemon.url).get_event_source_mapping(UUID=told["Mapping"])
        assert shown["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
        queues.client.send_message(QueueUrl=told["Url"], MessageBody="1")
        daemon.wait_until(lambda: of_status(daemon, told["Mapping"])["counts"]["delivered"] == 1)
        cloudformation.delete_stack(StackName=stack)
        daemon.wait_until(lambda: not of_status(daemon, told["Mapping"]))
        assert daemon.stop() == 0


@pytest.mark.semantics("TAKE-21", "LAYER-24")
def test_functions_can_run_here_with_the_emulators_package_and_variables(
    lab: EmulatorLab, queues: Queues, tmp_path: Path
) -> None:
    name, queue = fresh(), queues.create()
    lab.function(name, STAGE="one")
    layer = lab.lambda_.publish_layer_version(LayerName=name, Content={"ZipFile": package()})["LayerVersionArn"]
    lab.lambda_.update_function_configuration(FunctionName=name, Layers=[layer])
    mapped = lab.mapping(name, queues.arn(queue))
    local = {"enabled": True, "interval": 0.2, "functions": "local"}
    with daemons.running(settings(tmp_path, lab.endpoint, take_over=local), cwd=tmp_path) as daemon:
        daemon.ready()
        queues.send(queue, CREATED)
        daemon.wait_until(lambda: lab.bodies(name) == [CREATED])
        assert daemon.logged("function_log") or daemon.status()["functions"][0]["what"].endswith("by the Lambda API")
        ours = client_of("lambda", daemon.url)
        assert ours.get_function_configuration(FunctionName=name)["Layers"][0]["Arn"] == layer
        variables = {"JOURNAL": str(lab.journal(name)), "STAGE": "two"}
        lab.lambda_.update_function_configuration(FunctionName=name, Environment={"Variables": variables})
        eventually(
            lambda: ours.get_function_configuration(FunctionName=name)["Environment"]["Variables"] == variables,
            "the copy is followed",
        )
        queues.send(queue, OTHER)
        daemon.wait_until(lambda: lab.bodies(name) == [CREATED, OTHER])
        assert daemon.stop() == 0
    assert lab.state(mapped) == "Enabled"


# --- the page ---------------------------------------------------------------------------------------------------------

PAGE = (wheel.ROOT / "docs" / "beside-your-emulator.md").read_text()
COMMANDS = re.findall(r"^    ((?:AWS_|aws |headrace ).*)$", PAGE, re.MULTILINE)
"""Those of tools that deploy are run by tests/proof/test_deployed_stacks.py."""


@pytest.mark.semantics("TAKE-01", "TAKE-07", "TAKE-11")
def test_the_commands_and_the_settings_of_the_page(lab: EmulatorLab, queues: Queues, tmp_path: Path) -> None:
    run, pause, release = (each.replace("http://localhost:4566", lab.endpoint) for each in COMMANDS)
    name, queue = fresh(), queues.create()
    lab.function(name)
    mapped = lab.mapping(name, queues.arn(queue))
    (settings_of_the_page,) = re.findall(r"```yaml\n(take_over:.*?)```", PAGE, re.DOTALL)
    (tmp_path / "headrace.yaml").write_text(settings_of_the_page)
    words = shlex.split(run)
    given = dict(word.split("=", 1) for word in words[:2])
    with daemons.running(*words[4:], "--listen=127.0.0.1:0", cwd=tmp_path, env=given) as daemon:
        assert words[2:4] == ["headrace", "run"]
        assert of_status(daemon.ready(), mapped)["origin"] == "emulator"
        aws_cli.once(pause.replace("http://localhost:9470", daemon.url).replace("UUID", mapped))
        daemon.wait_until(lambda: of_status(daemon, mapped)["state"] == "disabled")
        daemon.process.kill()
    released = daemons.headrace(*shlex.split(release)[1:], cwd=tmp_path)
    assert (released.returncode, released.stdout) == (0, f"{mapped}: switched on again\n")
    assert lab.state(mapped) == "Enabled"
