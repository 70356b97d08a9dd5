"""Jars of a small pom.xml, copied once into `.servers/` by Maven; safe for several test runs at a time."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path

from .running import ROOT, ServerError


def jars(pom: Path) -> Path:
    """The directory with the runtime dependencies of `pom`. Its name carries the pom's hash: a new version is a new
    directory."""
    store = ROOT / ".servers"
    store.mkdir(exist_ok=True)
    directory = store / f"{pom.parent.name}-{hashlib.sha256(pom.read_bytes()).hexdigest()[:12]}"
    with (store / f"{pom.parent.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not directory.exists():
            _copy(pom, directory)
    return directory


def _copy(pom: Path, directory: Path) -> None:
    with tempfile.TemporaryDirectory(dir=directory.parent) as temporary:
        target = Path(temporary) / "jars"
        command = ["mvn", "-q", "-B", "-f", str(pom), "dependency:copy-dependencies"]
        command += ["-DincludeScope=runtime", f"-DoutputDirectory={target}"]
        if shutil.which("mvn") is None:
            raise ServerError(f"{pom.parent.name} comes from Maven, and there is no `mvn` on PATH: install Maven")
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise ServerError(f"Maven could not fetch {pom.parent.name}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        shutil.move(target, directory)
