"""Journals every order it takes, durably, before it says so."""

from __future__ import annotations

import json
import os
from typing import Any

JOURNAL = os.open(os.environ["JOURNAL"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)


def handler(event: dict[str, Any], context: object) -> dict[str, object]:
    failed: list[str] = []
    broken: set[str] = set()
    for record in event["Records"]:
        order = json.loads(record["body"])
        group = record["attributes"].get("MessageGroupId")
        if order["kind"] == "poison" or group in broken:
            # As AWS asks of functions on FIFO queues: from a failure on, the rest of its group is named too.
            failed.append(record["messageId"])
            if group is not None:
                broken.add(group)
            continue
        os.write(JOURNAL, f"{record['eventSourceARN'].rpartition(':')[2]} {order['id']}\n".encode())
    os.fsync(JOURNAL)
    return {"batchItemFailures": [{"itemIdentifier": each} for each in failed]}
