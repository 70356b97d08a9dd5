"""Sends an order every second, each third one cancelled. Creates a missing queue before each order."""

from __future__ import annotations

import itertools
import json
import os
import time
from pathlib import Path
from typing import Any

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

PAUSE = float(os.environ.get("PAUSE", "1"))
SENT = Path("/tmp/sent")
"""Touched whenever an order was sent: the container's health."""
ITEMS = ("bolt", "nut", "washer", "rivet")
SHORT = Config(connect_timeout=2, read_timeout=5, retries={"max_attempts": 0})


def main() -> None:
    sqs = botocore.session.Session().create_client("sqs", config=SHORT)  # at the endpoint of the standard AWS variables
    for number in itertools.count(1):
        order = {"id": number, "item": ITEMS[number % len(ITEMS)], "quantity": number % 7 + 1}
        order["type"] = "cancelled" if number % 3 == 0 else "created"
        while not sent(sqs, order):
            time.sleep(PAUSE)
        SENT.touch()
        print(f"sent order {number}, {order['type']}", flush=True)
        time.sleep(PAUSE)


def sent(sqs: Any, order: dict[str, Any]) -> bool:
    """Whether the order is in the queue. An emulator that restarts is away for a while, and has no queue after it."""
    try:
        queue = sqs.create_queue(QueueName="orders")["QueueUrl"]  # an existing queue is not changed
        sqs.send_message(QueueUrl=queue, MessageBody=json.dumps(order))
    except (BotoCoreError, ClientError) as error:
        print(f"order {order['id']} is not sent yet: {error}", flush=True)
        return False
    return True


if __name__ == "__main__":
    main()
