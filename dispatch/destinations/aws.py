"""SQS queues, SNS topics and S3 buckets as failure destinations. Standard ones only, as AWS has it: a document has no
group, and no place in an order.

The calls are the channels' (`channels.py`); trying again is `persistence`'s business. `service/` makes them with
`make_destination`, with the clients that everything shares.

https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html
"""

from __future__ import annotations

from ...config.clients.aws import Clients
from ...config.errors import ConfigError, Problem
from ...config.fields.arn import Arn
from ...config.kinds.destinations import DESTINATIONS, unfit
from ..core.documents import Documents, Report, s3_key, with_payload
from ..core.model import encode
from .base import Destination
from .channels import BucketChannel, MessageChannel, Role, make_channel


class MessageDestination:
    """A queue, a topic or a bus gets the document as a message."""

    def __init__(self, arn: Arn, channel: MessageChannel, documents: Documents) -> None:
        self._arn = arn
        self._channel = channel
        self._documents = documents

    @property
    def arn(self) -> str:
        return str(self._arn)

    async def probe(self) -> None:
        await self._channel.probe()

    async def write(self, report: Report) -> None:
        await self._channel.send(encode(self._documents(report)).decode())

    async def aclose(self) -> None:
        """The client is shared."""


class S3Destination:
    """A bucket gets an object with the document and the whole event. Writing a report again writes the same object."""

    def __init__(self, arn: Arn, channel: BucketChannel, documents: Documents, mapping_uuid: str) -> None:
        self._arn = arn
        self._channel = channel
        self._documents = documents
        self._mapping_uuid = mapping_uuid

    @property
    def arn(self) -> str:
        return str(self._arn)

    async def probe(self) -> None:
        await self._channel.probe()

    async def write(self, report: Report) -> None:
        key = s3_key(self._mapping_uuid, report.lane, report.written, report.id)
        await self._channel.put(key, with_payload(self._documents(report), report.event))

    async def aclose(self) -> None:
        """The client is shared."""


async def make_destination(arn: Arn, clients: Clients, documents: Documents, mapping_uuid: str) -> Destination:
    """The destination that `arn` names. Makes no calls.

    Raises ConfigError: it cannot be one, or no client can be made (the guard against real AWS, no credentials).
    """
    if fault := unfit(arn):
        raise ConfigError([Problem(f"{arn} {fault}", path="destination_config", hint=f"name {DESTINATIONS}")])
    channel = await make_channel(arn, clients, Role())
    if isinstance(channel, BucketChannel):
        return S3Destination(arn, channel, documents, mapping_uuid)
    return MessageDestination(arn, channel, documents)
