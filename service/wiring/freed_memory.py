"""How the C library keeps memory that was freed. A batch of megabytes makes several blocks of that size and frees them;
where they go back to the system each time, it has to clear and map the same pages again.
"""

from __future__ import annotations

import ctypes
import os
import sys

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
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(TRIM_THRESHOLD, KEPT)
        mallopt(MMAP_THRESHOLD, BLOCK)
