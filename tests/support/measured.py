"""A pytest plugin (`-p support.measured`): says which branches of the pure parts the tests of this process took.

`.ci/branches.py` runs pytest with it and puts together what the processes write, into the directory that
HEADRACE_MEASURED names.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from coverage import Coverage

from support.wheel import LAYERS, ROOT

PURE_FOLDERS = ("dispatch/patterns", "dispatch/kinds", "config/kinds", "service/api/wire", "service/control")
"""What decides, beside all folders that are named `core`."""
IMPURE_FOLDERS = ("service/control/store",)
"""What acts, inside of those."""


def is_pure(path: Path) -> bool:
    """Whether a module of the product decides only. `path`: relative to the repository."""
    if any(path.is_relative_to(folder) for folder in IMPURE_FOLDERS):
        return False
    return "core" in path.parts or any(path.is_relative_to(folder) for folder in PURE_FOLDERS)


def pure_modules() -> list[Path]:
    every = (path.relative_to(ROOT) for layer in LAYERS for path in (ROOT / layer).rglob("*.py"))
    return sorted(path for path in every if is_pure(path))


def measuring(directory: Path) -> Coverage:
    """Of the pure parts; what it finds is kept in the directory, in a file of its own for each process."""
    return Coverage(
        data_file=str(directory / "data"),
        data_suffix=True,
        config_file=str(ROOT / "pyproject.toml"),
        include=[str(ROOT / path) for path in pure_modules()],
    )


_running = measuring(Path(os.environ["HEADRACE_MEASURED"])) if "HEADRACE_MEASURED" in os.environ else None
if _running is not None:  # before anything of the product is imported
    _running.start()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish() -> None:
    if _running is not None:
        _running.stop()
        _running.save()
