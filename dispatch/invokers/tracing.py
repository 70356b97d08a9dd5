"""Trace headers of invocations. Used by every part that invokes."""

from __future__ import annotations

import random
import time


def new_trace() -> str:
    """An X-Ray trace header for an invocation that came without one."""
    ids = f"{random.getrandbits(160):040x}"
    return f"Root=1-{int(time.time()):08x}-{ids[:24]};Parent={ids[24:]};Sampled=0"
