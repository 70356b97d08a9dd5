"""The product as users get it: a wheel built from the files that git knows, in an environment of its own.

The acceptance tests run `installed() / "headrace"`, so that what is missing from the wheel fails there.
"""

from __future__ import annotations

import fcntl
import functools
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
ENVIRONMENT = ROOT / "build" / "wheel"
LAYERS = ("config", "dispatch", "pollers", "service")


def tracked(*places: str) -> list[Path]:
    """What a commit of everything would hold there, relative to the repository."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate", "--", *places]
    names = subprocess.run(listing, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [Path(name) for name in names.split("\0") if name and (ROOT / name).is_file()]


def copied(into: Path) -> Path:
    """The sources without anything that an earlier build left among them."""
    for path in tracked("pyproject.toml", "README.md", "LICENSE", *LAYERS):
        (into / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / path, into / path)
    return into


@functools.cache
def built() -> Path:
    """The wheel's file."""
    out = Path(tempfile.mkdtemp(prefix="headrace-wheel-"))
    source = copied(out / "source")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(source)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True)
    shutil.rmtree(source)
    (wheel,) = out.glob("*.whl")
    return wheel


@functools.cache
def installed() -> Path:
    """The directory of the programs of an environment that holds the wheel and what it depends on, nothing else."""
    ENVIRONMENT.parent.mkdir(exist_ok=True)
    with ENVIRONMENT.with_name("wheel-of.lock").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)  # of test processes that want it at once, one makes it
        return _installed()


def _installed() -> Path:
    command = [sys.executable, str(ROOT / ".ci" / "environment.py"), str(ENVIRONMENT), "requirements/runtime.lock"]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, env=clean())
    programs, stamp, wanted = ENVIRONMENT / "bin", ENVIRONMENT / "wheel-of", content()
    if not stamp.is_file() or stamp.read_text() != wanted:
        install = [str(programs / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        options = ["--no-index", "--no-deps", "--force-reinstall"]
        subprocess.run([*install, *options, str(built())], check=True, env=clean())
        stamp.write_text(wanted)
    return programs


def content() -> str:
    """What the wheel is made of, as a hash."""
    digest = hashlib.sha256()
    for path in tracked("pyproject.toml", "README.md", "LICENSE", *LAYERS):
        digest.update(f"{path}\0{(ROOT / path).stat().st_size}\0".encode() + (ROOT / path).read_bytes())
    return digest.hexdigest()


def clean() -> dict[str, str]:
    """The environment without what leads an interpreter to this checkout."""
    leads = {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"}
    return {name: value for name, value in os.environ.items() if name not in leads} | {"PIP_ROOT_USER_ACTION": "ignore"}
