"""The functions of the isolation benchmark."""

from __future__ import annotations

import json
import os
import random
import sys
import time
from typing import Any


def measured(event: dict[str, Any], context: object) -> None:
    """Mapping B: how long each message was under way. The clock is the machine's, shared by all processes."""
    now = time.monotonic()
    with open(os.environ["JOURNAL"], "a") as journal:
        for record in event["Records"]:
            if record["body"]:
                journal.write(f"{now - json.loads(record['body'])['sent']}\n")


def sleeps(event: dict[str, Any], context: object) -> None:
    time.sleep(20)


def prints(event: dict[str, Any], context: object) -> None:
    """About 50 MB a second for as long as it runs."""
    line = "x" * 999 + "\n"
    end = time.monotonic() + 20
    while (now := time.monotonic()) < end:
        for _ in range(500):
            sys.stdout.write(line)
        time.sleep(max(0.0, now + 0.01 - time.monotonic()))


def takes(event: dict[str, Any], context: object) -> None:
    """Six megabytes at a time, and done with it."""


def fails_some(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Of twenty records one fails, and not always the same."""
    failed = [record["kinesis"]["sequenceNumber"] for record in event["Records"] if random.random() < 0.05]
    return {"batchItemFailures": [{"itemIdentifier": number} for number in failed]}
