"""SQS queues, SNS topics and S3 buckets as failure destinations. Standard ones only, as AWS has it: a document has no
group, and no place in an order.

Owns every AWS call to a destination and the words for what goes wrong in it; trying again is `persistence`'s business.
`service/` makes them with `make_destination`, with the clients that everything shares.

https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ...config.arn import Arn
from ...config.clients import faults
from ...config.clients.aws import Clients
from ...config.clients.endpoints import Local
from ...config.clients.queue_urls import resolve
from ...config.errors import ConfigError, Problem, SourceError, SourceMissing, SourceUnavailable
from ..documents import s3_key, with_payload
from ..model import encode
from .base import Destination, Documents, Report

DENIED = frozenset(
    {"AccessDenied", "AccessDeniedException", "AuthorizationError", "AuthorizationErrorException", "403"}
)
"""Error codes for want of a permission; the last one is S3's for a request whose answer has no body."""


class SqsDestination:
    """A queue gets the document as a message."""

    def __init__(
        self, arn: Arn, client: Any, documents: Documents, *, endpoint: str | None = None, rewrite_urls: bool = True
    ) -> None:
        self._arn = arn
        self._client = client
        self._documents = documents
        self._endpoint = endpoint
        self._rewrite_urls = rewrite_urls

    @property
    def arn(self) -> str:
        return str(self._arn)

    async def probe(self) -> None:
        with _calling("find queue", self.arn, "sqs:GetQueueUrl"):
            await self._find()

    async def write(self, report: Report) -> None:
        with _calling("send to", self.arn, "sqs:SendMessage"):
            url = await self._find()
            body = encode(self._documents(report)).decode()
            await self._client.send_message(QueueUrl=url, MessageBody=body)

    async def _find(self) -> str:
        return await resolve(self._client, self.arn, self._endpoint, self._rewrite_urls)

    async def aclose(self) -> None:
        """The client is everybody's."""


class SnsDestination:
    """A topic gets the document as a message."""

    def __init__(self, arn: Arn, client: Any, documents: Documents) -> None:
        self._arn = arn
        self._client = client
        self._documents = documents

    @property
    def arn(self) -> str:
        return str(self._arn)

    async def probe(self) -> None:
        with _calling("look at", self.arn, "sns:GetTopicAttributes"):
            await self._client.get_topic_attributes(TopicArn=self.arn)

    async def write(self, report: Report) -> None:
        with _calling("publish to", self.arn, "sns:Publish"):
            await self._client.publish(TopicArn=self.arn, Message=encode(self._documents(report)).decode())

    async def aclose(self) -> None:
        """The client is everybody's."""


class S3Destination:
    """A bucket gets an object with the document and the whole event. Writing a report again writes the same object."""

    def __init__(self, arn: Arn, client: Any, documents: Documents, mapping_uuid: str) -> None:
        self._arn = arn
        self._client = client
        self._documents = documents
        self._mapping_uuid = mapping_uuid

    @property
    def arn(self) -> str:
        return str(self._arn)

    async def probe(self) -> None:
        with _calling("look at", self.arn, "s3:ListBucket"):
            await self._client.head_bucket(Bucket=self._arn.resource)

    async def write(self, report: Report) -> None:
        with _calling("write to", self.arn, "s3:PutObject"):
            await self._client.put_object(
                Bucket=self._arn.resource,
                Key=s3_key(self._mapping_uuid, report.lane, report.written, report.id),
                Body=with_payload(self._documents(report), report.event),
                ContentType="application/json",
            )

    async def aclose(self) -> None:
        """The client is everybody's."""


async def make_destination(arn: Arn, clients: Clients, documents: Documents, mapping_uuid: str) -> Destination:
    """The destination that `arn` names. Asks nobody whether it is there.

    Raises ConfigError: it cannot be one, or no client can be made (the guard against real AWS, no credentials).
    """
    fault = _unfit(arn)
    if fault:
        hint = "name a standard SQS queue, a standard SNS topic or an S3 bucket"
        raise ConfigError([Problem(f"{arn} {fault}", path="destination_config", hint=hint)])
    client = await clients.get(arn.service, region=arn.region or None)
    match arn.service:
        case "sqs":
            target = await clients.target("sqs")
            endpoint = target.url if isinstance(target, Local) else None
            rewrite = clients.settings.rewrite_queue_urls
            return SqsDestination(arn, client, documents, endpoint=endpoint, rewrite_urls=rewrite)
        case "sns":
            return SnsDestination(arn, client, documents)
        case _:
            return S3Destination(arn, client, documents, mapping_uuid)


def _unfit(arn: Arn) -> str:
    """Why this can be no failure destination; empty when it can. (The rules of the configuration say it earlier, where
    there is a file.)"""
    if arn.service not in ("sqs", "sns", "s3"):
        return f"is of the service {arn.service!r}"
    if arn.service != "s3" and arn.resource.endswith(".fifo"):
        return "is FIFO, which AWS does not take"
    return ""


@contextmanager
def _calling(operation: str, arn: str, permission: str) -> Iterator[None]:
    """Failures in our words: what was done to which destination, what is wrong, what to do."""
    try:
        with faults.translating(f"{operation} {arn}"):
            yield
    except SourceError as error:
        raise type(error)(f"failure destination: {error}{_advice(error, permission)}") from error
    except KeyError as error:
        unlike = "the endpoint answers, but not as AWS does: is it the address of an AWS-like API?"
        raise SourceUnavailable(f"failure destination: {operation} {arn}: {unlike}") from error


def _advice(error: SourceError, permission: str) -> str:
    if isinstance(error, SourceMissing):
        return "; create it, or name another one in destination_config"
    if error.__cause__ is not None and faults.code(error.__cause__) in DENIED:
        return f"; the credentials need {permission}"
    return ""
