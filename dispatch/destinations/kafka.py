"""A topic as the failure destination of a Kafka mapping: `kafka://<topic>`, in the cluster of the source.

One message per record, with the key that it had; records without one go to the partitions in turn.

https://docs.aws.amazon.com/lambda/latest/dg/kafka-on-failure.html; docs/semantics/destinations.md
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import anyio

from ...config.clients.kafka import Access, translate
from ...config.errors import SourceMissing
from ..documents import KafkaSubject, kafka_record_document
from ..model import Record
from .base import Report

if TYPE_CHECKING:
    from aiokafka import AIOKafkaProducer


class KafkaDestination:
    """A topic gets a message for each record."""

    def __init__(self, topic: str, access: Access, subject: Callable[[], KafkaSubject]) -> None:
        self._topic = topic
        self._access = access
        self._subject = subject
        self._producer: AIOKafkaProducer | None = None
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
            with anyio.CancelScope(shield=True):
                await admin.close()
        if self._topic not in topics:
            raise SourceMissing(f"failure destination {self.arn} does not exist at {self._access}; create the topic")

    async def write(self, report: Report) -> None:
        """A broker that did not hear of all of them is told of all of them again."""
        try:
            producer = await self._started()
            partitions = sorted(await producer.partitions_for(self._topic))
            for sent in [await self._send(producer, report, record, partitions) for record in report.discard.records]:
                await sent
        except Exception as error:
            raise translate(error, self._what("write to")) from error

    async def aclose(self) -> None:
        if self._producer is not None:
            await self._producer.stop()

    def _what(self, what: str) -> str:
        return f"failure destination: {what} {self.arn} at {self._access}"

    async def _send(self, producer: AIOKafkaProducer, report: Report, record: Record, partitions: list[int]) -> Any:
        """The future of one message."""
        value = kafka_record_document(
            self._subject(),
            report.discard,
            record,
            event=report.render((record,)),
            written=report.written,
            fresh_id=report.id,
        )
        if record.key is not None:  # as it came: what stands in the event may have been decoded
            return await producer.send(self._topic, value, key=bytes.fromhex(record.key))
        self._turn += 1
        return await producer.send(self._topic, value, partition=partitions[self._turn % len(partitions)])

    async def _started(self) -> AIOKafkaProducer:
        """One producer, from the first record that is discarded on."""
        from aiokafka import AIOKafkaProducer

        async with self._starting:
            if self._producer is None:
                producer = AIOKafkaProducer(
                    **(await self._access.connection()).arguments(),
                    acks="all",
                    enable_idempotence=True,
                    max_request_size=8 * 1024 * 1024,  # an event is up to 6 MB; what the broker takes is its own affair
                )
                try:
                    await producer.start()
                except BaseException as error:
                    with anyio.CancelScope(shield=True):
                        await producer.stop()
                    if isinstance(error, Exception):
                        raise await self._access.explain(error, self._what("reach")) from error
                    raise
                self._producer = producer
            return self._producer
