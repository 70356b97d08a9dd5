"""A topic as the failure destination of a Kafka mapping: `kafka://<topic>`, in the cluster of the source.

One message per record, with the key that it had; records without one go to the partitions in turn.

https://docs.aws.amazon.com/lambda/latest/dg/kafka-on-failure.html; docs/semantics/destinations.md
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio

from ...config.clients.kafka import BrokerAccess
from ...config.clients.kafka.closing import end, ending
from ...config.errors import SourceMissing
from ..core.documents import Report
from ..core.model import Record
from ..core.pages import Records
from ..kinds.kafka_documents import KafkaSubject, kafka_record_document

if TYPE_CHECKING:
    from aiokafka import AIOKafkaProducer


@dataclass(slots=True, eq=False)
class _Shared:
    """A producer, and how many are writing with it."""

    producer: AIOKafkaProducer
    writing: int = 0


class KafkaDestination:
    """A topic gets a message for each record.

    started ──► shared by all who write ──► one of them fails: the next one makes another ──► stopped by the last
    """

    def __init__(self, topic: str, access: BrokerAccess, subject: Callable[[], KafkaSubject]) -> None:
        self._topic = topic
        self._access = access
        self._subject = subject
        self._shared: _Shared | None = None
        self._starting = anyio.Lock()
        self._turn = 0

    @property
    def arn(self) -> str:
        return f"kafka://{self._topic}"

    async def probe(self) -> None:
        """Asks for all topics, since asking for one may create it."""
        from aiokafka.admin import AIOKafkaAdminClient

        admin = AIOKafkaAdminClient(**(await self._access.connection()).arguments())
        try:
            await admin.start()
            topics = await admin.list_topics()
        except Exception as error:
            raise await self._access.explain(error, self._what("look for")) from error
        finally:
            await end(admin.close())
        if self._topic not in topics:
            raise SourceMissing(f"failure destination {self.arn} does not exist at {self._access}; create the topic")

    async def write(self, report: Report) -> None:
        """Writes all messages of the report; an attempt after a failure writes all of them again."""
        try:
            async with self._producing() as producer:
                await self._send_all(producer, report)
        except Exception as error:
            raise await self._access.explain(error, self._what("write to")) from error

    async def aclose(self) -> None:
        shared, self._shared = self._shared, None
        if shared is not None:
            await asyncio.wait({ending(shared.producer.stop())})

    def _what(self, what: str) -> str:
        return f"failure destination: {what} {self.arn} at {self._access}"

    async def _send_all(self, producer: AIOKafkaProducer, report: Report) -> None:
        """All answers are awaited: asyncio would log a failure that is never retrieved."""
        partitions = sorted(await producer.partitions_for(self._topic))
        sent: list[asyncio.Future[object]] = []
        try:
            for record in report.discard.records:
                answer = await self._send(producer, report, record, partitions)
                sent.append(answer)
        finally:
            answers = await asyncio.gather(*sent, return_exceptions=True)
        for each in answers:
            if isinstance(each, BaseException):
                raise each

    async def _send(
        self, producer: AIOKafkaProducer, report: Report, record: Record, partitions: list[int]
    ) -> asyncio.Future[object]:
        """The future of one message."""
        value = kafka_record_document(
            self._subject(),
            report.discard,
            record,
            event=report.render(Records.of([record])),
            written=report.written,
            fresh_id=report.id,
        )
        key = partition = None
        if record.key is not None:
            key = bytes.fromhex(record.key)  # as it came: what stands in the event may have been decoded
        else:
            self._turn += 1
            partition = partitions[self._turn % len(partitions)]
        sent: asyncio.Future[object] = await producer.send(self._topic, value, key=key, partition=partition)
        return sent

    # --- the producer -----------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def _producing(self) -> AsyncIterator[AIOKafkaProducer]:
        """One producer for all writes, from the first discarded record on. After a failure no new write uses it,
        because its login may have been replaced since. Writes in progress continue."""
        async with self._starting:
            if self._shared is None:
                self._shared = _Shared(await self._started())
            shared = self._shared
            shared.writing += 1
        try:
            yield shared.producer
        except Exception:
            if self._shared is shared:
                self._shared = None
            raise
        finally:
            shared.writing -= 1
            if shared.writing == 0 and self._shared is not shared:
                await end(shared.producer.stop())

    async def _started(self) -> AIOKafkaProducer:
        """Not idempotent: a document may be there twice, it is tried again anyway. An idempotent producer counts what
        it sends, also what a broker refuses; then the broker takes nothing more from it, as something is missing."""
        from aiokafka import AIOKafkaProducer

        producer = AIOKafkaProducer(
            **(await self._access.connection()).arguments(),
            acks="all",
            max_request_size=8 * 1024 * 1024,  # an event is up to 6 MB; what the broker takes is its own affair
        )
        try:
            await producer.start()
        except BaseException as error:
            await end(producer.stop())
            if isinstance(error, Exception):
                raise await self._access.explain(error, self._what("reach")) from error
            raise
        return producer
