"""One script of calls, as somebody would make them who deploys a function and its mappings, whatever the SDK.

It knows the emulator for queues, streams and logs, and Headrace for Lambda. `restart` ends Headrace by force and starts
it again; everything after it must find what was there before it.
"""

from __future__ import annotations

import io
import json
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ..eventually import eventually
from .clients import Client, Data, Refused

PATIENCE = 120.0
"""Seconds: a call of some clients takes more than one."""
RUNTIME = "python{}.{}".format(*sys.version_info[:2])
TIMEOUT = "5"
"""Seconds of an invocation, and for which a message that is received is invisible: one that the emulator gives to the
poll of a daemon that was killed comes again so soon."""
ROLE = "arn:aws:iam::000000000000:role/orders"
CODE = """
import base64, json, os

def handler(event, context):
    for record in event.get("Records", []):
        body = record["body"] if "body" in record else base64.b64decode(record["kinesis"]["data"]).decode()
        print("took", body)
    return {"answer": ANSWER, "stage": os.environ.get("STAGE"), "given": event.get("given")}
"""


def package(answer: str) -> bytes:
    """A zip with a function that gives this answer."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("app.py", f"ANSWER = {answer!r}\n{CODE}")
    return file.getvalue()


@dataclass
class Script:
    client: Client
    restart: Callable[[], None]
    name: str
    """Of function, queue and stream: unlike any other's."""
    made: list[str] = field(default_factory=list)
    """The calls to Headrace."""

    def run(self) -> None:
        self.create()
        self.invoke()
        queue, stream = self.map_queue(), self.map_stream()
        self.restart()
        self.change_mapping(queue)
        self.publish()
        self.update()
        self.restart()
        self.throttle()
        self.asynchronous()
        self.permissions_and_tags()
        self.disable(queue)
        self.remove(queue, stream)

    # --- how calls are made -----------------------------------------------------------------------------------------

    def headrace(self, operation: str, **parameters: Any) -> Data:
        self.made.append(operation)
        return self.client.call("lambda", operation, **parameters)

    def of_function(self, operation: str, **parameters: Any) -> Data:
        return self.headrace(operation, FunctionName=self.name, **parameters)

    def refused(self, operation: str, **parameters: Any) -> Refused:
        try:
            answer = self.headrace(operation, **parameters)
        except Refused as refusal:
            return refusal
        raise AssertionError(f"{operation} was not refused: {answer}")

    def invoked(self, **parameters: Any) -> Data:
        answer = self.of_function("Invoke", **parameters)
        assert answer["StatusCode"] == 200, answer
        assert "FunctionError" not in answer, answer
        payload: Data = json.loads(answer["Payload"])
        return payload

    def until(self, found: Callable[[], bool], what: str) -> None:
        eventually(found, what, PATIENCE)

    def state(self, uuid: str) -> str:
        state: str = self.headrace("GetEventSourceMapping", UUID=uuid)["State"]
        return state

    def logged(self, text: str) -> bool:
        """Whether the function wrote it, as CloudWatch Logs has it."""
        try:
            found = self.client.call("logs", "FilterLogEvents", logGroupName=f"/aws/lambda/{self.name}")
        except Refused:
            return False
        return any(text in event["message"] for event in found["events"])

    # --- the script -------------------------------------------------------------------------------------------------

    def create(self) -> None:
        assert self.name not in [each["FunctionName"] for each in self.headrace("ListFunctions").get("Functions", [])]
        missing = self.refused("GetFunction", FunctionName=self.name)
        assert missing.code == "ResourceNotFoundException"
        created = self.of_function(
            "CreateFunction",
            Runtime=RUNTIME,
            Role=ROLE,
            Handler="app.handler",
            Code={"ZipFile": package("one")},
            Timeout=int(TIMEOUT),
            Environment={"Variables": {"STAGE": "dev"}},
        )
        assert created["State"] == "Pending"
        assert created["FunctionArn"].endswith(f":function:{self.name}")
        self.until(lambda: self.of_function("GetFunction")["Configuration"]["State"] == "Active", "the function")
        again = self.refused(
            "CreateFunction",
            FunctionName=self.name,
            Runtime=RUNTIME,
            Role=ROLE,
            Handler="app.handler",
            Code={"ZipFile": package("one")},
        )
        assert again.code == "ResourceConflictException"
        assert self.of_function("GetFunctionConfiguration")["CodeSha256"] == created["CodeSha256"]
        assert self.name in [each["FunctionName"] for each in self.headrace("ListFunctions")["Functions"]]

    def invoke(self) -> None:
        assert self.invoked(Payload=b'{"given": 7}') == {"answer": "one", "stage": "dev", "given": 7}
        dry = self.of_function("Invoke", InvocationType="DryRun")
        assert dry["StatusCode"] == 204
        tail = self.of_function("Invoke", LogType="Tail", Payload=b'{"Records": [{"body": "told"}]}')
        assert tail["LogResult"]
        queued = self.of_function(
            "Invoke", InvocationType="Event", Payload=json.dumps({"Records": [{"body": "event-1"}]}).encode()
        )
        assert queued["StatusCode"] == 202
        self.until(lambda: self.logged("took event-1"), "the event in the log")

    def map_queue(self) -> str:
        attributes = {"VisibilityTimeout": TIMEOUT}
        self.url = self.client.call("sqs", "CreateQueue", QueueName=self.name, Attributes=attributes)["QueueUrl"]
        arn = f"arn:aws:sqs:us-east-1:000000000000:{self.name}"
        mapping = self.of_function("CreateEventSourceMapping", EventSourceArn=arn, BatchSize=5)
        assert mapping["State"] == "Creating"
        uuid: str = mapping["UUID"]
        self.until(lambda: self.state(uuid) == "Enabled", "the mapping of the queue")
        twice = self.refused("CreateEventSourceMapping", FunctionName=self.name, EventSourceArn=arn)
        assert twice.code == "ResourceConflictException"
        assert uuid in twice.message
        self.send("order-1")
        return uuid

    def send(self, body: str) -> None:
        self.client.call("sqs", "SendMessage", QueueUrl=self.url, MessageBody=body)
        self.until(lambda: self.logged(f"took {body}"), f"{body} in the log")

    def map_stream(self) -> str:
        self.client.call("kinesis", "CreateStream", StreamName=self.name, ShardCount=1)
        self.until(self._stream_is_active, "the stream")
        arn = f"arn:aws:kinesis:us-east-1:000000000000:stream/{self.name}"
        invalid = self.refused("CreateEventSourceMapping", FunctionName=self.name, EventSourceArn=arn)
        assert invalid.code == "InvalidParameterValueException"
        uuid: str = self.of_function("CreateEventSourceMapping", EventSourceArn=arn, StartingPosition="TRIM_HORIZON")[
            "UUID"
        ]
        self.until(lambda: self.state(uuid) == "Enabled", "the mapping of the stream")
        self.put("record-1")
        return uuid

    def _stream_is_active(self) -> bool:
        found = self.client.call("kinesis", "DescribeStreamSummary", StreamName=self.name)
        active: bool = found["StreamDescriptionSummary"]["StreamStatus"] == "ACTIVE"
        return active

    def put(self, data: str) -> None:
        self.client.call("kinesis", "PutRecord", StreamName=self.name, PartitionKey="k", Data=data.encode())
        self.until(lambda: self.logged(f"took {data}"), f"{data} in the log")

    def change_mapping(self, uuid: str) -> None:
        listed = self.of_function("ListEventSourceMappings")["EventSourceMappings"]
        assert len(listed) == 2
        self.until(lambda: self.state(uuid) == "Enabled", "the mapping after a restart")
        updated = self.headrace("UpdateEventSourceMapping", UUID=uuid, BatchSize=1)
        assert (updated["State"], updated["BatchSize"]) == ("Updating", 1)
        self.until(lambda: self.state(uuid) == "Enabled", "the mapping after its update")
        self.send("order-2")
        self.put("record-2")
        arn = updated["EventSourceMappingArn"]
        self.headrace("TagResource", Resource=arn, Tags={"team": "orders", "cost": "low"})
        self.headrace("UntagResource", Resource=arn, TagKeys=["cost"])
        assert self.headrace("ListTags", Resource=arn)["Tags"] == {"team": "orders"}

    def publish(self) -> None:
        assert self.of_function("PublishVersion")["Version"] == "1"
        alias = self.of_function("CreateAlias", Name="live", FunctionVersion="1")
        assert alias["AliasArn"].endswith(f"{self.name}:live")
        answer = self.of_function("Invoke", Qualifier="live", Payload=b"{}")
        assert answer["ExecutedVersion"] == "1"

    def update(self) -> None:
        self.of_function("UpdateFunctionCode", ZipFile=package("two"))
        self.until(self._is_updated, "the new code")
        assert self.invoked(Payload=b"{}")["answer"] == "two"
        assert self.invoked(Qualifier="live", Payload=b"{}")["answer"] == "one"
        self.of_function("UpdateFunctionConfiguration", Environment={"Variables": {"STAGE": "prod"}}, MemorySize=256)
        self.until(self._is_updated, "the new configuration")
        assert self.invoked(Payload=b"{}")["stage"] == "prod"
        assert self.of_function("PublishVersion", Description="second")["Version"] == "2"
        self.of_function("UpdateAlias", Name="live", FunctionVersion="2")
        assert self.of_function("GetAlias", Name="live")["FunctionVersion"] == "2"
        assert self.invoked(Qualifier="live", Payload=b"{}") == {"answer": "two", "stage": "prod", "given": None}
        assert [each["Name"] for each in self.of_function("ListAliases")["Aliases"]] == ["live"]
        versions = [each["Version"] for each in self.of_function("ListVersionsByFunction")["Versions"]]
        assert versions == ["$LATEST", "1", "2"]

    def _is_updated(self) -> bool:
        updated: bool = self.of_function("GetFunctionConfiguration")["LastUpdateStatus"] == "Successful"
        return updated

    def throttle(self) -> None:
        assert self.of_function("GetFunctionConcurrency").get("ReservedConcurrentExecutions") is None
        self.of_function("PutFunctionConcurrency", ReservedConcurrentExecutions=0)
        throttled = self.refused("Invoke", FunctionName=self.name, Payload=b"{}")
        assert (throttled.code, throttled.message) == ("TooManyRequestsException", "Rate Exceeded.")
        assert self.of_function("GetFunctionConcurrency")["ReservedConcurrentExecutions"] == 0
        self.of_function("DeleteFunctionConcurrency")
        self.until(lambda: self.invoked(Payload=b"{}")["answer"] == "two", "an answer after the throttling")

    def asynchronous(self) -> None:
        put = self.of_function("PutFunctionEventInvokeConfig", MaximumRetryAttempts=0)
        assert put["MaximumRetryAttempts"] == 0
        assert self.of_function("GetFunctionEventInvokeConfig")["MaximumRetryAttempts"] == 0
        self.of_function("DeleteFunctionEventInvokeConfig")
        gone = self.refused("GetFunctionEventInvokeConfig", FunctionName=self.name)
        assert gone.code == "ResourceNotFoundException"

    def permissions_and_tags(self) -> None:
        self.of_function(
            "AddPermission", StatementId="s3", Action="lambda:InvokeFunction", Principal="s3.amazonaws.com"
        )
        policy = json.loads(self.of_function("GetPolicy")["Policy"])
        assert [statement["Sid"] for statement in policy["Statement"]] == ["s3"]
        self.of_function("RemovePermission", StatementId="s3")
        arn = self.of_function("GetFunction")["Configuration"]["FunctionArn"]
        self.headrace("TagResource", Resource=arn, Tags={"team": "orders"})
        assert self.headrace("ListTags", Resource=arn)["Tags"] == {"team": "orders"}
        settings = self.headrace("GetAccountSettings")
        assert settings["AccountUsage"]["FunctionCount"] >= 1

    def disable(self, uuid: str) -> None:
        assert self.headrace("UpdateEventSourceMapping", UUID=uuid, Enabled=False)["State"] == "Disabling"
        self.until(lambda: self.state(uuid) == "Disabled", "the mapping that was switched off")
        self.client.call("sqs", "SendMessage", QueueUrl=self.url, MessageBody="order-3")
        self.headrace("UpdateEventSourceMapping", UUID=uuid, Enabled=True)
        self.until(lambda: self.logged("took order-3"), "what waited in the queue")

    def remove(self, *uuids: str) -> None:
        for uuid in uuids:
            self.until(lambda uuid=uuid: self.state(uuid) == "Enabled", "a mapping at rest")  # type: ignore[misc]
            assert self.headrace("DeleteEventSourceMapping", UUID=uuid)["State"] == "Deleting"
            self.until(lambda uuid=uuid: self._is_gone(uuid), "the end of a mapping")  # type: ignore[misc]
        self.of_function("DeleteAlias", Name="live")
        self.of_function("DeleteFunction", Qualifier="1")
        self.of_function("DeleteFunction")
        gone = self.refused("Invoke", FunctionName=self.name, Payload=b"{}")
        assert gone.code == "ResourceNotFoundException"
        assert self.of_function("ListEventSourceMappings")["EventSourceMappings"] == []

    def _is_gone(self, uuid: str) -> bool:
        try:
            self.state(uuid)
        except Refused as refusal:
            return refusal.code == "ResourceNotFoundException"
        return False
