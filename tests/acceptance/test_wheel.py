"""The wheel holds what git holds, and works where nothing else is installed."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from email.parser import HeaderParser
from pathlib import Path

import pytest

from support import wheel

EXAMPLES = sorted(path.relative_to(wheel.ROOT) for path in (wheel.ROOT / "examples").glob("*/headrace.yaml"))
VARIABLES = {
    "AWS_ENDPOINT_URL": "http://127.0.0.1:4566",
    "DEMO_QUEUE_ARN": "arn:aws:sqs:us-east-1:000000000000:orders",
    "DEMO_JOURNAL": "journal",
}


def headrace(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [str(wheel.installed() / "headrace"), *arguments]
    return subprocess.run(command, cwd=cwd, env=wheel.clean() | VARIABLES, capture_output=True, text=True, check=False)


def test_the_wheel_holds_exactly_what_git_holds() -> None:
    with zipfile.ZipFile(wheel.built()) as archive:
        shipped = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert shipped == {f"headrace/{path.as_posix()}" for path in wheel.tracked(*wheel.LAYERS)}


def test_the_wheel_carries_the_licence_and_the_program() -> None:
    with zipfile.ZipFile(wheel.built()) as archive:
        names = {name.partition(".dist-info/")[2]: name for name in archive.namelist()}
        assert "licenses/LICENSE" in names
        assert "headrace = headrace.service.cli.main:program" in archive.read(names["entry_points.txt"]).decode()
        assert HeaderParser().parsestr(archive.read(names["METADATA"]).decode())["License-Expression"] == "Apache-2.0"


def test_it_is_the_wheel_that_runs(tmp_path: Path) -> None:
    ask = "import headrace.service.cli.main as cli; print(cli.__file__)"
    python = str(wheel.installed() / "python")
    answer = subprocess.run(
        [python, "-c", ask], cwd=tmp_path, env=wheel.clean(), capture_output=True, text=True, check=True
    )
    assert Path(answer.stdout.strip()).is_relative_to(wheel.ENVIRONMENT)


def test_it_tells_its_version(tmp_path: Path) -> None:
    answer = headrace("--version", cwd=tmp_path)
    assert (answer.returncode, answer.stderr) == (0, "")
    assert wheel.built().name.split("-")[1] in answer.stdout


def test_it_helps(tmp_path: Path) -> None:
    answer = headrace("--help", cwd=tmp_path)
    assert (answer.returncode, answer.stderr) == (0, "")
    assert {"run", "check"} <= set(answer.stdout.replace(",", " ").split())


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.parent.name)
def test_the_examples_are_sound(example: Path, tmp_path: Path) -> None:
    answer = headrace("check", str(wheel.ROOT / example), cwd=tmp_path)
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_nothing_but_the_lock_is_needed(tmp_path: Path) -> None:
    answer = subprocess.run(
        [str(wheel.installed() / "python"), "-m", "pip", "check"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stdout
    assert sys.prefix not in answer.stdout
