"""Sends an order every second, each third one cancelled. Makes the queue first, where it is missing."""

from __future__ import annotations

import itertools
import json
import os
import time

import botocore.session

PAUSE = float(os.environ.get("PAUSE", "1"))
ITEMS = ("bolt", "nut", "washer", "rivet")


def main() -> None:
    sqs = botocore.session.Session().create_client("sqs")  # the standard AWS variables say where
    queue = sqs.create_queue(QueueName="orders")["QueueUrl"]
    for number in itertools.count(1):
        order = {"id": number, "item": ITEMS[number % len(ITEMS)], "quantity": number % 7 + 1}
        order["type"] = "cancelled" if number % 3 == 0 else "created"
        sqs.send_message(QueueUrl=queue, MessageBody=json.dumps(order))
        print(f"sent order {number}, {order['type']}", flush=True)
        time.sleep(PAUSE)


if __name__ == "__main__":
    main()
