"""Memory that was freed stays ours, so that the next blocks of that size need no new pages."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

from headrace.service.wiring.freed_memory import SETTINGS

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the setting is glibc's")
PROGRAM = """
import resource
from headrace.service.wiring.freed_memory import stays_ours
stays_ours()
def batch():
    return [b"x" * 3_000_000 for _ in range(6)]
batch(), batch()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    batch()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
PAGES = 20 * 6 * 3_000_000 // 4096
"""All that the batches fill."""


def faults(**environment: str) -> int:
    """Pages that the system had to map for twenty batches, after the first two."""
    inherited = {name: value for name, value in os.environ.items() if name not in SETTINGS}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=inherited | environment, capture_output=True, text=True, check=True
    )
    return int(done.stdout)


def test_the_same_memory_is_used_again() -> None:
    assert faults() < PAGES / 20


def test_where_the_user_decides_nothing_changes() -> None:
    assert faults(MALLOC_TRIM_THRESHOLD_="131072") > PAGES / 2
