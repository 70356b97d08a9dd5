"""The demo of a topic: bisection isolates a failing order, and a topic for failures gets its document."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from account import Words
from evidence import Gatherer
from orders import Order
from places import GivenUp, Placed, Stream
from running import daemon, follow, report, sending
from streams import CUSTOMERS, compare, look, tell

from support.topics import Topics

PARTITIONS = 3
SOURCE, DISCARDED, GROUP = "orders", "orders-discarded", "orders-demo"
WORDS = Words("discarded", "dead-letter topic, one message each", "the batches of a crash")


class Topic:
    """A topic that answers each record with its place."""

    def __init__(self, topics: Topics) -> None:
        self._producer = topics.producer()
        self.placed: list[Placed] = []
        topics.create(SOURCE, PARTITIONS)

    def send(self, batch: list[Order]) -> int:
        for order in batch:
            key = f"customer-{order.id % CUSTOMERS}".encode()
            self._producer.produce(SOURCE, order.body.encode(), key, on_delivery=self._sent(order))
        if left := self._producer.flush(60):
            raise RuntimeError(f"the broker did not take {left} orders")
        return len(batch)

    def _sent(self, order: Order) -> Any:
        def sent(error: Any, message: Any) -> None:
            if error is not None:
                raise RuntimeError(f"the broker refused order {order.id}: {error}")
            shard, offset = f"{SOURCE}-{message.partition()}", str(message.offset())
            self.placed.append(Placed(order.id, shard, offset, f"{shard}@{offset}"))

        return sent


def demo(orders: list[Order], server: str, directory: Path) -> int:
    journals = directory / "journals"
    journals.mkdir()
    topics = Topics(server)
    sent = Topic(topics)
    topics.create(DISCARDED)
    gatherer = Gatherer(journals, directory / "headrace.log")
    variables = {"DEMO_BROKER": server, "DEMO_JOURNAL": str(journals)}
    began = time.monotonic()
    with sending(sent.send, orders, 25) as under_way, daemon(directory, "kafka.yaml", variables) as process:
        follow(process, lambda: look(under_way, gatherer, discarded(topics)))
    stream = Stream(sent.placed)
    found = topics.messages(DISCARDED, discarded(topics))
    documents = [GivenUp.read(json.loads(value or b""), stream) for _, value in found]
    compare(gatherer, stream, documents, journals)
    gatherer.evidence.amiss["are not behind the offset that is committed"] = uncommitted(topics, stream)
    tell(gatherer, stream, documents)
    code = report(gatherer, orders, process.returncode, WORDS, directory)
    print(f"{time.monotonic() - began:.0f} s")
    return code


def discarded(topics: Topics) -> int:
    return sum(topics.ends(DISCARDED).values())


def uncommitted(topics: Topics, stream: Stream) -> set[int]:
    """Orders that the group's offsets have not passed."""
    offsets = {f"{SOURCE}-{number}": offset for number, offset in topics.committed(GROUP, SOURCE).items()}
    return {each.order for each in stream.placed if int(each.number) >= offsets.get(each.shard, 0)}
