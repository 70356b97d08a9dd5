"""The function of the invokers' contract suite, as Lambda's Python runtime takes it."""

from __future__ import annotations

import os
import time
import uuid
from pathlib import Path
from typing import Any

LIMIT = 6 * 1024 * 1024 + 100


def handler(event: Any, context: object) -> Any:
    match event:
        case {"do": "fail"}:
            raise ValueError("no such order: 7")
        case {"do": "exit"}:
            os._exit(3)
        case {"do": "big", "over": over}:
            return "x" * (LIMIT - 2 + over)
        case {"do": "meet", "directory": directory, "count": count}:
            Path(directory, str(uuid.uuid4())).touch()
            while len(os.listdir(directory)) < count:
                time.sleep(0.005)
            return "met"
        case {"do": "hang", "directory": directory}:
            Path(directory, str(os.getpid())).touch()
            while os.path.isdir(directory):  # an emulator that nobody can cancel is let go at the end of the test
                time.sleep(0.05)
    return event
