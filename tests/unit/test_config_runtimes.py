"""The setting `runtimes`: interpreters, commands, and what is refused, with file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.configs import loaded, problems, write

GIVEN = """
runtimes:
  near: false
  python3.12: ./venvs/python
  nodejs22.x: node
  java21: {command: [java, -cp, "{code}:{code}/lib/*", Main, "{handler}"]}
functions:
  orders: {runtime: java21, code: ., handler: shop.Orders}
"""


@pytest.mark.semantics("RUNTIME-01")
def test_interpreters_are_relative_to_their_file_and_names_stay(tmp_path: Path) -> None:
    runtimes = loaded(write(tmp_path, GIVEN)).settings.runtimes
    assert runtimes.near is False
    assert {name: each.interpreter for name, each in runtimes.programs.items()} == {
        "python3.12": str(tmp_path / "venvs" / "python"),
        "nodejs22.x": "node",
        "java21": None,
    }
    assert runtimes.programs["java21"].argv("/c", "h") == ("java", "-cp", "/c:/c/lib/*", "Main", "h")


@pytest.mark.semantics("RUNTIME-01")
def test_variables_go_before_the_file(tmp_path: Path) -> None:
    environ = {"HEADRACE_RUNTIMES": '{"python3.12": "./python", "java17": {"command": ["j"]}}'}
    runtimes = loaded(write(tmp_path, GIVEN), environ=environ).settings.runtimes
    assert runtimes.programs["python3.12"].interpreter == "./python"  # as it is: from the working directory
    assert list(runtimes.programs["java17"].command) == ["j"]
    assert runtimes.programs["nodejs22.x"].interpreter == "node"
    assert loaded(write(tmp_path, GIVEN), environ={"HEADRACE_RUNTIMES__NEAR": "true"}).settings.runtimes.near is True


def test_without_the_setting_the_nearest_version_runs(tmp_path: Path) -> None:
    runtimes = loaded(write(tmp_path, "mappings: {}")).settings.runtimes
    assert (runtimes.near, dict(runtimes.programs)) == (True, {})


AS_COMMAND = "{command: [PROGRAM, ARGUMENT, …]}"


@pytest.mark.semantics("RUNTIME-01", "RUNTIME-02")
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("near: perhaps", "runtimes.near: must be true or false, not 'perhaps'"),
        ("python3: python", "runtimes.python3: is not a runtime of Lambda's: 'python3' (python, nodejs"),
        ("java21: java", f"runtimes.java21: needs a command, not a program alone: write {AS_COMMAND}"),
        ("java21: {interpreter: java}", f"runtimes.java21: needs a command, not a program alone: write {AS_COMMAND}"),
        ("java21: [java]", f"runtimes.java21: must be a program, or {AS_COMMAND}"),
        ("java21: {command: []}", f"runtimes.java21: must be a program, or {AS_COMMAND}"),
        ("java21: {comand: [java]}", "runtimes.java21.comand: unknown key (did you mean 'command'?)"),
        ('java21: {command: [a, "{jar}"]}', "runtimes.java21.command[1]: has the placeholder {jar}: {code} and"),
        ('java21: {command: ["{code!r}"]}', "runtimes.java21.command[0]: has the placeholder {code}"),
        ('java21: {command: ["{}"]}', "runtimes.java21.command[0]: has the placeholder {}"),
        ('java21: {command: ["{code"]}', "runtimes.java21.command[0]: has a single brace in '{code'"),
        ('java21: {command: [""]}', "runtimes.java21.command[0]: must not be empty"),
        ("python3.12: {interpreter: a, command: [b]}", f'runtimes["python3.12"]: must be a program, or {AS_COMMAND}'),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, line: str, expected: str) -> None:
    (told,) = problems(write(tmp_path, f"runtimes:\n  nodejs: node\n  {line}\n"))
    assert told.startswith(f"headrace.yaml:3: {expected}")


def test_what_is_wrong_in_a_variable_is_told_with_its_name(tmp_path: Path) -> None:
    environ = {"HEADRACE_RUNTIMES": '{"java21": {"command": ["{x}"]}}'}
    (told,) = problems(write(tmp_path, "mappings: {}"), environ=environ)
    assert told.startswith("HEADRACE_RUNTIMES__JAVA21__COMMAND__0: has the placeholder {x}")
