"""Makes a virtual environment hold exactly what a lock file says, and does nothing when it already does.

The Makefile calls it before everything else. It owns `.venv` and `.emulators`; it needs Python 3.11 and its standard
library, nothing more.

    environment.py DIRECTORY LOCK [--project]     --project: this project too, as an editable install
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import os
import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STAMP = "installed-from"
LOCKED_NAME = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==", re.MULTILINE)


def main() -> int:
    if sys.version_info < (3, 11):  # noqa: UP036, whoever runs make may have an older one
        print(f"Headrace needs Python 3.11 or newer; this is {sys.version.split()[0]}. Try: make PYTHON=python3.11 …")
        return 2
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("directory", type=Path)
    arguments.add_argument("lock", type=Path)
    arguments.add_argument("--project", action="store_true")
    given = arguments.parse_args()
    environment = ROOT / given.directory
    wanted = key(ROOT / given.lock, given.project)
    if stamp(environment) == wanted:
        return 0
    with only_one(environment):
        if stamp(environment) != wanted:  # another make may have done it while this one waited
            print(f"setting up {given.directory} from {given.lock}", file=sys.stderr, flush=True)
            install(environment, ROOT / given.lock, given.project)
            (environment / STAMP).write_text(wanted)
    return 0


def key(lock: Path, project: bool) -> str:
    """Whatever an environment depends on, as one line."""
    content = hashlib.sha256(lock.read_bytes())
    if project:
        content.update((ROOT / "pyproject.toml").read_bytes())
    return f"{sysconfig.get_python_version()} {content.hexdigest()} {ROOT}\n"


def stamp(environment: Path) -> str:
    try:
        return (environment / STAMP).read_text()
    except OSError:
        return ""


@contextmanager
def only_one(environment: Path) -> Iterator[None]:
    """Two makes at once take turns. The lock is free the moment its owner dies."""
    environment.parent.mkdir(parents=True, exist_ok=True)
    with environment.with_name(environment.name + ".lock").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        yield


def install(environment: Path, lock: Path, project: bool) -> None:
    (environment / STAMP).unlink(missing_ok=True)  # what breaks off half-way is done again
    if not usable(environment):
        run(sys.executable, "-m", "venv", "--clear", environment)
    pip(environment, "install", "--require-hashes", "--requirement", lock)
    strangers = installed(environment) - locked(lock) - {"pip", "headrace"}
    if strangers:
        pip(environment, "uninstall", "--yes", *sorted(strangers))
    if project:
        pip(environment, "install", "--no-build-isolation", "--no-deps", "--editable", ROOT)


def usable(environment: Path) -> bool:
    """Whether there is an environment of this very Python version."""
    ask = "import sysconfig, pip; print(sysconfig.get_python_version())"
    try:
        answer = subprocess.run(
            [environment / "bin" / "python", "-c", ask], capture_output=True, text=True, check=False
        )
    except OSError:
        return False
    return answer.stdout.strip() == sysconfig.get_python_version()


def installed(environment: Path) -> set[str]:
    ask = "from importlib.metadata import distributions as d; print(*{each.name for each in d()})"
    return {normal(name) for name in python(environment, ask).split()}


def locked(lock: Path) -> set[str]:
    return {normal(name) for name in LOCKED_NAME.findall(lock.read_text())}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def python(environment: Path, code: str) -> str:
    """What `code` prints in that environment."""
    command = [str(environment / "bin" / "python"), "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def pip(environment: Path, *arguments: str | Path) -> None:
    quiet = ("--quiet", "--disable-pip-version-check", "--no-input")
    run(environment / "bin" / "python", "-m", "pip", *quiet, *arguments)


def run(*command: str | Path) -> None:
    variables = {"PIP_ROOT_USER_ACTION": "ignore"} | {
        name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "PYTHONHOME", "PIP_USER"}
    }
    subprocess.run(command, env=variables, stdin=subprocess.DEVNULL, check=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except subprocess.CalledProcessError as failed:
        sys.exit(f"{' '.join(map(str, failed.cmd))}\nended with code {failed.returncode}: the environment is not ready")
