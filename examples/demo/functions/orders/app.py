"""The demo's function: processes orders, and writes each one to its journal before it answers."""

from __future__ import annotations

import json
import os
from typing import Any

JOURNAL = os.path.join(os.environ["JOURNAL"], f"{os.getpid()}.jsonl")


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    lines, failures = [], []
    for record in event["Records"]:
        order = json.loads(record["body"])
        receives = int(record["attributes"]["ApproximateReceiveCount"])
        fails = order["trouble"] == "always" or (order["trouble"] == "once" and receives == 1)
        lines.append({"order": order["id"], "receives": receives, "taken": not fails})
        if fails:
            failures.append({"itemIdentifier": record["messageId"]})
    write(lines)
    return {"batchItemFailures": failures}


def write(lines: list[dict[str, Any]]) -> None:
    """Written to the disk before the answer: an order that the journal lacks was never processed."""
    data = "".join(json.dumps(line) + "\n" for line in lines).encode()
    journal = os.open(JOURNAL, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(journal, data)
        os.fsync(journal)
    finally:
        os.close(journal)
