"""Which failure destinations there are, and what goes wrong in them, in words."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from headrace.config.clients.aws import AwsSettings, Clients
from headrace.config.errors import BugError, ConfigError, SourceError, SourceMissing, SourceRefused, SourceUnavailable
from headrace.config.fields.arn import Arn
from headrace.config.kinds.destinations import unfit
from headrace.dispatch.core.documents import BusHeading, Report
from headrace.dispatch.core.model import DiscardReason
from headrace.dispatch.core.planner import DiscardStep
from headrace.dispatch.destinations.aws import MessageDestination, S3Destination, make_destination
from headrace.dispatch.destinations.channels import (
    BucketChannel,
    BusChannel,
    QueueChannel,
    Role,
    TopicChannel,
    make_channel,
)
from headrace.dispatch.kinds.fragments import shard_documents
from headrace.dispatch.kinds.kinesis import BATCH_INFO
from support.paper import ATTEMPT, EPOCH, LANE, failed, records

SQS = "arn:aws:sqs:us-east-1:000000000000:failed"
SNS = "arn:aws:sns:us-east-1:000000000000:failed"
S3 = "arn:aws:s3:::failed"
BUS = "arn:aws:events:us-east-1:000000000000:event-bus/failed"
SQS_ARN, SNS_ARN, S3_ARN, BUS_ARN = (Arn.parse(each) for each in (SQS, SNS, S3, BUS))
DOCUMENTS = shard_documents(BATCH_INFO, "arn:aws:lambda:us-east-1:000000000000:function:f")
REPORT = Report(
    DiscardStep(records([1]), DiscardReason.RETRIES_EXHAUSTED, ATTEMPT, 1, failed()), LANE, EPOCH, "id", lambda _: b"{}"
)


@pytest.fixture
async def clients() -> AsyncIterator[Clients]:
    async with Clients(AwsSettings(endpoint_url="http://127.0.0.1:1", region="us-east-1")) as clients:
        yield clients


@pytest.mark.parametrize(("arn", "kind"), [(SQS, MessageDestination), (SNS, MessageDestination), (S3, S3Destination)])
async def test_the_arn_says_what_it_is(clients: Clients, arn: str, kind: type) -> None:
    destination = await make_destination(Arn.parse(arn), clients, DOCUMENTS, "uuid")
    assert isinstance(destination, kind)
    assert destination.arn == arn


@pytest.mark.semantics("DEST-08")
@pytest.mark.parametrize(
    ("arn", "fault"),
    [
        (f"{SQS}.fifo", "is a FIFO queue"),
        (f"{SNS}.fifo", "is a FIFO topic"),
        (f"{S3}/prefix", "names more than a bucket"),
        ("arn:aws:lambda:us-east-1:000000000000:function:f", "is of the service 'lambda'"),
    ],
)
async def test_what_can_be_no_destination_is_refused_with_the_reason(clients: Clients, arn: str, fault: str) -> None:
    with pytest.raises(ConfigError, match=f"{arn} {fault}.*name a standard queue"):
        await make_destination(Arn.parse(arn), clients, DOCUMENTS, "uuid")


def test_a_queue_that_cannot_be_is_named_with_its_fault() -> None:
    assert "has the queue name" in unfit(Arn.parse(f"{SQS}/orders"))


@pytest.mark.parametrize("arn", [SQS, SNS, S3])
async def test_a_destination_asks_in_the_words_of_its_service(clients: Clients, arn: str) -> None:
    """Nobody listens: a call whose members the service does not have is refused before that is noticed."""
    destination = await make_destination(Arn.parse(arn), clients, DOCUMENTS, "uuid")
    with pytest.raises(SourceUnavailable):
        await destination.probe()
    with pytest.raises(SourceUnavailable):
        await destination.write(REPORT)


async def test_the_guard_against_real_aws_stands_before_destinations_too() -> None:
    async with Clients(AwsSettings(region="us-east-1")) as clients:
        with pytest.raises(ConfigError, match="real AWS"):
            await make_destination(Arn.parse(S3), clients, DOCUMENTS, "uuid")


async def test_a_service_without_a_channel_is_a_bug_and_no_bucket(clients: Clients) -> None:
    with pytest.raises(BugError, match="no channel sends to the service 'kinesis'"):
        await make_channel(Arn.parse("arn:aws:kinesis:us-east-1:000000000000:stream/s"), clients, Role())


async def test_a_bus_is_asked_in_the_words_of_its_service(clients: Clients) -> None:
    """Nobody listens: a call whose members the service does not have is refused before that is noticed."""
    channel = await make_channel(BUS_ARN, clients, Role())
    assert isinstance(channel, BusChannel)
    destination = MessageDestination(BUS_ARN, channel, DOCUMENTS)
    for call in (destination.probe(), destination.write(REPORT)):
        with pytest.raises(SourceUnavailable, match="event-bus/failed"):
            await call


class Bus:
    """A client of EventBridge that takes every event."""

    def __init__(self) -> None:
        self.entries: list[dict[str, Any]] = []

    async def put_events(self, **members: Any) -> object:
        self.entries += members["Entries"]
        return {"FailedEntryCount": 0, "Entries": [{"EventId": "1"}]}


async def test_an_event_on_a_bus_has_the_document_and_the_heading() -> None:
    client = Bus()
    heading = BusHeading("Lambda Function Invocation Result - Success", ("arn:aws:lambda:::function:f:$LATEST",))
    await BusChannel(BUS_ARN, client, Role()).send("{}", heading)
    assert client.entries == [
        {
            "Source": "lambda",
            "DetailType": "Lambda Function Invocation Result - Success",
            "Resources": [BUS, "arn:aws:lambda:::function:f:$LATEST"],
            "Detail": "{}",
            "EventBusName": BUS,
        }
    ]


# --- what goes wrong --------------------------------------------------------------------------------------------------


class Failing:
    """A client of which every call fails, as botocore's do."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def __getattr__(self, operation: str) -> Any:
        async def call(**parameters: object) -> object:
            raise self._error

        return call


def refused(code: str, status: int, message: str = "no") -> ClientError:
    answer = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, "Operation")


def destinations(error: Exception) -> list[Any]:
    client = Failing(error)
    return [
        MessageDestination(SQS_ARN, QueueChannel(SQS_ARN, client, Role(), endpoint=None, rewrite_urls=True), DOCUMENTS),
        MessageDestination(SNS_ARN, TopicChannel(SNS_ARN, client, Role()), DOCUMENTS),
        S3Destination(S3_ARN, BucketChannel(S3_ARN, client, Role()), DOCUMENTS, "uuid"),
        MessageDestination(BUS_ARN, BusChannel(BUS_ARN, client, Role()), DOCUMENTS),
    ]


@pytest.mark.semantics("DEST-12")
@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (refused("QueueDoesNotExist", 400), SourceMissing, "create it, or name another one in destination_config"),
        (refused("404", 404), SourceMissing, "create it, or name another one in destination_config"),
        (refused("NoSuchBucket", 404), SourceMissing, "NoSuchBucket"),
        (refused("AccessDenied", 403), SourceRefused, "the credentials need (sqs|sns|s3|events):"),
        (refused("403", 403), SourceRefused, "the credentials need (sqs|sns|s3|events):"),
        (refused("InvalidParameterValue", 400, "too long"), SourceRefused, "too long$"),
        (refused("ThrottlingException", 400), SourceUnavailable, "ThrottlingException"),
        (refused("InternalError", 500), SourceUnavailable, "InternalError"),
        (EndpointConnectionError(endpoint_url="http://x"), SourceUnavailable, "is it running"),
        (TimeoutError(), SourceUnavailable, "Timeout"),
        (KeyError("QueueUrl"), SourceUnavailable, "not as AWS does"),
    ],
    ids=lambda value: getattr(value, "__name__", None) or repr(value)[:50],
)
async def test_each_failure_names_the_destination_and_says_what_to_do(
    error: Exception, kind: type[SourceError], words: str
) -> None:
    for destination in destinations(error):
        for call in (destination.probe(), destination.write(REPORT)):
            with pytest.raises(kind, match=words) as caught:
                await call
            assert type(caught.value) is kind
            assert destination.arn in str(caught.value)
            assert str(caught.value).startswith("failure destination: ")


async def test_a_fault_of_ours_is_no_fault_of_the_destination() -> None:
    for destination in destinations(ZeroDivisionError()):
        with pytest.raises(ZeroDivisionError):
            await destination.write(REPORT)
