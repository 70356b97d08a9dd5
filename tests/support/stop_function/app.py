"""The functions of the stop's table."""

from __future__ import annotations

import signal
import time
from typing import Any

signal.signal(signal.SIGTERM, signal.SIG_IGN)


def sleeps(event: dict[str, Any], context: object) -> None:
    """Longer than anybody waits."""
    time.sleep(3600)


def prints(event: dict[str, Any], context: object) -> None:
    for number in range(1000):
        print(number, "x" * 100)


def fails(event: dict[str, Any], context: object) -> None:
    raise ValueError("poison")
