"""How the workers of pytest-xdist share the tests; `tests/conftest.py` asks.

Without a word from us each test would go to whichever worker is free, and a server that a file starts for its tests
would be started by every worker. So a file stays with one worker, but where tests have nothing in common, and compute
or are long: there each goes alone, or the longest file would be what the others wait for. Those that kill the daemon go
one after the other. The order is that of the collection, the fast layers first.
"""

from __future__ import annotations

import os
from pathlib import PurePosixPath
from typing import Any

from xdist.scheduler import LoadScopeScheduling

ALONE = ("property", "scenario", "acceptance")
"""Layers whose tests share nothing but an emulator, which each worker has anyway."""
WHOLE = (
    "test_compose.py",
    "test_demo.py",
    "test_run_kafka.py",
    "test_run_kafka_mappings.py",
    "test_run_kafka_schemas.py",
)
"""Files in them that start something for all their tests."""
TOGETHER = ("test_kill.py", "test_kill_streams.py")
"""Files of tests/proof that are not to run beside each other: each keeps the machine busy with daemons that die."""
MOST = 8
"""Workers, for each starts servers of its own."""


def workers() -> int:
    """Twice as many as there are cores: much of a test of servers and processes is waiting."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(MOST, 2 * cores)


def share(test: str) -> str:
    """What a test goes with: those of one name run on one worker, one after the other."""
    file = PurePosixPath(test.partition("::")[0])
    if file.name in TOGETHER:
        return str(file.parent / "test_kill")
    return test if set(file.parts[:-1]) & set(ALONE) and file.name not in WHOLE else str(file)


class Sharing(LoadScopeScheduling):  # type: ignore[misc]
    """Hands out shares in the order in which they were collected."""

    def __init__(self, config: Any, log: Any) -> None:
        config.option.loadscopereorder = False
        super().__init__(config, log)

    def _split_scope(self, nodeid: str) -> str:
        return share(nodeid)
