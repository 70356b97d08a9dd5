"""The demo of a queue: failed orders come again, and in the end go to the dead-letter queue."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from account import Words
from evidence import Gatherer
from orders import Order
from running import client, daemon, follow, report, sending

VISIBILITY = 6
"""Seconds until a failed order comes again; longer than the function's timeout."""
MAX_RECEIVES = 3
WORDS = Words("redriven", "dead-letter queue", "redelivery")


@dataclass(frozen=True, slots=True)
class Queues:
    client: Any
    orders: str
    orders_arn: str
    dead: str

    @classmethod
    def create(cls, client: Any) -> Queues:
        dead = client.create_queue(QueueName="orders-dead")["QueueUrl"]
        redrive = {"deadLetterTargetArn": arn_of(client, dead), "maxReceiveCount": str(MAX_RECEIVES)}
        attributes = {"VisibilityTimeout": str(VISIBILITY), "RedrivePolicy": json.dumps(redrive)}
        orders = client.create_queue(QueueName="orders", Attributes=attributes)["QueueUrl"]
        return cls(client, orders, arn_of(client, orders), dead)

    def send(self, batch: list[Order]) -> dict[str, int]:
        """The number of each order by the id of its message."""
        entries = [{"Id": str(order.id), "MessageBody": order.body} for order in batch]
        answer = self.client.send_message_batch(QueueUrl=self.orders, Entries=entries)
        if answer.get("Failed"):
            raise RuntimeError(f"the queue refused orders: {answer['Failed']}")
        return {entry["MessageId"]: int(entry["Id"]) for entry in answer["Successful"]}


def arn_of(client: Any, url: str) -> str:
    answer: str = client.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    return answer


def drained(client: Any, url: str) -> Iterator[str]:
    """The body of each message of a queue, which is empty afterwards."""
    empty = 0
    while empty < 2:
        answer = client.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1)
        messages = answer.get("Messages", ())
        empty = 0 if messages else empty + 1
        for message in messages:
            yield message["Body"]
            client.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])


def count(client: Any, url: str) -> int:
    """The approximate number of messages in a queue."""
    names = ["ApproximateNumberOfMessages"]
    answer = client.get_queue_attributes(QueueUrl=url, AttributeNames=names)
    return int(answer["Attributes"]["ApproximateNumberOfMessages"])


def demo(orders: list[Order], endpoint: str, directory: Path) -> int:
    journals = directory / "journals"
    journals.mkdir()
    queues = Queues.create(client("sqs", endpoint))
    gatherer = Gatherer(journals, directory / "headrace.log")
    variables = {
        "AWS_ENDPOINT_URL": endpoint,
        "DEMO_SOURCE_ARN": queues.orders_arn,
        "DEMO_JOURNAL": str(journals),
    }
    began = time.monotonic()
    with sending(queues.send, orders, 10) as under_way, daemon(directory, "sqs.yaml", variables) as process:
        left = list(under_way)
        follow(process, lambda: look(left, gatherer, queues))
    for body in drained(queues.client, queues.dead):
        gatherer.evidence.given_up[json.loads(body)["id"]] += 1
    code = report(gatherer, orders, process.returncode, WORDS, directory)
    print(f"{time.monotonic() - began:.0f} s")
    return code


def look(left: list[Future[dict[str, int]]], gatherer: Gatherer, queues: Queues) -> str:
    """Takes in what was found since the last look; where the orders are."""
    while left and left[0].done():
        for message, order in left.pop(0).result().items():
            gatherer.sent(message, order)
    gatherer.look()
    total = gatherer.evidence
    return (
        f"sent {len(total.sent)}, delivered {len(total.taken)}, failed {total.failed.total()} times, "
        f"filtered {len(total.filtered)}, redriven {count(queues.client, queues.dead)}"
    )
