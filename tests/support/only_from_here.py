"""A pytest plugin (`-p support.only_from_here`): the run counts only if every module of Headrace that it imported lies
below its root directory. Without it a copy of the sources could be tested, and the installed ones imported."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ELSEWHERE = pytest.ExitCode.INTERNAL_ERROR


def foreign(root: Path) -> list[str]:
    """Files of modules that are not ours."""
    files = {str(module.__file__) for name, module in sys.modules.items() if name.startswith("headrace.")}
    return sorted(file for file in files if not Path(file).resolve().is_relative_to(root.resolve()))


def any_imported() -> bool:
    return any(name.startswith("headrace.") for name in sys.modules)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    if foreign(session.config.rootpath) or not any_imported():
        session.exitstatus = ELSEWHERE


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for file in foreign(config.rootpath):
        terminalreporter.write_line(f"imported from elsewhere: {file}", red=True)
