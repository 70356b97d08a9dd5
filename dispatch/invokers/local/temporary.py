"""The temporary directories of environments: one each, gone with it, and swept when a daemon was killed before that."""

from __future__ import annotations

import os
import shutil
import uuid
from pathlib import Path

RUN = uuid.uuid4().hex[:8]
"""Tells this run of the daemon from an earlier one with the same process id: in a container that is always 1."""
OPT = "-opt"
CODE = "-code"
LINKS = "-links"
"""Endings of the directories beside it that hold its layers, a copy of its code, and links in the place of others."""


def make(scratch: Path) -> Path:
    """A new one. Its name says whose it is."""
    made = scratch / "tmp" / f"{os.getpid()}-{RUN}-{uuid.uuid4().hex}"
    made.mkdir(parents=True)
    return made


def remove(made: Path) -> None:
    for ending in ("", OPT, CODE, LINKS):
        shutil.rmtree(made.with_name(made.name + ending), ignore_errors=True)


def sweep(scratch: Path) -> None:
    """Remove directories of daemons that have ended."""
    for left in (scratch / "tmp").glob("*-*-*"):
        pid, run, _ = left.name.split("-", 2)
        if pid.isdigit() and not _runs(int(pid), run):
            shutil.rmtree(left, ignore_errors=True)


def _runs(pid: int, run: str) -> bool:
    if pid == os.getpid():
        return run == RUN
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
