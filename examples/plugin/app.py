"""A function for the plug-in: a coroutine in Headrace's own process."""

from __future__ import annotations

import base64
from typing import Any


async def handler(event: dict[str, Any]) -> None:
    for record in event["Records"]:
        body = record["body"] if "body" in record else base64.b64decode(record["kinesis"]["data"]).decode()
        print(body, flush=True)
        if body == "no order":
            raise ValueError(f"what is {body!r}?")
