"""Functions that boto3 deploys to the daemon beside an emulator: invoked, versioned, throttled, invoked asynchronously
with all destinations, their logs in CloudWatch Logs, and all of it there after `kill -9`."""

from __future__ import annotations

import base64
import io
import itertools
import json
import signal
import subprocess
import sys
import urllib.request
import uuid
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from support import daemons
from support.daemons import ACCOUNT
from support.eventually import eventually
from support.servers.running import Server

OURS = "python{}.{}".format(*sys.version_info[:2])
ROLE = f"arn:aws:iam::{ACCOUNT}:role/lambda"
ARN = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:"
PYTHON = """
import os, time
print("loaded")
def handler(event, context):
    print("got", event)
    if event == "fail":
        raise ValueError("as asked")
    if event == "exit":
        os._exit(3)
    if event == "sleep":
        time.sleep(60)
    if event == "wait":
        time.sleep(1)
    if event == "context":
        client = context.client_context
        return {
            "id": context.aws_request_id, "version": context.function_version, "arn": context.invoked_function_arn,
            "custom": client.custom if client else None,
            "group": context.log_group_name, "stream": context.log_stream_name,
        }
    return event
"""
ASKS = """
import json, os, urllib.request
def handler(event, context):
    path = f"/2015-03-31/functions/{event['function']}/invocations"
    with urllib.request.urlopen(os.environ["AWS_ENDPOINT_URL_LAMBDA"] + path, json.dumps(event).encode()) as answer:
        return json.load(answer)
"""
NODE = 'export const handler = async (event) => { console.log("node got", event); return { node: event }; };'


def zipped(name: str, source: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as package:
        package.writestr(zipfile.ZipInfo(name), source)  # the same bytes each time
    return buffer.getvalue()


class Account:
    """One emulator, one daemon beside it, and boto3 for both."""

    def __init__(self, emulator: str, directory: Path, **settings: object) -> None:
        self.emulator = emulator
        self.directory = directory
        settings = {"concurrency": 3, "asynchronous": {"retry_factor": 0.005}, **settings}
        local = {"mirror": {"runtime": "python", "handler": "app.handler", "code": str(directory / "mirror")}}
        (directory / "mirror").mkdir()
        (directory / "mirror" / "app.py").write_text(PYTHON)
        self.config = daemons.write_config(directory, emulator, "", {}, functions=local, **settings)
        self.sqs, self.sns, self.s3, self.events, self.logs = (
            self.client(service, emulator) for service in ("sqs", "sns", "s3", "events", "logs")
        )

    def client(self, service: str, url: str) -> Any:
        plain = Config(retries={"total_max_attempts": 1}, read_timeout=60, s3={"addressing_style": "path"})
        return boto3.client(
            service,
            endpoint_url=url,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=plain,
        )

    def start(self) -> daemons.Daemon:
        self.daemon = daemons.Daemon(str(self.config), cwd=self.directory)
        self.lambda_ = self.client("lambda", self.daemon.ready().url)
        return self.daemon

    # --- functions --------------------------------------------------------------------------------------------------

    def create(self, name: str, source: str = PYTHON, **more: Any) -> None:
        python = {"Runtime": OURS, "Handler": "app.handler"}
        package = {"ZipFile": zipped("app.py", source)}
        self.lambda_.create_function(**{"FunctionName": name, "Role": ROLE, "Code": package, **python, **more})
        self.lambda_.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})

    def invoke(self, name: str, event: Any = "hello", **more: Any) -> Any:
        return self.lambda_.invoke(FunctionName=name, Payload=json.dumps(event), **more)

    def answer(self, name: str, event: Any = "hello", **more: Any) -> Any:
        return json.loads(self.invoke(name, event, **more)["Payload"].read())

    # --- the emulator -----------------------------------------------------------------------------------------------

    def queue(self) -> tuple[str, str]:
        """URL and ARN of a new one."""
        name = f"q-{uuid.uuid4().hex[:8]}"
        return self.sqs.create_queue(QueueName=name)["QueueUrl"], f"arn:aws:sqs:us-east-1:{ACCOUNT}:{name}"

    def message(self, url: str) -> dict[str, Any]:
        found: list[dict[str, Any]] = []

        def receive() -> bool:
            answer = self.sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1, MessageAttributeNames=["All"])
            found.extend(answer.get("Messages", []))
            return bool(found)

        eventually(receive, "a message")
        self.sqs.delete_message(QueueUrl=url, ReceiptHandle=found[0]["ReceiptHandle"])
        return found[0]

    def record(self, url: str) -> dict[str, Any]:
        record: dict[str, Any] = json.loads(self.message(url)["Body"])
        return record

    def lines(self, group: str) -> list[str]:
        try:
            return [each["message"] for each in self.logs.filter_log_events(logGroupName=group)["events"]]
        except ClientError:
            return []


@contextmanager
def opened(emulator: str, directory: Path, **settings: object) -> Iterator[Account]:
    made = Account(emulator, directory, **settings)
    made.start()
    try:
        yield made
    finally:
        if made.daemon.process.poll() is None:
            made.daemon.process.kill()
        made.daemon.wait()


@pytest.fixture
def account(ministack: Server, tmp_path: Path) -> Iterator[Account]:
    with opened(ministack.endpoint_url, tmp_path) as made:
        yield made


def refused(call: Callable[[], Any]) -> tuple[str, int, str]:
    with pytest.raises(ClientError) as caught:
        call()
    answer: Any = caught.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Message"]


@pytest.mark.semantics("API-INVOKE-01", "API-INVOKE-09", "API-INVOKE-11", "API-INVOKE-14")
def test_invoke_as_boto3_sees_it(account: Account) -> None:
    account.create("orders")
    context = base64.b64encode(b'{"custom": {"a": "1"}}').decode()
    answer = account.invoke("orders", "context", LogType="Tail", ClientContext=context)
    assert (answer["StatusCode"], answer["ExecutedVersion"], "FunctionError" in answer) == (200, "$LATEST", False)
    told = json.loads(answer["Payload"].read())
    assert told["id"] == answer["ResponseMetadata"]["RequestId"]
    assert (told["arn"], told["version"], told["custom"]) == (f"{ARN}orders", "$LATEST", {"a": "1"})
    log = base64.b64decode(answer["LogResult"]).decode().splitlines()
    assert log[0] == f"START RequestId: {told['id']} Version: $LATEST"
    assert log[1] == "got context"
    assert log[2] == f"END RequestId: {told['id']}"
    assert log[3].startswith(f"REPORT RequestId: {told['id']}\tDuration: ")
    assert account.answer("orders", None) is None
    assert account.invoke("orders", InvocationType="DryRun")["StatusCode"] == 204


@pytest.mark.semantics("API-INVOKE-09")
def test_function_errors_byte_for_byte(account: Account) -> None:
    account.create("orders", Timeout=1)
    answer = account.invoke("orders", "fail")
    assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
    body, request_id = json.loads(answer["Payload"].read()), answer["ResponseMetadata"]["RequestId"]
    assert list(body) == ["errorMessage", "errorType", "requestId", "stackTrace"]
    assert (body["errorMessage"], body["errorType"], body["requestId"]) == ("as asked", "ValueError", request_id)
    for event, expected in (
        ("exit", ("Runtime.ExitError", "RequestId: {} Error: Runtime exited with error: exit status 3")),
        ("sleep", ("Sandbox.Timedout", "RequestId: {} Error: Task timed out after 1.00 seconds")),
    ):
        answer = account.invoke("orders", event)
        request_id = answer["ResponseMetadata"]["RequestId"]
        text = answer["Payload"].read().decode()
        assert text == f'{{"errorType":"{expected[0]}","errorMessage":"{expected[1].format(request_id)}"}}'
    account.create("broken", "import nothing_of_that_name\n")
    body = account.answer("broken")
    assert body == {
        "errorMessage": "Unable to import module 'app': No module named 'nothing_of_that_name'",
        "errorType": "Runtime.ImportModuleError",
        "requestId": "",
        "stackTrace": [],
    }
    assert account.answer("orders") == "hello"


@pytest.mark.semantics("API-INVOKE-19")
def test_functions_invoke_each_other(account: Account) -> None:
    account.create("answers")
    account.create("asks", ASKS, Timeout=20)
    assert account.answer("asks", {"function": "answers"}) == {"function": "answers"}
    assert account.answer("asks", {"function": "mirror"}) == {"function": "mirror"}  # of the configuration file


WRITES = """
import errno, logging
def handler(event, context):
    try:
        with open(__file__, "a") as file:
            file.write(f"# {context.function_name}")
    except OSError as error:
        try:
            raise RuntimeError("two\\nlines") from error
        except RuntimeError:
            logging.exception("refused")
        return errno.errorcode[error.errno]
"""


@pytest.mark.semantics("FN-43", "FN-49")
def test_functions_with_the_same_package_cannot_write_it_and_a_traceback_is_one_event(account: Account) -> None:
    for name in ("one", "two"):
        account.create(name, WRITES)
    before = {path: path.read_bytes() for path in account.directory.glob("**/code/*/app.py")}
    assert len(before) == 1
    assert {account.answer("one"), account.answer("two")} <= {"EROFS", None}  # None: where it has a copy of its own
    assert {path: path.read_bytes() for path in before} == before
    eventually(lambda: any("REPORT" in line for line in account.lines("/aws/lambda/one")), "the log")
    told = [line for line in account.lines("/aws/lambda/one") if "refused" in line]
    if told:
        (line,) = told
        assert "\nTraceback (most recent call last):\n" in line
        assert line.rstrip().endswith("RuntimeError: two\nlines")


@pytest.mark.needs("node")
def test_a_function_of_node(account: Account) -> None:
    major = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout[1:].split(".")[0]
    account.create(
        "node",
        Runtime=f"nodejs{major}.x",
        Handler="app.handler",
        Code={"ZipFile": zipped("app.mjs", NODE)},
        Timeout=20,
    )
    assert account.answer("node", {"a": 1}) == {"node": {"a": 1}}


@pytest.mark.semantics("API-INVOKE-15", "API-INVOKE-17")
def test_refusals_and_functions_of_the_file(account: Account) -> None:
    code, status, text = refused(lambda: account.invoke("gone"))
    assert (code, status, text) == (
        "ResourceNotFoundException",
        404,
        f"Function not found: {ARN}gone:$LATEST",
    )
    bad = account.lambda_
    code, status, text = refused(lambda: bad.invoke(FunctionName="mirror", Payload=b"{"))
    assert (code, status) == ("InvalidRequestContentException", 400)
    assert text.startswith("Could not parse request body into json: Could not parse payload into json: ")
    assert account.answer("mirror", [1]) == [1]
    assert account.answer("mirror", "context", Qualifier="$LATEST")["arn"] == f"{ARN}mirror:$LATEST"
    code, status, _ = refused(lambda: account.invoke("mirror", Qualifier="1"))
    assert (code, status) == ("ResourceNotFoundException", 404)


@pytest.mark.semantics("FUNC-44")
def test_a_function_that_cannot_be_run_here_is_refused_and_one_that_lacks_its_bootstrap_is_not(
    account: Account,
) -> None:
    code, status, text = refused(lambda: account.create("here", Runtime="ruby3.3"))
    assert (code, status) == ("InvalidParameterValueException", 400)
    assert text.startswith("Function here cannot be run on this machine: the runtime ruby3.3 cannot be run here")
    account.create("here", Runtime="provided.al2023")
    answer = account.invoke("here")
    assert json.loads(answer["Payload"].read())["errorType"] == "Runtime.InvalidEntrypoint"


@pytest.mark.semantics("API-INVOKE-03", "API-INVOKE-04")
def test_versions_aliases_and_updates(account: Account) -> None:
    account.create("orders", "def handler(e, c): return ['one', c.function_version, c.invoked_function_arn]")
    account.lambda_.publish_version(FunctionName="orders")
    account.lambda_.create_alias(FunctionName="orders", Name="live", FunctionVersion="1")
    assert account.answer("orders", Qualifier="live") == ["one", "1", f"{ARN}orders:live"]
    source = "def handler(e, c): return ['two', c.function_version, c.invoked_function_arn]"
    account.lambda_.update_function_code(FunctionName="orders", ZipFile=zipped("app.py", source))
    account.lambda_.get_waiter("function_updated_v2").wait(FunctionName="orders", WaiterConfig={"Delay": 1})
    assert account.answer("orders") == ["two", "$LATEST", f"{ARN}orders"]
    assert account.answer("orders:1") == ["one", "1", f"{ARN}orders:1"]
    account.lambda_.publish_version(FunctionName="orders")
    account.lambda_.update_alias(FunctionName="orders", Name="live", FunctionVersion="2")
    assert account.invoke("orders:live")["ExecutedVersion"] == "2"
    account.lambda_.delete_function(FunctionName="orders")
    assert refused(lambda: account.invoke("orders:live"))[1] == 404


@pytest.mark.semantics("API-INVOKE-05", "API-INVOKE-06")
def test_concurrency(account: Account) -> None:
    account.create("orders", Timeout=10)

    def at_once(number: int) -> list[tuple[int, str]]:
        def one(_: int) -> tuple[int, str]:
            try:
                return account.invoke("orders", "wait")["StatusCode"], ""
            except ClientError as error:
                answer: Any = error.response
                assert answer["Error"]["Message"] == "Rate Exceeded."
                return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Reason"]

        with ThreadPoolExecutor(number) as pool:
            return sorted(pool.map(one, range(number)))

    exceeded = (429, "ConcurrentInvocationLimitExceeded")
    assert at_once(5) == [(200, "")] * 3 + [exceeded] * 2  # the setting is 3
    account.lambda_.put_function_concurrency(FunctionName="orders", ReservedConcurrentExecutions=1)
    exceeded = (429, "ReservedFunctionConcurrentInvocationLimitExceeded")
    assert at_once(3) == [(200, "")] + [exceeded] * 2
    account.lambda_.put_function_concurrency(FunctionName="orders", ReservedConcurrentExecutions=0)
    assert at_once(1) == [exceeded]


@pytest.mark.semantics("LOGS-03", "LOGS-07")
def test_logs_are_in_cloudwatch_logs(account: Account) -> None:
    account.create("logger", LoggingConfig={"LogGroup": "/shared/logs"})
    told = account.answer("logger", "context")
    assert told["group"] == "/shared/logs"
    account.answer("mirror", "once")
    assert account.daemon.stop() == 0  # what is left is sent at the stop
    lines = account.lines("/shared/logs")
    for line in ("loaded\n", "got context\n", f"START RequestId: {told['id']} Version: $LATEST\n"):
        assert line in lines
    streams = account.logs.describe_log_streams(logGroupName="/shared/logs")["logStreams"]
    assert [stream["logStreamName"] for stream in streams] == [told["stream"]]
    assert "got once\n" in account.lines("/aws/lambda/mirror")


@pytest.mark.semantics("API-INVOKE-04", "API-INVOKE-07", "FUNC-12")
def test_a_queue_that_is_mapped_gets_to_new_code_after_an_update(account: Account) -> None:
    def source(word: str) -> str:
        return f"def handler(event, context):\n    print('{word}', [each['body'] for each in event['Records']])\n"

    name = f"mapped-{uuid.uuid4().hex[:8]}"
    account.create(name, source("one"))
    url, arn = account.queue()
    uuid_of = account.lambda_.create_event_source_mapping(FunctionName=name, EventSourceArn=arn)["UUID"]
    account.sqs.send_message(QueueUrl=url, MessageBody="a")
    eventually(lambda: "one ['a']\n" in account.lines(f"/aws/lambda/{name}"), "the first message")
    package = zipped("app.py", source("two"))
    by_name = account.client("lambda", account.daemon.url.replace("127.0.0.1", "localhost"))
    for client in (account.lambda_, by_name):  # each gets an address that it reaches
        location = client.get_function(FunctionName=name)["Code"]["Location"]
        assert location.startswith(client.meta.endpoint_url)
        with urllib.request.urlopen(location) as found:
            assert found.read() == zipped("app.py", source("one"))
    by_name.close()
    account.lambda_.update_function_code(FunctionName=name, ZipFile=package)
    account.lambda_.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})
    account.sqs.send_message(QueueUrl=url, MessageBody="b")
    eventually(lambda: "two ['b']\n" in account.lines(f"/aws/lambda/{name}"), "the second message")
    account.lambda_.delete_event_source_mapping(UUID=uuid_of)
    account.lambda_.delete_function(FunctionName=name)


# --- asynchronous -----------------------------------------------------------------------------------------------------


@pytest.mark.semantics("ASYNC-01", "ASYNC-06", "ASYNC-07", "API-INVOKE-12")
def test_an_event_that_is_taken_is_told_to_a_queue(account: Account) -> None:
    account.create("orders")
    url, arn = account.queue()
    account.lambda_.put_function_event_invoke_config(
        FunctionName="orders", DestinationConfig={"OnSuccess": {"Destination": arn}}
    )
    answer = account.invoke("orders", {"a": 1.5}, InvocationType="Event")
    assert (answer["StatusCode"], "ExecutedVersion" in answer) == (202, False)
    record = account.record(url)
    assert record.pop("timestamp").endswith("Z")
    assert record == {
        "version": "1.0",
        "requestContext": {
            "requestId": answer["ResponseMetadata"]["RequestId"],
            "functionArn": f"{ARN}orders:$LATEST",
            "condition": "Success",
            "approximateInvokeCount": 1,
        },
        "requestPayload": {"a": 1.5},
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST"},
        "responsePayload": {"a": 1.5},
    }


@pytest.mark.semantics("ASYNC-02", "ASYNC-07", "ASYNC-08")
def test_an_event_that_fails_is_tried_three_times_and_told_to_everybody(account: Account) -> None:
    """To a topic (and by it to a queue), to a function, and to the dead-letter queue."""
    letters, dead = account.queue()
    account.create("orders", DeadLetterConfig={"TargetArn": dead})
    account.create("told")
    told_url, told = account.queue()
    topic = account.sns.create_topic(Name=f"t-{uuid.uuid4().hex[:8]}")["TopicArn"]
    heard_url, heard = account.queue()
    account.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=heard, Attributes={"RawMessageDelivery": "true"})
    account.lambda_.put_function_event_invoke_config(
        FunctionName="told", DestinationConfig={"OnSuccess": {"Destination": told}}
    )
    for destination in (topic, f"{ARN}told"):
        account.lambda_.put_function_event_invoke_config(
            FunctionName="orders", DestinationConfig={"OnFailure": {"Destination": destination}}
        )
        request_id = account.invoke("orders", "fail", InvocationType="Event")["ResponseMetadata"]["RequestId"]
        letter = account.message(letters)
        assert letter["Body"] == '"fail"'
        attributes = {
            name: (each["DataType"], each["StringValue"]) for name, each in letter["MessageAttributes"].items()
        }
        assert attributes == {
            "RequestID": ("String", request_id),
            "ErrorCode": ("Number", "200"),
            "ErrorMessage": ("String", "as asked"),
        }
        record = account.record(heard_url) if destination == topic else account.record(told_url)["requestPayload"]
        assert record["requestContext"]["requestId"] == request_id
        assert record["requestContext"]["condition"] == "RetriesExhausted"
        assert record["requestContext"]["approximateInvokeCount"] == 3
        assert record["responseContext"] == {
            "statusCode": 200,
            "executedVersion": "$LATEST",
            "functionError": "Unhandled",
        }
        assert record["responsePayload"]["errorMessage"] == "as asked"


@pytest.mark.semantics("ASYNC-05", "ASYNC-07")
def test_records_in_a_bucket_and_on_a_bus(account: Account) -> None:
    account.create("orders")
    account.lambda_.put_function_concurrency(FunctionName="orders", ReservedConcurrentExecutions=0)
    bucket = f"b-{uuid.uuid4().hex[:8]}"
    account.s3.create_bucket(Bucket=bucket)
    account.lambda_.put_function_event_invoke_config(
        FunctionName="orders", DestinationConfig={"OnFailure": {"Destination": f"arn:aws:s3:::{bucket}"}}
    )
    account.invoke("orders", InvocationType="Event")
    eventually(lambda: account.s3.list_objects_v2(Bucket=bucket).get("Contents"), "an object")
    (found,) = account.s3.list_objects_v2(Bucket=bucket)["Contents"]
    assert found["Key"].startswith("aws/lambda/async/orders/20")
    record = json.loads(account.s3.get_object(Bucket=bucket, Key=found["Key"])["Body"].read())
    assert record["requestContext"]["condition"] == "ZeroReservedConcurrency"
    assert "responseContext" not in record

    bus = f"bus-{uuid.uuid4().hex[:8]}"
    bus_arn = account.events.create_event_bus(Name=bus)["EventBusArn"]
    url, arn = account.queue()
    account.events.put_rule(Name="all", EventBusName=bus, EventPattern=json.dumps({"source": ["lambda"]}))
    account.events.put_targets(Rule="all", EventBusName=bus, Targets=[{"Id": "1", "Arn": arn}])
    account.lambda_.put_function_event_invoke_config(
        FunctionName="orders", DestinationConfig={"OnFailure": {"Destination": bus_arn}}
    )
    account.invoke("orders", InvocationType="Event")
    event = account.record(url)
    assert event["detail-type"] == "Lambda Function Invocation Result - Failure"
    assert event["source"] == "lambda"
    assert event["resources"] == [bus_arn, f"{ARN}orders:$LATEST"]
    assert event["detail"]["requestContext"]["condition"] == "ZeroReservedConcurrency"


@pytest.mark.semantics("ASYNC-12")
def test_a_destination_that_is_not_there_is_given_up_aloud(account: Account) -> None:
    account.create("orders")
    gone = f"arn:aws:sqs:us-east-1:{ACCOUNT}:not-there"
    account.lambda_.put_function_event_invoke_config(
        FunctionName="orders", DestinationConfig={"OnSuccess": {"Destination": gone}}
    )
    account.invoke("orders", InvocationType="Event")
    line = account.daemon.wait_logged("record_failed")
    assert line["destination"] == gone
    assert "create it, or name another one in the event-invoke configuration" in line["event"]
    assert 'headrace_async_destination_failures_total{function="orders"} 1.0' in account.daemon.get("/metrics")[1]


@pytest.mark.semantics("ASYNC-10", "API-INVOKE-12")
def test_accepted_events_and_functions_outlive_kill_9(account: Account) -> None:
    account.create("orders", Timeout=10)
    url, arn = account.queue()
    account.lambda_.put_function_event_invoke_config(
        FunctionName="orders", DestinationConfig={"OnSuccess": {"Destination": arn}}
    )
    accepted = [account.invoke("orders", "wait", InvocationType="Event") for _ in range(12)]
    account.daemon.signal(signal.SIGKILL)
    account.daemon.wait()
    account.start()
    wanted = {answer["ResponseMetadata"]["RequestId"] for answer in accepted}
    told: set[str] = set()
    while told != wanted:
        told.add(account.record(url)["requestContext"]["requestId"])
    assert account.answer("orders") == "hello"


@pytest.mark.semantics("ASYNC-09", "LOGS-06")
def test_one_event_at_a_time_and_no_logs_where_that_is_set(ministack: Server, tmp_path: Path) -> None:
    settings = {"asynchronous": {"at_once": 1}, "function_logs": "off"}
    with opened(ministack.endpoint_url, tmp_path, **settings) as account:
        account.create("quiet", Timeout=10)
        url, arn = account.queue()
        account.lambda_.put_function_event_invoke_config(
            FunctionName="quiet", DestinationConfig={"OnSuccess": {"Destination": arn}}
        )
        for _ in range(3):
            account.invoke("quiet", "wait", InvocationType="Event")
        ends = sorted(datetime.fromisoformat(account.record(url)["timestamp"]) for _ in range(3))
        gaps = [(after - before).total_seconds() for before, after in itertools.pairwise(ends)]
        assert all(gap >= 1.0 for gap in gaps), gaps
        account.daemon.stop()
        assert account.lines("/aws/lambda/quiet") == []
