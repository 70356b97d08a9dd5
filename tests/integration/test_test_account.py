"""The account of a test run: what was left out or skipped is said, and fails the run where nothing may be."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
HEAD = "import pytest\nclass TestIt:\n"
PASSES = "    @pytest.mark.semantics('SQS-01', 'SQS-02')\n    def test_passes(self): pass\n"
FAILS = "    @pytest.mark.semantics('SQS-02', 'SQS-03')\n    def test_fails(self): assert 0\n"
LEFT_OUT = "    @pytest.mark.needs('java', 'no-such-program')\n    def test_left_out(self): pass\n"
SKIPPED = "    def test_skipped(self): pytest.skip('no time')\n"
EXPECTED_TO_FAIL = "    @pytest.mark.xfail\n    def test_expected_to_fail(self): assert 0\n"


def quirk(row: str) -> str:
    return (
        f"    @pytest.mark.quirk({row!r})\n"
        "    @pytest.mark.parametrize('server', ['ministack', 'moto'])\n"
        "    def test_quirk(self, server): assert server == 'ministack'\n"
    )


@dataclass(frozen=True, slots=True)
class Run:
    code: int
    output: str
    semantics: object


@dataclass(frozen=True, slots=True)
class Runner:
    home: Path
    options: tuple[str, ...] = ()

    def __call__(self, *tests: str, strict: bool = False, least: int = 0) -> Run:
        (self.home / "test_it.py").write_text(HEAD + "".join(tests))
        (self.home / "pytest.ini").write_text("[pytest]\naddopts = --strict-markers -p conftest\n")
        environment = {name: value for name, value in os.environ.items() if not name.startswith("HEADRACE_")}
        environment |= {"PYTHONPATH": str(TESTS), "HEADRACE_MIN_TESTS": str(least)}
        environment |= {"HEADRACE_STRICT": "1"} if strict else {}
        command = [sys.executable, "-m", "pytest", "-q", *self.options, str(self.home)]
        done = subprocess.run(command, cwd=self.home, env=environment, capture_output=True, text=True, check=False)
        record = self.home / ".pytest_cache" / "semantics.json"
        semantics = json.loads(record.read_text()) if record.exists() else None
        return Run(done.returncode, done.stdout + done.stderr, semantics)


@pytest.fixture
def run(tmp_path: Path) -> Runner:
    return Runner(tmp_path)


@pytest.fixture
def shared(tmp_path: Path) -> Runner:
    """A run whose tests two workers share."""
    return Runner(tmp_path, ("-n", "2"))


def test_a_missing_program_leaves_tests_out_with_one_line(run: Runner) -> None:
    result = run(PASSES, LEFT_OUT)
    assert result.code == 0
    assert "left out: 1 tests (no-such-program: 1)" in result.output
    assert "1 passed, 1 deselected" in result.output


@pytest.mark.parametrize(
    ("test", "reason"),
    [
        (LEFT_OUT, "1 tests were left out"),
        (SKIPPED, "1 tests were skipped for no listed quirk"),
        (EXPECTED_TO_FAIL, "1 tests were skipped for no listed quirk"),
        ("", "1 tests passed, fewer than the 2"),
    ],
    ids=["left out", "skipped", "expected to fail", "too few"],
)
def test_strict_lets_nothing_go_in_silence(run: Runner, test: str, reason: str) -> None:
    result = run(PASSES, test, strict=True, least=2)
    assert result.code == 1
    assert f"strict: {reason}" in result.output


def test_strict_is_content_with_what_passes(run: Runner) -> None:
    assert run(PASSES, strict=True, least=1).code == 0


def test_a_listed_quirk_is_skipped_on_its_server_alone(run: Runner) -> None:
    result = run(quirk("moto-sqs-02"), strict=True, least=1)
    assert result.code == 0
    assert "1 passed, 1 skipped" in result.output


def test_a_quirk_without_a_row_is_an_error(run: Runner) -> None:
    result = run(quirk("moto-sqs-99"))
    assert result.code == pytest.ExitCode.TESTS_FAILED
    assert "no row of docs/emulators.md: moto-sqs-99" in result.output


def test_rules_are_recorded_for_tests_that_passed(run: Runner) -> None:
    result = run(PASSES, FAILS)
    assert result.code == 1
    passed = ["test_it.py::TestIt::test_passes"]
    assert result.semantics == {"SQS-01": passed, "SQS-02": passed}


def test_workers_keep_one_account(shared: Runner) -> None:
    result = shared(PASSES, FAILS, LEFT_OUT, SKIPPED, strict=True, least=2)
    assert result.code == 1
    assert "1 failed, 1 passed, 1 skipped in" in result.output
    assert "left out: 1 tests (no-such-program: 1)" in result.output
    for reason in (
        "1 tests were left out",
        "1 tests were skipped for no listed quirk",
        "1 tests passed, fewer than the 2",
    ):
        assert f"strict: {reason}" in result.output
    passed = ["test_it.py::TestIt::test_passes"]
    assert result.semantics == {"SQS-01": passed, "SQS-02": passed}


def test_what_workers_left_out_fails_a_strict_run(shared: Runner) -> None:
    assert shared(PASSES, strict=True, least=1).code == 0
    assert shared(PASSES, LEFT_OUT, strict=True, least=1).code == 1
