"""One child process that leads a process group of its own: started, watched, and ended with its whole group.

The group is killed while its leader is still a zombie, so that its number cannot belong to another process by then; and
the reaper knows of it before it starts. Knows nothing of Lambda; `worker` is its only user.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import anyio
import anyio.to_thread

from .reaper import Reaper

LINGER = 0.5
"""Seconds that killed members of a group may take to be gone. Where nobody collects orphans they never are."""


class Process:
    """Raises OSError when it cannot be started, ValueError for text that no process can be given: a NUL character, or
    half a character. `inherited` are descriptors that it gets beside its three, under the same numbers. `mark` is a
    text in `env` that no other process has; `on_exit` is called once, in the event loop."""

    def __init__(
        self,
        argv: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str],
        stdout: int,
        stderr: int,
        inherited: Sequence[int] = (),
        mark: str,
        reaper: Reaper,
        on_exit: Callable[[], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._reaper = reaper
        self._on_exit = on_exit
        self._gone = anyio.Event()
        self.status: int | None = None
        """The exit code in the form of `Popen.returncode`: negative for a signal; None while it runs."""
        self._mark = mark
        reaper.ready()
        reaper.expect(mark)
        try:
            self._popen = subprocess.Popen(
                argv,
                cwd=cwd,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                pass_fds=inherited,
                start_new_session=True,
            )
        except (OSError, ValueError):
            reaper.forget(None, mark)
            raise
        self.pid = self._popen.pid
        reaper.watch(self.pid)
        self._watch()

    @property
    def runs(self) -> bool:
        """Asks the system, which knows of an end before the event loop does."""
        return self.status is None and os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None

    async def kill(self) -> None:
        """Kill the whole group, and processes that left it where the system lets us find them, and wait for their
        end."""
        if self.status is None:
            self._kill_group()
        await self._gone.wait()
        pause = 0.001
        while pause < LINGER and self._has_members():
            await anyio.sleep(pause)
            pause *= 2
        await anyio.to_thread.run_sync(self._reaper.sweep, self._mark)
        self._reaper.forget(None, self._mark)

    def _kill_group(self) -> None:
        with suppress(ProcessLookupError, PermissionError):  # macOS says the latter of a group of zombies
            os.killpg(self.pid, signal.SIGKILL)

    def _has_members(self) -> bool:
        try:
            os.killpg(self.pid, 0)
        except (ProcessLookupError, PermissionError):
            return False
        return True

    def _watch(self) -> None:
        descriptor = _descriptor_of(self.pid)
        if descriptor is not None:
            self._loop.add_reader(descriptor, self._readable, descriptor)
        else:
            threading.Thread(target=self._wait, daemon=True).start()

    def _readable(self, descriptor: int) -> None:
        self._loop.remove_reader(descriptor)
        os.close(descriptor)
        self._ended()

    def _wait(self) -> None:
        os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        with suppress(RuntimeError):  # the loop is closed: the result is not needed any more
            self._loop.call_soon_threadsafe(self._ended)

    def _ended(self) -> None:
        self._kill_group()
        self.status = self._popen.wait()
        self._reaper.forget(self.pid)
        self._gone.set()
        self._on_exit()


def _descriptor_of(pid: int) -> int | None:
    """Becomes readable when the process ends. Not everywhere: older kernels and sandboxes refuse it."""
    if sys.platform != "linux":
        return None
    with suppress(OSError):
        return os.pidfd_open(pid)
    return None
