"""What the C library does with memory that was freed: it keeps what batches need again and again, and gives back what
only the start needed.

A batch of megabytes makes several blocks of that size and frees them. Where they go back to the system each time, it
has to clear and map the same pages again.
"""

from __future__ import annotations

import ctypes
import os
import sys
from typing import Any

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # glibc's own numbers
KEPT = 64 * 1024 * 1024
"""Bytes at the end of the heap that stay ours when they are free. By default twice the largest block that was freed."""
BLOCK = 32 * 1024 * 1024
"""Bytes from which a block is the system's from its beginning to its end."""
SETTINGS = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES")
"""The user's own settings of the same."""


def stays_ours() -> None:
    """From now on, memory that was freed stays ours. Without glibc nothing changes, nor where the user decides."""
    if sys.platform != "linux" or any(name in os.environ for name in SETTINGS):
        return
    if mallopt := _of_glibc("mallopt"):
        mallopt(TRIM_THRESHOLD, KEPT)
        mallopt(MMAP_THRESHOLD, BLOCK)


def give_back() -> None:
    """What is free now goes back to the operating system. Without glibc it stays."""
    if trim := _of_glibc("malloc_trim"):
        trim(0)


def _of_glibc(name: str) -> Any:
    """A function of the C library; None where it has no such one."""
    return getattr(ctypes.CDLL(None), name, None)
