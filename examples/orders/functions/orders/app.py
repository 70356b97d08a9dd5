"""Processes orders. The answer names the failed ones, which come again."""

from __future__ import annotations

import json
from typing import Any


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    failures = []
    for record in event["Records"]:
        order = json.loads(record["body"])
        try:
            print(f"order {order['id']}: {order['quantity']} x {order['item']}")
        except KeyError as missing:
            print(f"message {record['messageId']} has no {missing}")
            failures.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failures}
