"""Consumers of a Kafka topic without a daemon around them, as peers of the Kafka benchmark.

    kafka_consumers.py KIND SERVER COUNT      KIND: aiokafka, confluent, faststream

Prints `ready` when it is imported; each line of its input is a topic, and a line `START END` of the monotonic clock is
the answer: from before the consumer is made until COUNT records were taken. A KIND's function returns the latter.
"""

from __future__ import annotations

import asyncio
import sys
import time
import uuid
from collections.abc import Callable
from typing import Any

BATCH = 1000


def with_aiokafka(server: str, topic: str, count: int) -> float:
    from aiokafka import AIOKafkaConsumer

    async def consume() -> float:
        consumer = AIOKafkaConsumer(
            topic,
            bootstrap_servers=server,
            group_id=uuid.uuid4().hex,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
        )
        await consumer.start()
        left = count
        while left > 0:
            found = await consumer.getmany(timeout_ms=1000, max_records=BATCH)
            left -= sum(map(len, found.values()))
            await consumer.commit()
        ended = time.monotonic()
        await consumer.stop()
        return ended

    return asyncio.run(consume())


def with_confluent(server: str, topic: str, count: int) -> float:
    from confluent_kafka import Consumer

    settings = {"group.id": uuid.uuid4().hex, "auto.offset.reset": "earliest", "enable.auto.commit": False}
    consumer = Consumer({"bootstrap.servers": server, **settings})
    consumer.subscribe([topic])
    left = count
    while left > 0:
        if found := consumer.consume(BATCH, 1.0):
            left -= len(found)
            consumer.commit(asynchronous=False)
    ended = time.monotonic()
    consumer.close()
    return ended


def with_faststream(server: str, topic: str, count: int) -> float:
    from faststream import FastStream
    from faststream.kafka import KafkaBroker

    async def consume() -> float:
        broker = KafkaBroker(server, logger=None, apply_types=False)  # decodes, and checks no types
        app = FastStream(broker, logger=None)
        left, ended = count, 0.0

        @broker.subscriber(  # type: ignore[untyped-decorator, unused-ignore]
            topic, group_id=uuid.uuid4().hex, auto_offset_reset="earliest", batch=True, max_records=BATCH
        )
        async def take(records: list[dict[str, Any]]) -> None:
            nonlocal left, ended
            left -= len(records)
            if left <= 0:
                ended = time.monotonic()
                app.exit()

        await app.run()
        return ended

    return asyncio.run(consume())


KINDS: dict[str, Callable[[str, str, int], float]] = {
    "aiokafka": with_aiokafka,
    "confluent": with_confluent,
    "faststream": with_faststream,
}


def imported(kind: str) -> str:
    """The version of what a kind uses, which is then imported."""
    from importlib.metadata import version

    if kind == "faststream":
        import faststream.kafka  # noqa: F401
    elif kind == "aiokafka":
        import aiokafka  # noqa: F401
    else:
        import confluent_kafka  # noqa: F401
    return version("confluent-kafka" if kind == "confluent" else kind)


def main() -> None:
    kind, server, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    print(f"ready {imported(kind)}", flush=True)
    for line in sys.stdin:
        started = time.monotonic()
        ended = KINDS[kind](server, line.strip(), count)
        print(started, ended, flush=True)


if __name__ == "__main__":
    main()
