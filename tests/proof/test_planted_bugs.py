"""Bugs are planted one by one into a copy of the sources: for each, a test that the list names fails."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.only_from_here import ELSEWHERE
from support.planted import Bug, bugs
from support.wheel import LAYERS, ROOT, tracked

BUGS = bugs()
PYTEST = [sys.executable, "-m", "pytest", "-q", "--tb=short", "-p", "no:cacheprovider", "-p", "support.only_from_here"]
OURS = ("PENSTOCK_", "PYTEST_")
"""What the variables are called that say how this run is done, full counts among them; the runs inside are short."""
HANGS = 120.0
"""Seconds after which a run is ended: a planted bug is to be noticed by an assertion, not by our patience."""
CRASHES = re.compile(
    r"^E +\w*(SyntaxError|ImportError|ModuleNotFoundError|NameError|UnboundLocalError)\b", re.MULTILINE
)
"""What says that an entry of the list is badly written, and not that a test noticed its bug."""


@dataclass(frozen=True, slots=True)
class Run:
    code: int
    output: str


@dataclass(frozen=True, slots=True)
class Copy:
    """The sources and their tests, at a place where they may be broken."""

    root: Path

    @classmethod
    def make(cls, root: Path) -> Copy:
        for path in tracked("pyproject.toml", "tests", "docs", *LAYERS):
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / path, root / path)
        (root / "on_path" / "penstock").mkdir(parents=True)
        for layer in LAYERS:
            (root / "on_path" / "penstock" / layer).symlink_to(root / layer)
        return cls(root)

    @contextmanager
    def with_bug(self, bug: Bug) -> Iterator[None]:
        path = self.root / bug.file
        sound, times = path.read_text(), path.stat()
        path.write_text(bug.planted(sound))
        os.utime(path, (0, 0))  # what was compiled of the sound file must not pass for this one, which may be as long
        try:
            yield
        finally:
            path.write_text(sound)
            os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))

    def test(self, *tests: str, product: str = "on_path") -> Run:
        environment = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
        environment["PYTHONPATH"] = os.pathsep.join(str(self.root / each) for each in (product, "tests"))
        process = subprocess.Popen(
            [*PYTEST, *tests],
            cwd=self.root,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            output, _ = process.communicate(timeout=HANGS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            output = process.communicate()[0] + f"\nit was ended after {HANGS:.0f} s"
        return Run(process.returncode, output)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    return Copy.make(tmp_path_factory.mktemp("planted"))


def test_without_a_bug_the_same_tests_pass(copy: Copy) -> None:
    run = copy.test(*dict.fromkeys(test for bug in BUGS for test in bug.tests))
    assert run.code == pytest.ExitCode.OK, run.output


def test_a_run_that_imports_the_installed_product_does_not_count(copy: Copy) -> None:
    run = copy.test(BUGS[0].tests[0], product="nowhere")
    assert run.code == ELSEWHERE, run.output
    assert "imported from elsewhere" in run.output


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.id)
def test_it_is_noticed(copy: Copy, bug: Bug) -> None:
    with copy.with_bug(bug):
        run = copy.test(*bug.tests)
    assert run.code == pytest.ExitCode.TESTS_FAILED, f"{bug.id} ({bug.breaks}) was not noticed:\n{run.output}"
    crash = CRASHES.search(run.output)
    assert crash is None, run.output
