"""What servers are made of, fetched once into `.servers/`; safe for several test runs at a time."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from .running import ROOT, ServerError


def fetched(description: Path, fetch: Callable[[Path], Path]) -> Path:
    """The directory that `fetch` filled for what the file `description` lists.

    `fetch` gets an empty directory and says which one to keep. The name carries the file's hash: a new version is a
    new directory.
    """
    name, store = description.parent.name, ROOT / ".servers"
    store.mkdir(exist_ok=True)
    directory = store / f"{name}-{hashlib.sha256(description.read_bytes()).hexdigest()[:12]}"
    if directory.exists():
        return directory
    with (store / "lock").open("w") as lock:  # one for all: Maven's own store does not bear two writers
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not directory.exists():
            with tempfile.TemporaryDirectory(dir=store) as temporary:
                shutil.move(fetch(Path(temporary)), directory)
    return directory


def run(tool: str, command: list[str], what: str, cwd: Path | None = None) -> None:
    """Raises ServerError, with what the tool said."""
    if shutil.which(command[0]) is None:
        raise ServerError(f"{what} comes from {tool}, and there is no `{command[0]}` on PATH: install {tool}")
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)
    if done.returncode:
        raise ServerError(f"{tool} failed for {what}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
