"""The state directory for data that must survive a restart, and its lock, which one daemon holds.

The lock is the operating system's, so it is released at the moment its owner dies, however it dies.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import IO

import anyio.to_thread

from ...config.durable.pinned import LostFile, Pinned
from ...config.durable.rights import denied
from ...config.errors import HeadraceError
from ...config.reasons import Reason, ReasonCode

LOCK = "lock"
FORMER = ".penstock"
"""The directory's default name before the product was called Headrace."""
PRIVATE = 0o700
"""It contains variables of functions and payloads of events, which may be secrets. An existing directory keeps its
permissions."""


class StateError(HeadraceError):
    """The state directory cannot be used; the message says why and what to do."""


class StateDirectory:
    """A locked directory. Closing it, or the end of the process, frees it. A removal of the lock's file frees it too,
    unnoticed."""

    what = "the lock of the state directory"

    def __init__(self, path: Path, lock: IO[str]) -> None:
        self.path = path
        self._lock = lock
        self._pinned = Pinned.of(path / LOCK)
        self._trouble: Reason | None = None

    @property
    def trouble(self) -> Reason | None:
        """Why it is not ours any more, by the last `check`."""
        return self._trouble

    async def check(self) -> None:
        """Check whether another daemon could take it."""
        try:
            await anyio.to_thread.run_sync(self._pinned.expect)
            self._trouble = None
        except LostFile as error:
            text = f"{error}: another daemon may use the state directory at the same time; start this one again"
            self._trouble = Reason(ReasonCode.STATE_UNAVAILABLE, text)

    @classmethod
    def open(cls, path: Path) -> StateDirectory:
        """Make the directory where it is missing, and lock it. Raises StateError."""
        try:
            path.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
            lock = (path / LOCK).open("a+")
        except OSError as error:
            raise _unusable(path, error) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            owner = _owner(lock)
            lock.close()
            raise StateError(
                f"another daemon{owner} uses the state directory {path}; stop it, or name another directory with "
                "--state or HEADRACE_STATE"
            ) from error
        try:
            lock.truncate(0)
            os.write(lock.fileno(), f"{os.getpid()}\n".encode())
        except OSError as error:  # the disk is full
            lock.close()
            raise _unusable(path, error) from error
        return cls(path, lock)

    @classmethod
    def owner(cls, path: Path) -> str | None:
        """The daemon that has it now, as ` (pid 7)`, or empty where its number is not known; None when none has. Makes
        nothing. Raises StateError."""
        try:
            with (path / LOCK).open("r+") as lock:
                try:
                    fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
                except BlockingIOError:
                    return _owner(lock)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unusable(path, error) from error
        return None

    def close(self) -> None:
        self._lock.close()


def former_directory(path: Path) -> str:
    """One line about a state directory with its old name beside `path`: where it is, and what to do. Empty when
    there is none."""
    former = path.absolute().parent / FORMER
    if former == path.absolute() or not former.is_dir():
        return ""
    return (
        f"{former} is a state directory with its old name, and Headrace does not read it: to continue with its data, "
        f"stop the daemon, remove {path} and rename it (mv {former} {path}); else remove it"
    )


def _unusable(path: Path, error: OSError) -> StateError:
    return StateError(
        f"cannot use the state directory {path}: {error.strerror or error}{denied(path)}; "
        "name another one with --state or HEADRACE_STATE"
    )


def _owner(lock: IO[str]) -> str:
    lock.seek(0)
    pid = lock.read().strip()
    return f" (pid {pid})" if pid.isdigit() else ""
