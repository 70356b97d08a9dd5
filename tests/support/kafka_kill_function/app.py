"""Journals what it takes, durably, before it says so: one line `time life shard offset` for each record."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path
from typing import Any

DIRECTORY = Path(os.environ["DIRECTORY"])
LIFE = os.environ["MARK"]
SLOWEST = 0.2
"""Seconds."""


def handler(event: dict[str, Any], context: object) -> None:
    a_moment()
    at = time.time()
    lines = [
        f"{at:.3f} {LIFE} {shard} {record['offset']}\n"
        for shard, records in event["records"].items()
        for record in records
    ]
    file = os.open(DIRECTORY / "journal", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(file, "".join(lines).encode())
        os.fsync(file)
    finally:
        os.close(file)
    a_moment()


def a_moment() -> None:
    """So that something is under way whenever somebody is killed: what was not taken, and what was and is not said."""
    time.sleep(random.uniform(0.0, SLOWEST))
