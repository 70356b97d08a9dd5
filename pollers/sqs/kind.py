"""Makes the source of an SQS queue from its mapping."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from ...config.clients import faults
from ...config.clients.aws import Clients
from ...config.clients.endpoints import LocalEndpoint
from ...config.clients.queue_urls import resolve
from ...config.clock import ServiceClock
from ...config.fields.arn import Arn
from ...config.fields.mapping_limits import RECEIVERS_DEFAULT, RECEIVERS_OF_A_POLLER
from ...config.kinds import sqs
from ...config.mapping import EventSourceMapping
from ...dispatch.destinations.base import Destination
from ..profile import PollerKind, Replayed, SourceParts
from ..replay.core.plan import ReplayPlan, ReplayProgress
from ..source import FunctionFacts, Source
from ..streams.calls import reading
from .source import LOCAL_POLL, LONG_POLL, QueueSettings, SqsSource

IDLE_POLL = 1
"""Seconds of a long poll when the run ends with the work."""


class QueueMaker:
    """A `SourceMaker`."""

    def __init__(self, mapping: EventSourceMapping, parts: SourceParts) -> None:
        self._mapping = mapping
        self._arn = Arn.parse(mapping.source)
        self._parts = parts

    def address(self) -> str:
        return ""

    async def look(self) -> float | None:
        client = await self._client()
        what = f"look at {self._arn}"
        with reading(what), faults.translating(what):
            queue = await resolve(client, str(self._arn), self._endpoint, self._parts.rewrite_queue_urls)
            reply = await client.get_queue_attributes(QueueUrl=queue, AttributeNames=["VisibilityTimeout"])
            return float(reply["Attributes"]["VisibilityTimeout"])

    async def source(self, function: FunctionFacts, clock: ServiceClock) -> Source:
        mapping = self._mapping
        settings = QueueSettings(
            arn=self._arn,
            window=mapping.window,
            function_timeout=function.deadline,
            receivers=receivers_of(mapping, function),
            least_receivers=mapping.pollers[0] if mapping.pollers else 1,
            endpoint_url=self._endpoint,
            rewrite_urls=self._parts.rewrite_queue_urls,
            long_poll=self._long_poll(),
        )
        return SqsSource(settings, _Connected(await self._client()), self._parts.clock, self._parts.jitter)

    async def replayed(
        self, function: FunctionFacts, clock: ServiceClock, plan: ReplayPlan, progress: ReplayProgress
    ) -> Replayed | None:
        return None

    async def positions(self) -> None:
        """A queue forgets what is done."""

    def destination(self, function_arn: str) -> Destination | None:
        return None

    async def _client(self) -> Any:
        return await self._parts.clients.get(sqs.SERVICE, region=self._arn.region)

    @property
    def _endpoint(self) -> str | None:
        """The URL of an emulator; None for AWS itself."""
        endpoint = self._parts.endpoint(self._mapping)
        return endpoint.url if isinstance(endpoint, LocalEndpoint) else None

    def _long_poll(self) -> int:
        """Short where a user waits for the end of the run."""
        if self._parts.until_idle:
            return IDLE_POLL
        return LOCAL_POLL if self._endpoint is not None else LONG_POLL


@dataclass(frozen=True, slots=True)
class _Connected:
    """Returns the client that was made at the start; problems of its settings were reported then."""

    client: Any

    async def __call__(self) -> Any:
        return self.client


def receivers_of(mapping: EventSourceMapping, function: FunctionFacts) -> int:
    """The most receivers of a mapping: its maximum concurrency, else the function's, else AWS's five. A number of its
    own takes the place of the last two, and bounds the first. In provisioned mode its pollers decide, and the
    function's concurrency bounds them."""
    if mapping.pollers:
        most = mapping.pollers[1] * RECEIVERS_OF_A_POLLER
        return min(most, mapping.receivers or most, function.concurrency or most)
    if mapping.maximum_concurrency:
        return min(mapping.maximum_concurrency, mapping.receivers or mapping.maximum_concurrency)
    return mapping.receivers or function.concurrency or RECEIVERS_DEFAULT


async def _send(mapping: EventSourceMapping, clients: Clients, text: str, key: str) -> None:
    arn = Arn.parse(mapping.source)
    client, target = await clients.get(sqs.SERVICE, region=arn.region), await clients.target(sqs.SERVICE)
    endpoint = target.url if isinstance(target, LocalEndpoint) else None
    url = await resolve(client, str(arn), endpoint, clients.settings.rewrite_queue_urls)
    group = {"MessageGroupId": key or "by-hand", "MessageDeduplicationId": str(uuid.uuid4())} if arn.is_fifo else {}
    await client.send_message(QueueUrl=url, MessageBody=text, **group)


STANDARD = PollerKind(sqs.STANDARD, QueueMaker, send=_send)
FIFO = PollerKind(sqs.FIFO, QueueMaker, send=_send)
