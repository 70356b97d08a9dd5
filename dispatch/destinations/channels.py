"""The channels for documents: SQS queues, SNS topics, S3 buckets and EventBridge buses, each with its calls.

Owns every AWS call to a destination and the texts of its errors. The content, and trying again, belong to
the callers: failure destinations of mappings (`aws.py`), and the destinations of asynchronous invocations.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ...config.clients import faults
from ...config.clients.aws import Clients
from ...config.clients.endpoints import LocalEndpoint
from ...config.clients.queue_urls import resolve
from ...config.errors import BugError, SourceError, SourceMissing, SourceUnavailable
from ...config.fields.arn import Arn
from ..core.documents import BusHeading

DENIED = frozenset(
    {"AccessDenied", "AccessDeniedException", "AuthorizationError", "AuthorizationErrorException", "403"}
)
"""Error codes for missing permissions; the last one is S3's for a request whose answer has no body."""

Attributes = Mapping[str, tuple[str, str]]
"""The attributes of a message: name to type and value."""


@dataclass(frozen=True, slots=True)
class Role:
    """The role of a destination for the sender, and the setting that names it."""

    what: str = "failure destination"
    named_in: str = "destination_config"


class QueueChannel:
    """An SQS queue."""

    def __init__(self, arn: Arn, client: Any, role: Role, *, endpoint: str | None, rewrite_urls: bool) -> None:
        self._arn = str(arn)
        self._client = client
        self._role = role
        self._endpoint = endpoint
        self._rewrite_urls = rewrite_urls

    async def probe(self) -> None:
        with calling(self._role, "find queue", self._arn, "sqs:GetQueueUrl"):
            await self._find()

    async def send(self, body: str, attributes: Attributes | None = None, trace: str = "") -> None:
        """`trace` travels as the system attribute that AWS sends it in."""
        more: dict[str, Any] = {"MessageAttributes": _attributes(attributes)} if attributes else {}
        if trace:
            more["MessageSystemAttributes"] = {"AWSTraceHeader": {"DataType": "String", "StringValue": trace}}
        with calling(self._role, "send to", self._arn, "sqs:SendMessage"):
            await self._client.send_message(QueueUrl=await self._find(), MessageBody=body, **more)

    async def _find(self) -> str:
        return await resolve(self._client, self._arn, self._endpoint, self._rewrite_urls)


class TopicChannel:
    """An SNS topic."""

    def __init__(self, arn: Arn, client: Any, role: Role) -> None:
        self._arn = str(arn)
        self._client = client
        self._role = role

    async def probe(self) -> None:
        with calling(self._role, "look at", self._arn, "sns:GetTopicAttributes"):
            await self._client.get_topic_attributes(TopicArn=self._arn)

    async def send(self, body: str, attributes: Attributes | None = None) -> None:
        more = {"MessageAttributes": _attributes(attributes)} if attributes else {}
        with calling(self._role, "publish to", self._arn, "sns:Publish"):
            await self._client.publish(TopicArn=self._arn, Message=body, **more)


class BucketChannel:
    """An S3 bucket."""

    def __init__(self, arn: Arn, client: Any, role: Role) -> None:
        self._arn = arn
        self._client = client
        self._role = role

    async def probe(self) -> None:
        with calling(self._role, "look at", str(self._arn), "s3:ListBucket"):
            await self._client.head_bucket(Bucket=self._arn.resource)

    async def put(self, key: str, body: bytes) -> None:
        with calling(self._role, "write to", str(self._arn), "s3:PutObject"):
            await self._client.put_object(Bucket=self._arn.resource, Key=key, Body=body, ContentType="application/json")


FAILED = BusHeading("Lambda Function Invocation Result - Failure")
"""The heading of AWS's own events about failed invocations."""


class BusChannel:
    """An EventBridge bus."""

    def __init__(self, arn: Arn, client: Any, role: Role) -> None:
        self._arn = str(arn)
        self._client = client
        self._role = role

    async def probe(self) -> None:
        with calling(self._role, "look at", self._arn, "events:DescribeEventBus"):
            await self._client.describe_event_bus(Name=self._arn)

    async def send(self, body: str, heading: BusHeading = FAILED) -> None:
        """`body`: the event's detail, as JSON."""
        entry = {
            "Source": heading.source,
            "DetailType": heading.detail_type,
            "Resources": [self._arn, *heading.resources],
            "Detail": body,
            "EventBusName": self._arn,
        }
        with calling(self._role, "put an event on", self._arn, "events:PutEvents"):
            answer = await self._client.put_events(Entries=[entry])
            result = (answer.get("Entries") or [{}])[0]
            if answer["FailedEntryCount"] or "EventId" not in result:  # without an id, the bus may not have the event
                fault = f"{result.get('ErrorCode')}: {result.get('ErrorMessage')}"
                raise SourceUnavailable(f"put an event on {self._arn}: {fault}")


MessageChannel = QueueChannel | TopicChannel | BusChannel
"""The channels that send a document as one message: `send(text)`."""
Channel = MessageChannel | BucketChannel


async def make_channel(arn: Arn, clients: Clients, role: Role) -> Channel:
    """Make the channel to the destination that `arn` names. Makes no calls.

    Raises ConfigError where no client can be made (the guard against real AWS, no credentials), BugError for a service
    without a channel.
    """
    client = await clients.get(arn.service, region=arn.region or None)
    match arn.service:
        case "sqs":
            target = await clients.target("sqs")
            endpoint = target.url if isinstance(target, LocalEndpoint) else None
            return QueueChannel(arn, client, role, endpoint=endpoint, rewrite_urls=clients.settings.rewrite_queue_urls)
        case "sns":
            return TopicChannel(arn, client, role)
        case "events":
            return BusChannel(arn, client, role)
        case "s3":
            return BucketChannel(arn, client, role)
        case service:
            raise BugError(f"no channel sends to the service {service!r} of {arn}")


def _attributes(attributes: Attributes) -> dict[str, dict[str, str]]:
    return {name: {"DataType": kind, "StringValue": value} for name, (kind, value) in attributes.items()}


@contextmanager
def calling(role: Role, operation: str, arn: str, permission: str) -> Iterator[None]:
    """Translates failures: which action on which destination failed, why, and what to do."""
    try:
        with faults.translating(f"{operation} {arn}"):
            yield
    except SourceError as error:
        text = f"{role.what}: {error}{_advice(role, error, permission)}"
        raise type(error)(text, error.reason.code) from error
    except KeyError as error:
        unlike = "the endpoint answers, but not as AWS does: is it the address of an AWS-like API?"
        raise SourceUnavailable(f"{role.what}: {operation} {arn}: {unlike}") from error


def _advice(role: Role, error: SourceError, permission: str) -> str:
    if isinstance(error, SourceMissing):
        return f"; create it, or name another one in {role.named_in}"
    if error.__cause__ is not None and faults.code(error.__cause__) in DENIED:
        return f"; the credentials need {permission}"
    return ""
