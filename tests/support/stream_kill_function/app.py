"""Journals what it takes, durably, before it says so: one line `number id` for each record.

`handler` takes a batch or nothing of it, `partial` takes all up to the first record that it does not want, `windowed`
adds up a tumbling window. Poison is poison until the file HEALED is there.
"""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

DIRECTORY = Path(os.environ["DIRECTORY"])


def handler(event: dict[str, Any], context: object) -> None:
    orders = [order_of(record) for record in event["Records"]]
    if any(fails(order) for order in orders):
        raise ValueError("there is an order that cannot be taken")
    write("journal", [f"{order['number']} {order['id']}" for order in orders])


def partial(event: dict[str, Any], context: object) -> dict[str, Any]:
    orders = [order_of(record) for record in event["Records"]]
    write("seen", [" ".join(order["id"] for order in orders)])
    failing = [place for place, order in enumerate(orders) if fails(order)]
    taken = orders[: failing[0]] if failing else orders
    write("journal", [f"{order['number']} {order['id']}" for order in taken])
    return {"batchItemFailures": [{"itemIdentifier": orders[place]["number"]} for place in failing[:1]]}


def windowed(event: dict[str, Any], context: object) -> dict[str, Any]:
    orders = [order_of(record) for record in event["Records"]]
    before = event["state"] or {"sum": 0, "ids": []}
    state = {
        "sum": before["sum"] + sum(int(order["value"]) for order in orders),
        "ids": [*before["ids"], *(order["id"] for order in orders)],
    }
    end = {"shard": event["shardId"], "window": event["window"], "state": state}
    write("journal", [f"{order['number']} {order['id']}" for order in orders])
    write("windows", [json.dumps(end)] if event["isFinalInvokeForWindow"] else [])
    return {"state": state}


def order_of(record: dict[str, Any]) -> dict[str, Any]:
    if "kinesis" in record:
        order = json.loads(base64.b64decode(record["kinesis"]["data"]))
        return {**order, "number": record["kinesis"]["sequenceNumber"]}
    image = record["dynamodb"]["NewImage"]
    order = {name: value["S"] for name, value in image.items()}
    return {**order, "number": record["dynamodb"]["SequenceNumber"]}


def fails(order: dict[str, Any]) -> bool:
    return bool(order["kind"] == "poison" and not (DIRECTORY / "healed").exists())


def write(name: str, lines: list[str]) -> None:
    """In one piece, on the disk before the answer."""
    file = os.open(DIRECTORY / name, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(file, "".join(f"{line}\n" for line in lines).encode())
        os.fsync(file)
    finally:
        os.close(file)
