"""The demo's function for streams and topics: processes a whole batch or none of it, and first writes it to its
journal. One failing order fails the batch. The function does not report which order failed, so the mapping has to find
out.
"""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

DIRECTORY = Path(os.environ["JOURNAL"])
JOURNAL = DIRECTORY / "stream.jsonl"


def handler(event: dict[str, Any], context: object) -> None:
    topic = [record for records in event.get("records", {}).values() for record in records]
    orders = [order_of(record) for record in topic or event["Records"]]
    failing = [order for order in orders if fails(order)]
    write([line(order, taken=not failing) for order in failing or orders])
    if failing:
        raise ValueError(f"there is an order among these {len(orders)} that cannot be taken")


def order_of(record: dict[str, Any]) -> dict[str, Any]:
    """The order of a Kafka, Kinesis or DynamoDB record, with the place of the record."""
    if "topic" in record:
        order = json.loads(base64.b64decode(record["value"]))
        return {**order, "shard": f"{record['topic']}-{record['partition']}", "number": record["offset"]}
    if "kinesis" in record:
        order = json.loads(base64.b64decode(record["kinesis"]["data"]))
        shard = record["eventID"].partition(":")[0]
        return {**order, "shard": shard, "number": record["kinesis"]["sequenceNumber"]}
    image = record["dynamodb"]["NewImage"]  # the event does not contain its shard
    order = {"id": int(image["id"]["S"]), "trouble": image["trouble"]["S"]}
    return {**order, "shard": "", "number": record["dynamodb"]["SequenceNumber"]}


def fails(order: dict[str, Any]) -> bool:
    if order["trouble"] == "once":
        try:
            (DIRECTORY / f"failed-{order['id']}").touch(exist_ok=False)
        except FileExistsError:
            return False
    return bool(order["trouble"] != "none")


def line(order: dict[str, Any], *, taken: bool) -> dict[str, Any]:
    return {"order": order["id"], "shard": order["shard"], "number": order["number"], "taken": taken}


def write(lines: list[dict[str, Any]]) -> None:
    """On the disk before the answer, and by all processes into one file: its order is the order of the deliveries."""
    data = "".join(json.dumps(line) + "\n" for line in lines).encode()
    journal = os.open(JOURNAL, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(journal, data)
        os.fsync(journal)
    finally:
        os.close(journal)
