"""Whatever an endpoint answers, on every call that we make to one: a failure of the client, and never another error."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from headrace.config.clients import faults
from headrace.config.clients.aws import AwsSettings, Clients
from headrace.config.clients.replies import unlike
from support.hostile_http import answer, serving

QUEUE = "http://127.0.0.1/000000000000/orders"
STREAM_ARN = "arn:aws:kinesis:us-east-1:000000000000:stream/orders"
TABLE_ARN = "arn:aws:dynamodb:us-east-1:000000000000:table/orders/stream/2026-01-01T00:00:00.000"
TOPIC = "arn:aws:sns:us-east-1:000000000000:orders"
LATEST = "LATEST"
LINE = {"timestamp": 1, "message": "m"}
ENTRIES = [{"Id": "0", "ReceiptHandle": "r"}]

CALLS: dict[str, tuple[str, dict[str, Any]]] = {
    "get_queue_url": ("sqs", {"QueueName": "orders"}),
    "get_queue_attributes": ("sqs", {"QueueUrl": QUEUE, "AttributeNames": ["All"]}),
    "send_message": ("sqs", {"QueueUrl": QUEUE, "MessageBody": "x"}),
    "receive_message": ("sqs", {"QueueUrl": QUEUE}),
    "delete_message_batch": ("sqs", {"QueueUrl": QUEUE, "Entries": ENTRIES}),
    "change_message_visibility_batch": ("sqs", {"QueueUrl": QUEUE, "Entries": ENTRIES}),
    "get_topic_attributes": ("sns", {"TopicArn": TOPIC}),
    "publish": ("sns", {"TopicArn": TOPIC, "Message": "x"}),
    "head_bucket": ("s3", {"Bucket": "orders"}),
    "put_object": ("s3", {"Bucket": "orders", "Key": "k", "Body": b"x"}),
    "put_events": ("events", {"Entries": [{"Source": "s", "DetailType": "d", "Detail": "{}"}]}),
    "describe_stream_summary": ("kinesis", {"StreamName": "orders"}),
    "list_shards": ("kinesis", {"StreamName": "orders"}),
    "describe_stream": ("kinesis", {"StreamName": "orders"}),
    "get_shard_iterator": ("kinesis", {"StreamName": "o", "ShardId": "s", "ShardIteratorType": LATEST}),
    "get_records": ("kinesis", {"ShardIterator": "i"}),
    "describe_table": ("dynamodb", {"TableName": "orders"}),
    "describe_stream ": ("dynamodbstreams", {"StreamArn": TABLE_ARN}),
    "get_shard_iterator ": (
        "dynamodbstreams",
        {"StreamArn": TABLE_ARN, "ShardId": "s" * 28, "ShardIteratorType": LATEST},
    ),
    "get_records ": ("dynamodbstreams", {"ShardIterator": "i"}),
    "describe_log_groups": ("logs", {}),
    "create_log_group": ("logs", {"logGroupName": "g"}),
    "create_log_stream": ("logs", {"logGroupName": "g", "logStreamName": "s"}),
    "put_log_events": (
        "logs",
        {"logGroupName": "g", "logStreamName": "s", "logEvents": [{"timestamp": 1, "message": "m"}]},
    ),
    "list_event_source_mappings": ("lambda", {}),
    "get_secret_value": ("secretsmanager", {"SecretId": "s"}),
    "get_bootstrap_brokers": ("kafka", {"ClusterArn": "arn:aws:kafka:us-east-1:000000000000:cluster/c/u"}),
    "get_schema_version": ("glue", {"SchemaVersionId": "b7b4a7f0-9c96-4e4a-a687-fb5de9ef0c63"}),
    "get_caller_identity": ("sts", {}),
}
"""Each call that the product makes, by its method; a blank behind it tells two of one name apart."""

BODIES = [
    "", "null", "[]", "7", '"text"', "true", "{", '{"a": ', "<html>no</html>", "\x00\xff", "[" * 100_000, "<a>" * 2000
]  # fmt: skip
VALUES: list[object] = [[], 7, "text", {"a": 1}, [[]], [{"a": []}]]


class Answers:
    """A client whose endpoint answers whatever is set."""

    def __init__(self, client: Any, call: str) -> None:
        self._client = client
        self._call, self._parameters = call.strip(), CALLS[call][1]
        self.said = b""

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(self.said)

    async def outcome(self, said: bytes) -> Any:
        """The reply, or what the client raised."""
        self.said = said
        try:
            return await getattr(self._client, self._call)(**self._parameters)
        except Exception as error:
            return error

    @property
    def shape(self) -> Any:
        """Of the call's reply."""
        model = self._client.meta.service_model
        wanted = self._call.replace("_", "")
        operation = next(each for each in model.operation_names if each.lower() == wanted)
        return model.operation_model(operation).output_shape

    @property
    def speaks_json(self) -> bool:
        return self._client.meta.service_model.resolved_protocol in ("json", "rest-json")


@asynccontextmanager
async def answering(call: str) -> AsyncIterator[Answers]:
    answers = Answers(None, call)
    async with serving(answers) as port:
        given = AwsSettings(endpoint_url=f"http://127.0.0.1:{port}", region="us-east-1", read_timeout=5.0)
        async with Clients(given) as clients:
            answers._client = await clients.get(CALLS[call][0])
            yield answers


@pytest.mark.parametrize("call", CALLS)
async def test_a_reply_of_no_shape_is_a_failure_of_the_client(call: str) -> None:
    async with answering(call) as answers:
        for status in ("200 OK", "400 X", "500 X"):
            for body in BODIES:
                found = await answers.outcome(answer(body, status))
                assert not isinstance(found, Exception) or faults.foreign(found), (status, body[:20], found)


@pytest.mark.parametrize("call", CALLS)
async def test_members_of_another_kind_are_a_failure_of_the_client_or_are_left_out(call: str) -> None:
    """Each member of a reply in turn is of each other kind."""
    async with answering(call) as answers:
        members = answers.shape.members if answers.shape is not None and answers.speaks_json else ()
        for name in members:
            for value in VALUES:
                found = await answers.outcome(answer(json.dumps({name: value})))
                if isinstance(found, Exception):
                    assert faults.foreign(found), (name, value, found)
                else:
                    assert unlike(found, answers.shape) == "", (name, value, found)


@pytest.mark.parametrize("call", CALLS)
async def test_the_same_answer_is_told_in_the_same_words(call: str) -> None:
    """So that the log, which leaves out what it said a moment ago, says it once and not with every call."""
    async with answering(call) as answers:
        members = answers.shape.members if answers.shape is not None and answers.speaks_json else ()
        bodies = [*BODIES, *(json.dumps({name: value}) for name in members for value in (7, [7], {"a": 1}))]
        for body in bodies:
            for status in ("200 OK", "500 X"):
                said = {told(await answers.outcome(answer(body, status))) for _ in range(2)}
                assert len(said) == 1, (status, body[:40], said)


def told(found: Any) -> str:
    return str(faults.translate(found, "call")) if isinstance(found, Exception) else ""
