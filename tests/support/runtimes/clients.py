"""AWS's own runtime clients for Node.js, compiled once, and the versions of Node.js that Lambda has, from npm.

Version 3 is the client up to Node.js 22, version 4 from Node.js 24 on. Both have the same native part; only that of
version 4 compiles without autotools.
"""

from __future__ import annotations

import platform
import shutil
import sys
from pathlib import Path

from support.servers.fetched import fetched, run

LOCK = Path(__file__).parent / "clients" / "package-lock.json"
NATIVE = "rapid-client.node"
MACHINES = {"x86_64": "x64", "aarch64": "arm64"}


def modules() -> Path:
    """A directory with both clients, and with Node.js where npm has it for this machine."""
    return fetched(LOCK, _install) / "node_modules"


def node(major: int) -> Path | None:
    """Node.js of this version; None where npm has none for this machine."""
    system = f"{sys.platform}-{MACHINES.get(platform.machine(), '')}"
    program = modules() / f"node{major}-{system}" / "bin" / "node"
    return program if program.exists() else None


def client(version: int) -> Path:
    """The module that runs a function: with a function `run` (3), or by being imported (4)."""
    inside = {3: "dist/index.mjs", 4: "index.mjs"}[version]
    return modules() / f"aws-lambda-ric{version}" / inside


def _install(directory: Path) -> Path:
    target = directory / "packages"
    target.mkdir()
    for name in ("package.json", "package-lock.json"):
        shutil.copy(LOCK.with_name(name), target)
    run("npm", ["npm", "ci", "--prefix", str(target), "--ignore-scripts", "--no-audit", "--no-fund"], "AWS's clients")
    newer = target / "node_modules" / "aws-lambda-ric4"
    for script in ("preinstall", "postinstall"):
        run("a C++ compiler", ["sh", str(newer / "scripts" / f"{script}.sh")], "AWS's client for Node.js")
    shutil.copy(newer / NATIVE, target / "node_modules" / "aws-lambda-ric3" / "dist")
    for superfluous in (newer / "deps", *target.glob("node_modules/node2*/include")):
        shutil.rmtree(superfluous)
    return target
