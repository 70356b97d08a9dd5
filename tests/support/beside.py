"""Packages of others beside the wheel: pytest, and the wheels of the projects under examples/, as users install them.

They lie in directories of their own, which PYTHONPATH adds to the wheel's environment: that holds nothing but the wheel
and what it needs.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from support import wheel

PYTEST = ("pytest", "pluggy", "iniconfig", "pygments")
PLACE = wheel.ENVIRONMENT.parent / "beside"


def environment(*directories: Path) -> dict[str, str]:
    """Variables with which the wheel's environment has these directories too."""
    return {"PYTHONPATH": os.pathsep.join(map(str, directories))}


def pytest_itself() -> Path:
    """A directory that holds pytest, in the locked version."""
    lock = (wheel.ROOT / "requirements" / "dev.lock").read_text()
    lines = re.split(r"\n(?=\S)", lock)
    wanted = "\n".join(line for line in lines if line.partition("==")[0] in PYTEST) + "\n"

    def fill(directory: Path) -> None:
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
            file.write(wanted)
            file.flush()
            _install(directory, "--require-hashes", "--requirement", file.name)

    return _kept("pytest", wanted.encode(), fill)


def example(name: str) -> Path:
    """A directory that holds the wheel of the project `examples/NAME`."""
    source = wheel.ROOT / "examples" / name
    files = wheel.tracked(f"examples/{name}")
    content = b"".join(bytes(path) + (wheel.ROOT / path).read_bytes() for path in files)

    def fill(directory: Path) -> None:
        with tempfile.TemporaryDirectory() as scratch:
            copy, out = Path(scratch) / "source", Path(scratch) / "out"
            for path in files:
                target = copy / (wheel.ROOT / path).relative_to(source)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(wheel.ROOT / path, target)
            command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(copy)]
            subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True)
            _install(directory, "--no-index", *map(str, out.glob("*.whl")))

    return _kept(name, content, fill)


def _install(directory: Path, *arguments: str) -> None:
    pip = [str(wheel.installed() / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--no-deps", "--target", str(directory), *arguments], check=True, env=wheel.clean())


def _kept(name: str, content: bytes, fill: Callable[[Path], None]) -> Path:
    """The directory of this content; of test processes that want it at once, one makes it."""
    digest = hashlib.sha256(sys.version.encode() + content).hexdigest()[:16]
    PLACE.mkdir(parents=True, exist_ok=True)
    directory = PLACE / f"{name}-{digest}"
    with (PLACE / f"{name}.lock").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        if not directory.is_dir():
            making = directory.with_name(f"{directory.name}.making")
            shutil.rmtree(making, ignore_errors=True)
            fill(making)
            making.rename(directory)
    return directory


def tests(cwd: Path, *directories: Path) -> subprocess.CompletedProcess[str]:
    """The tests in `cwd`, run as a user runs them, with these directories beside the wheel."""
    command = [str(wheel.installed() / "python"), "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    beside = environment(pytest_itself(), *directories)
    return subprocess.run(command, cwd=cwd, env=wheel.clean() | beside, capture_output=True, text=True, check=False)
