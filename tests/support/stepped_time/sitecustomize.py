"""Steps the wall clock of a Python process: `time.time` is ahead by the seconds in the file that STEPPED_TIME names.

Python imports it at its start when its folder is in PYTHONPATH. What else reads the wall clock is left alone.
"""

from __future__ import annotations

import os
import time

_true_time = time.time
_file = os.environ.get("STEPPED_TIME", "")


def _stepped() -> float:
    try:
        with open(_file) as opened:
            return _true_time() + float(opened.read() or 0)
    except (OSError, ValueError):
        return _true_time()


if _file:
    time.time = _stepped
