"""A function whose init says when it begins and ends, so that inits at a time can be counted."""

from __future__ import annotations

import os
import time

with open(os.environ["JOURNAL"], "a", buffering=1) as journal:
    journal.write(f"begin {time.monotonic()}\n")
    time.sleep(0.05)
    journal.write(f"end {time.monotonic()}\n")


def handler(event: object, context: object) -> dict[str, object]:
    return {}
