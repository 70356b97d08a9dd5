"""Packages of a small package-lock.json, installed by npm."""

from __future__ import annotations

import shutil
from pathlib import Path

from .fetched import fetched, run

OPTIONS = ["--omit=optional", "--ignore-scripts", "--no-audit", "--no-fund"]
"""What is optional is compiled on the spot, by scripts."""


def packages(lock: Path) -> Path:
    """A directory with the `node_modules` of `lock`, which stands beside its package.json."""

    def install(directory: Path) -> Path:
        target = directory / "packages"
        target.mkdir()
        for name in ("package.json", "package-lock.json"):
            shutil.copy(lock.with_name(name), target)
        run("npm", ["npm", "ci", *OPTIONS], lock.parent.name, cwd=target)  # newer ones take no --prefix
        return target

    return fetched(lock, install)
