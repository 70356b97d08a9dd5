"""Interpreters are asked what they are: once for all functions, and again when they may be others. What is in a
function's way is said with what can be done about it by whoever made the function."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from headrace.config.fields.runtimes import Runtimes
from headrace.dispatch.invokers.local import interpreters
from headrace.dispatch.invokers.local.interpreters import BrokenInterpreter, Interpreter
from headrace.dispatch.invokers.local.launch import plan
from headrace.dispatch.invokers.local.spec import FunctionSpec, RuntimeLaunch
from headrace.dispatch.invokers.local.start_command import Command, LaunchRefused

OURS = "{}.{}".format(*sys.version_info[:2])


def program(path: Path, script: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def counting(path: Path, says: str) -> Path:
    """A program that notes each of its runs beside it."""
    return program(path, f"echo run >> {path}.runs; printf '{says}'")


def runs(path: Path) -> int:
    return len(Path(f"{path}.runs").read_text().splitlines())


@pytest.fixture
def spec(tmp_path: Path) -> FunctionSpec:
    code = tmp_path / "code"
    code.mkdir()
    return FunctionSpec("orders", RuntimeLaunch("python3.99", "app.handler"), code, tmp_path)


@pytest.mark.semantics("FN-60")
async def test_one_interpreter_is_asked_once_for_a_hundred_functions(spec: FunctionSpec, tmp_path: Path) -> None:
    python = counting(tmp_path / "bin" / "python3.99", r"3.99 True False\n")
    launch = RuntimeLaunch("python3.99", "app.handler", str(python))
    planned = []

    async def one(number: int) -> None:
        planned.append(await plan(replace(spec, name=f"orders-{number}", launch=launch)))

    async with anyio.create_task_group() as tasks:
        for number in range(100):
            tasks.start_soon(one, number)
    assert all(isinstance(each, Command) for each in planned)
    assert runs(python) == 1


@pytest.mark.semantics("FN-60")
def test_an_interpreter_is_asked_again_when_something_is_installed_for_it(tmp_path: Path) -> None:
    packages = tmp_path / "site-packages"
    packages.mkdir()
    python = counting(tmp_path / "bin" / "python", rf"3.99 False False\n{packages}\n")
    assert interpreters.python(str(python)) == Interpreter(str(python), "3.99", False, False)
    assert runs(python) == 1
    (packages / "awslambdaric").mkdir()
    os.utime(packages, ns=(1, 1))
    interpreters.python(str(python))
    interpreters.python(str(python))
    assert runs(python) == 2


@pytest.mark.semantics("FN-60")
def test_an_interpreter_that_is_another_one_now_is_asked_again(tmp_path: Path) -> None:
    python = tmp_path / "bin" / "python"
    assert isinstance(interpreters.python(str(python)), BrokenInterpreter)
    program(python, "echo 3.98 True True")
    assert interpreters.python(str(python)) == Interpreter(str(python), "3.98", True, True)
    python.unlink()
    program(python, "echo 3.999 True True")
    assert interpreters.python(str(python)) == Interpreter(str(python), "3.999", True, True)


OPERATOR = "or the operator of Headrace can"
ADVICE = [
    ("python3.99", f"give the function the runtime python{OURS}; {OPERATOR} install python3.99"),
    ("python3.98", f"give the function the runtime python3.97; {OPERATOR} install python3.98"),
    ("python3.96", f"give the function another runtime; {OPERATOR} repair it"),
    ("python3.9", f"put awslambdaric and boto3 into its package; {OPERATOR} run"),
    ("python3.94", f"give the function another runtime; {OPERATOR} correct 'runtimes'"),
    ("provided.al2023", "put it into the function's package"),
    ("nodejs99.x", f"give the function another runtime; {OPERATOR} install it, or name a node"),
    ("nodejs98.x", f"give the function another runtime; {OPERATOR} correct 'runtimes'"),
    ("java21", f"build the function for provided, or give it a bootstrap; {OPERATOR} add one"),
    ("java17", f"give the function another runtime; {OPERATOR} install it, or correct 'runtimes'"),
]
SET = {"python3.94": "/no/python", "nodejs98.x": "/no/node", "java17": {"command": ["/no/java"]}, "near": False}


@pytest.mark.semantics("API-23", "RUNTIME-10")
@pytest.mark.parametrize(("runtime", "advice"), ADVICE, ids=[each[0] for each in ADVICE])
async def test_who_uploaded_a_function_is_told_what_he_can_do(
    spec: FunctionSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runtime: str, advice: str
) -> None:
    """Nothing of his names an interpreter, a virtual environment, or a directory; and he cannot change the machine."""
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}")
    monkeypatch.setenv("HOME", str(tmp_path))
    program(tmp_path / "bin" / "python3.98", "echo 3.97 True True")
    program(tmp_path / "bin" / "python3.96", "echo broken >&2; exit 1")
    program(tmp_path / "bin" / "python3.9", "echo 3.9 False False")
    program(tmp_path / "bin" / "node", "echo v1.2.3")
    runtimes = Runtimes.model_validate(SET)
    uploaded = replace(spec, launch=RuntimeLaunch(runtime, "app.handler"), uploaded=True, runtimes=runtimes)
    refused = await plan(uploaded)
    assert isinstance(refused, LaunchRefused)
    assert advice in refused.text
    assert "interpreter'" not in refused.text
    assert "name another" not in refused.text
    configured = await plan(replace(uploaded, uploaded=False))
    assert isinstance(configured, LaunchRefused)
    assert advice not in configured.text


@pytest.mark.semantics("API-23")
async def test_code_that_is_lost_is_to_be_uploaded_again(spec: FunctionSpec, tmp_path: Path) -> None:
    lost = replace(spec, code=tmp_path / "lost", uploaded=True)
    refused = await plan(lost)
    assert isinstance(refused, LaunchRefused)
    assert refused.text.endswith("lost does not exist: upload the code again")
