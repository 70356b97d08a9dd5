from __future__ import annotations

import base64
import json


def handler(event, context):
    """Ship every order; from a queue, report those that cannot be shipped."""
    failed = []
    for record in event["Records"]:
        text = record["body"] if "body" in record else base64.b64decode(record["kinesis"]["data"])
        order = json.loads(text)
        if order["id"] < 0:
            if "body" not in record:
                raise ValueError(f"no such order: {order['id']}")
            failed.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failed}
