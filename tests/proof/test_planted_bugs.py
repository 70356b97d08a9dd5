"""Bugs are planted one by one into a copy of the sources: for each, a test that the list names fails."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

import pytest

from support.only_from_here import ELSEWHERE
from support.planted import Bug, bugs
from support.wheel import LAYERS, ROOT, tracked

BUGS = bugs()
PYTEST = [sys.executable, "-m", "pytest", "-q", "--tb=short", "-p", "no:cacheprovider", "-p", "support.only_from_here"]
OURS = ("HEADRACE_", "PYTEST_")
"""What the variables are called that say how this run is done, full counts among them; the runs inside are short."""
AT_ONCE = 2
"""Runs at a time: most of a run is the start of an interpreter."""
HANGS = 300.0
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
        (ROOT / ".servers").mkdir(exist_ok=True)
        (root / ".servers").symlink_to(ROOT / ".servers")  # what servers are made of is fetched once
        (root / "on_path" / "headrace").mkdir(parents=True)
        for layer in LAYERS:
            (root / "on_path" / "headrace" / layer).symlink_to(root / layer)
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


class Planting:
    """Runs of bugs, as many at a time as there are copies: each copy has one bug at most."""

    def __init__(self, copies: Sequence[Copy]) -> None:
        self._free: SimpleQueue[Copy] = SimpleQueue()
        for each in copies:
            self._free.put(each)

    def __call__(self, bug: Bug) -> Run:
        copy = self._free.get()
        try:
            with copy.with_bug(bug):
                return copy.test(*bug.tests)
        finally:
            self._free.put(copy)


@pytest.fixture(scope="module")
def copies(tmp_path_factory: pytest.TempPathFactory) -> list[Copy]:
    return [Copy.make(tmp_path_factory.mktemp("planted")) for _ in range(AT_ONCE)]


@pytest.fixture(scope="module")
def runs(request: pytest.FixtureRequest, copies: list[Copy]) -> Iterator[Mapping[str, Future[Run]]]:
    """By id, of the bugs that this run of ours was asked for."""
    ours = [item for item in request.session.items if item.path == request.path]
    asked = [bug for bug in BUGS if any(f"[{bug.id}]" in item.name for item in ours)]
    plant = Planting(copies)
    pool = ThreadPoolExecutor(AT_ONCE)
    yield {bug.id: pool.submit(plant, bug) for bug in asked}
    pool.shutdown(cancel_futures=True)


def test_without_a_bug_the_same_tests_pass(copies: list[Copy]) -> None:
    run = copies[0].test(*dict.fromkeys(test for bug in BUGS for test in bug.tests))
    assert run.code == pytest.ExitCode.OK, run.output


def test_a_run_that_imports_the_installed_product_does_not_count(copies: list[Copy]) -> None:
    run = copies[0].test(BUGS[0].tests[0], product="nowhere")
    assert run.code == ELSEWHERE, run.output
    assert "imported from elsewhere" in run.output


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.id)
def test_it_is_noticed(runs: Mapping[str, Future[Run]], bug: Bug) -> None:
    run = runs[bug.id].result()
    assert run.code == pytest.ExitCode.TESTS_FAILED, f"{bug.id} ({bug.breaks}) was not noticed:\n{run.output}"
    crash = CRASHES.search(run.output)
    assert crash is None, run.output
