"""What SIGTERM and SIGINT do: the first stops in phases, the second ends at once.

A forced end needs no clean-up of ours: functions' processes end with the daemon, however it ends.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable

import anyio
from anyio.abc import TaskStatus

STOPPING = (signal.SIGTERM, signal.SIGINT)


def end_now(number: int) -> None:
    """Leave without another word, with the exit code of one who was killed by the signal."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(128 + number)


async def watch(
    stop: Callable[[signal.Signals], None],
    force: Callable[[int], None] = end_now,
    *,
    task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED,
) -> None:
    """Call `stop` for the first signal and `force` for the second. Runs until it is cancelled."""
    with anyio.open_signal_receiver(*STOPPING) as signals:
        task_status.started()
        first = True
        async for received in signals:
            if first:
                stop(received)
                first = False
            else:
                force(received.value)
