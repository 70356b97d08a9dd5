"""Queue URLs as emulators answer them, and how they are found."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from headrace.config.clients import queue_urls
from headrace.config.errors import SourceMissing, SourceRefused, SourceUnavailable


@pytest.mark.parametrize(
    ("url", "endpoint", "expected"),
    [
        # the same address, said in other words, stays as it is
        ("http://localhost:4566/000000000000/q", "http://localhost:4566", "http://localhost:4566/000000000000/q"),
        ("http://LOCALHOST:4566/000000000000/q", "http://localhost:4566/", "http://LOCALHOST:4566/000000000000/q"),
        ("http://mini/000000000000/q", "http://mini:80", "http://mini/000000000000/q"),
        # LocalStack: its public name, with the region and the service in the host
        (
            "http://sqs.us-east-1.localhost.localstack.cloud:4566/000000000000/q",
            "http://localstack:4566",
            "http://localstack:4566/000000000000/q",
        ),
        (
            "https://us-east-1.queue.localhost.localstack.cloud:4566/000000000000/q",
            "http://localhost:4566",
            "http://localhost:4566/000000000000/q",
        ),
        # LocalStack's path style
        (
            "http://localhost.localstack.cloud:4566/queue/us-east-1/000000000000/q",
            "http://127.0.0.1:4566",
            "http://127.0.0.1:4566/queue/us-east-1/000000000000/q",
        ),
        # ElasticMQ: its own node address, with and without an account
        ("http://localhost:9324/queue/q", "http://elasticmq:9324", "http://elasticmq:9324/queue/q"),
        ("http://0.0.0.0:9324/000000000000/q.fifo", "http://mq:19324", "http://mq:19324/000000000000/q.fifo"),
        # a container's name that only its network knows
        ("http://4f1c2d3e:4566/000000000000/q", "http://localhost:32768", "http://localhost:32768/000000000000/q"),
        # moto answers with AWS's own host unless told otherwise
        ("https://sqs.us-east-1.amazonaws.com/123456789012/q", "http://moto:5000", "http://moto:5000/123456789012/q"),
        ("https://queue.amazonaws.com/123456789012/q", "http://moto:5000", "http://moto:5000/123456789012/q"),
        # TLS, IPv6, a password in the endpoint, a bare path
        ("http://localhost:4566/0/q", "https://emulator.example:8443", "https://emulator.example:8443/0/q"),
        ("http://localhost:4566/0/q", "http://[::1]:4566", "http://[::1]:4566/0/q"),
        ("http://[fd00::7]:4566/0/q", "http://localhost:4566", "http://localhost:4566/0/q"),
        ("http://localhost:4566/0/q", "http://user:secret@emulator:4566", "http://emulator:4566/0/q"),
        ("/000000000000/q", "http://localhost:9324", "http://localhost:9324/000000000000/q"),
        ("http://localhost:4566/0/a%2Fb?x=1", "http://e:1", "http://e:1/0/a%2Fb?x=1"),
        # AWS itself is always right
        ("https://sqs.us-east-1.amazonaws.com/1/q", None, "https://sqs.us-east-1.amazonaws.com/1/q"),
        (
            "https://sqs.us-east-1.amazonaws.com/1/q",
            "https://vpce-1.sqs.us-east-1.vpce.amazonaws.com",
            "https://sqs.us-east-1.amazonaws.com/1/q",
        ),
    ],
)
def test_rewrite(url: str, endpoint: str | None, expected: str) -> None:
    assert queue_urls.rewrite(url, endpoint) == expected


class Queues:
    """An SQS client that knows one queue."""

    def __init__(self, answer: str | Exception) -> None:
        self.answer = answer
        self.asked: list[dict[str, Any]] = []

    async def get_queue_url(self, **question: Any) -> dict[str, str]:
        self.asked.append(question)
        if isinstance(self.answer, Exception):
            raise self.answer
        return {"QueueUrl": self.answer}


ARN = "arn:aws:sqs:us-east-1:000000000000:orders"


async def test_the_owner_and_the_name_come_from_the_arn() -> None:
    client = Queues("http://inner:4566/000000000000/orders")
    assert await queue_urls.resolve(client, ARN, "http://outer:1") == "http://outer:1/000000000000/orders"
    assert await queue_urls.resolve(client, ARN, "http://outer:1", False) == "http://inner:4566/000000000000/orders"
    assert client.asked[0] == {"QueueName": "orders", "QueueOwnerAWSAccountId": "000000000000"}


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (
            ClientError({"Error": {"Code": "AWS.SimpleQueueService.NonExistentQueue"}}, "GetQueueUrl"),
            SourceMissing,
        ),
        (
            ClientError({"Error": {"Code": "AccessDenied"}, "ResponseMetadata": {"HTTPStatusCode": 403}}, "X"),
            SourceRefused,
        ),
        (EndpointConnectionError(endpoint_url="http://outer:1"), SourceUnavailable),
    ],
)
async def test_failures_are_ours_and_name_the_queue(raised: Exception, expected: type[Exception]) -> None:
    with pytest.raises(expected, match=f"find queue {ARN}"):
        await queue_urls.resolve(Queues(raised), ARN, None)


@pytest.mark.parametrize(
    "arn",
    ["orders", "arn:aws:sns:us-east-1:000000000000:orders", "arn:aws:sqs:us-east-1:000000000000:", "a:b:sqs:d:e:f"],
)
async def test_only_the_arn_of_a_queue(arn: str) -> None:
    with pytest.raises(SourceRefused, match="is not the ARN of a queue"):
        await queue_urls.resolve(Queues("http://x/0/q"), arn, None)
