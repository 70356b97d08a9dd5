"""SAM, CDK and Serverless, which deploy a project as a stack of CloudFormation, as programs.

Their calls go to an emulator, as docs/beside-your-emulator.md says. None of them reports to its maker.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..servers.fetched import fetched, run
from ..servers.packages import packages
from .clients import CREDENTIALS, REGION

HERE = Path(__file__).parent
SAM_LOCK = HERE / "sam_package" / "requirements.lock"
LOCKED = ("--require-hashes", "--requirement", str(SAM_LOCK))
QUIET = {
    "SAM_CLI_TELEMETRY": "0",
    "SLS_TELEMETRY_DISABLED": "1",
    "SLS_NOTIFICATIONS_MODE": "off",
    "CDK_DISABLE_CLI_TELEMETRY": "true",
    "CI": "1",
}
PATIENCE = 180.0
"""Seconds after which a tool that does not end is given up. Not a limit on anything."""


def sam_packages() -> Path:
    """A directory with the SAM CLI and what it needs."""

    def install(directory: Path) -> Path:
        target = directory / "packages"
        pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
        run("pip", [*pip, "--target", str(target), "--no-deps", *LOCKED], "the SAM CLI")
        return target

    return fetched(SAM_LOCK, install)


def node_modules() -> Path:
    """A directory with CDK's and Serverless' programs and libraries."""
    return packages(HERE / "stacks_package" / "package-lock.json") / "node_modules"


@dataclass(frozen=True, slots=True)
class Tool:
    """`command`: the program, made when it is first called, because that fetches it."""

    command: Callable[[], list[str]]

    def __call__(self, project: Path, emulator: str, *arguments: str) -> str:
        """What it prints, run in the directory `project`."""
        done = subprocess.run(
            [*self.command(), *arguments],
            cwd=project,
            env=_environment(project, emulator),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
        assert done.returncode == 0, f"{arguments}: {done.stdout[-3000:]}{done.stderr[-3000:]}"
        return done.stdout + done.stderr


def _environment(project: Path, emulator: str) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(project.parent),
        "PYTHONPATH": str(sam_packages()) if (project / "template.yaml").exists() else "",
        "AWS_ENDPOINT_URL": emulator,
        "AWS_DEFAULT_REGION": REGION,
        **QUIET,
        **CREDENTIALS,
    }


TOOLS = {
    "sam": Tool(lambda: [sys.executable, "-m", "samcli"]),
    "cdk": Tool(lambda: [str(node_modules() / ".bin" / "cdk")]),
    "serverless": Tool(lambda: [str(node_modules() / ".bin" / "serverless")]),
}
"""By the name of the program."""
