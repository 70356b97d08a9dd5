"""A function that does nothing but say how many records it took, and when."""

from __future__ import annotations

import os
import time
from typing import Any

JOURNAL = os.open(os.environ["JOURNAL"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)


def handler(event: dict[str, Any], context: object) -> None:
    records = event.get("Records") or event["records"]
    by_partition = isinstance(records, dict)  # Kafka's
    count = sum(map(len, records.values())) if by_partition else len(records)
    os.write(JOURNAL, b"%f %d\n" % (time.monotonic(), count))
