"""chalice and zappa, which deploy functions with boto3, as programs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from ..servers.fetched import fetched, run
from .clients import CREDENTIALS, REGION

LOCK = Path(__file__).parent / "deployers_package" / "requirements.lock"
SESSION = Path(__file__).parent / "deployer_session.py"
CHALICE, ZAPPA = "chalice.cli:main", "zappa.cli:handle"


def packages() -> Path:
    """A directory with both tools and what they need."""

    def install(directory: Path) -> Path:
        target = directory / "packages"
        pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
        run("pip", [*pip, "--target", str(target), "--require-hashes", "--requirement", str(LOCK)], "chalice and zappa")
        return target

    return fetched(LOCK, install)


@dataclass(frozen=True, slots=True)
class Deployer:
    """A tool in the directory of a project. `headrace`, `emulator`: their addresses."""

    called: str
    project: Path
    headrace: str
    emulator: str

    def __call__(self, *arguments: str) -> tuple[str, list[float]]:
        """What it prints, and the seconds of its sleeps."""
        notes = self.project.parent / "slept.json"
        done = subprocess.run(
            [sys.executable, str(SESSION), str(notes), self.called, *arguments],
            cwd=self.project,
            env=self._environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, f"{arguments}: {done.stdout[-3000:]}{done.stderr[-3000:]}"
        return done.stdout, json.loads(notes.read_text())

    def _environment(self) -> dict[str, str]:
        """zappa packs what is in a virtual environment; this one is empty."""
        home = self.project.parent
        version = "python{}.{}".format(*sys.version_info[:2])
        (home / "venv" / "lib" / version / "site-packages").mkdir(parents=True, exist_ok=True)
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "VIRTUAL_ENV": str(home / "venv"),
            "PYTHONPATH": str(packages()),
            "PYTHONWARNINGS": "ignore",
            "AWS_ENDPOINT_URL": self.emulator,
            "AWS_ENDPOINT_URL_LAMBDA": self.headrace,
            "AWS_DEFAULT_REGION": REGION,
            **CREDENTIALS,
        }
