"""Which program runs a runtime: in which order those of this machine are tried, and where they are looked for."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from headrace.config.fields.runtimes import Runtimes
from headrace.dispatch.invokers.local import installed
from headrace.dispatch.invokers.local.core.candidates import FoundProgram, in_order, release
from headrace.dispatch.invokers.local.launch import plan
from headrace.dispatch.invokers.local.spec import FunctionSpec, RuntimeLaunch
from headrace.dispatch.invokers.local.start_command import Command, LaunchRefused

OURS = sys.version_info.minor

# --- the order ------------------------------------------------------------------------------------------------------

FOUND = [
    FoundProgram("own", 11, -1),
    FoundProgram("path/13", 13, 0),
    FoundProgram("path/12", 12, 1),
    FoundProgram("uv/12.1", 12, 1000, (3, 12, 1)),
    FoundProgram("uv/12.10", 12, 1000, (3, 12, 10)),
    FoundProgram("pyenv/9", 9, 1001, (3, 9, 18)),
]


@pytest.mark.semantics("RUNTIME-05")
@pytest.mark.parametrize(
    ("wanted", "near", "expected"),
    [
        (12, False, "path/12 uv/12.10 uv/12.1"),
        (14, False, ""),
        (12, True, "path/12 uv/12.10 uv/12.1 path/13 own pyenv/9"),  # of two as near the newer one
        (10, True, "own pyenv/9 path/12 uv/12.10 uv/12.1 path/13"),
        (14, True, "path/13 path/12 uv/12.10 uv/12.1 own pyenv/9"),
        (None, True, "own path/13 path/12 uv/12.10 uv/12.1 pyenv/9"),  # what a shell would run
        (None, False, "own path/13 path/12 uv/12.10 uv/12.1 pyenv/9"),
    ],
)
def test_the_order_of_what_is_found(wanted: int | None, near: bool, expected: str) -> None:
    for found in (FOUND, FOUND[::-1]):
        assert " ".join(each.path for each in in_order(wanted, found, near=near)) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("3.12.1", (3, 12, 1)),
        ("v22.1.0", (22, 1, 0)),
        ("cpython-3.12.1-linux-x86_64-gnu", (3, 12, 1)),
        ("python@3.12", (3, 12)),
        ("node@22", (22,)),
        ("22", (22,)),
        ("3.13.0t", ()),  # free-threaded
        ("pypy3.10-7.3", ()),
        ("openssl@3", ()),
        ("latest", ()),
        (".cache", ()),
    ],
)
def test_what_the_name_of_a_directory_says(name: str, expected: tuple[int, ...]) -> None:
    assert release(name) == expected


# --- where they are -------------------------------------------------------------------------------------------------


def program(path: Path, script: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def python(path: Path, minor: int) -> Path:
    return program(path, f"echo 3.{minor} False False")


def node(path: Path, major: int) -> Path:
    return program(path, f"echo v{major}.1.0")


PYTHON_PLACES = [
    ({}, ".local/share/uv/python/cpython-3.99.1-linux-x86_64-gnu/bin/python3.99"),
    ({"XDG_DATA_HOME": "data"}, "data/uv/python/cpython-3.99.1-macos-aarch64-none/bin/python3.99"),
    ({"UV_PYTHON_INSTALL_DIR": "uv"}, "uv/cpython-3.99.1-linux-x86_64-gnu/bin/python3.99"),
    ({}, ".pyenv/versions/3.99.1/bin/python3.99"),
    ({"PYENV_ROOT": "pyenv"}, "pyenv/versions/3.99.1/bin/python3.99"),
    ({}, ".asdf/installs/python/3.99.1/bin/python3.99"),
    ({"ASDF_DATA_DIR": "asdf"}, "asdf/installs/python/3.99.1/bin/python3.99"),
    ({}, ".local/share/mise/installs/python/3.99.1/bin/python3.99"),
    ({"MISE_DATA_DIR": "mise"}, "mise/installs/python/3.99/bin/python3.99"),
    ({"HOMEBREW_PREFIX": "brew"}, "brew/opt/python@3.99/bin/python3.99"),
    ({"PATH": "bin"}, "bin/python3.99"),
]
NODE_PLACES = [
    ({}, ".nvm/versions/node/v99.1.0/bin/node"),
    ({"NVM_DIR": "nvm"}, "nvm/versions/node/v99.1.0/bin/node"),
    ({}, ".local/share/fnm/node-versions/v99.1.0/installation/bin/node"),
    ({}, ".fnm/node-versions/v99.1.0/installation/bin/node"),
    ({}, "Library/Application Support/fnm/node-versions/v99.1.0/installation/bin/node"),
    ({"FNM_DIR": "fnm"}, "fnm/node-versions/v99.1.0/installation/bin/node"),
    ({}, ".asdf/installs/nodejs/99.1.0/bin/node"),
    ({}, ".local/share/mise/installs/node/99.1.0/bin/node"),
    ({"HOMEBREW_PREFIX": "brew"}, "brew/opt/node@99/bin/node"),
    ({"PATH": "bin"}, "bin/node"),
    ({"PATH": "bin"}, "bin/node-99"),
    ({"PATH": "bin"}, "bin/node99"),
]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home and a PATH with nothing in them."""
    for name in list(os.environ):
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return tmp_path


def set_up(machine: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, str(machine / value))


def spec(machine: Path, runtime: str, **more: object) -> FunctionSpec:
    (machine / "code").mkdir(exist_ok=True)
    interpreter = more.pop("interpreter", None)
    launch = RuntimeLaunch(runtime, "app.handler", str(interpreter) if interpreter else None)
    return FunctionSpec("orders", launch, machine / "code", machine / "scratch", runtimes=Runtimes.model_validate(more))


async def command(given: FunctionSpec) -> Command:
    planned = await plan(given)
    assert isinstance(planned, Command), planned
    return planned


async def refusal(given: FunctionSpec) -> str:
    planned = await plan(given)
    assert isinstance(planned, LaunchRefused), planned
    return planned.text


@pytest.mark.semantics("RUNTIME-04")
@pytest.mark.parametrize(("variables", "path"), PYTHON_PLACES, ids=[each[1] for each in PYTHON_PLACES])
async def test_where_pythons_are_found(
    machine: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], path: str
) -> None:
    set_up(machine, monkeypatch, variables)
    expected = python(machine / path, 99)
    planned = await command(spec(machine, "python3.99", near=False))
    assert (planned.argv[0], planned.runtime, planned.remark) == (str(expected), "python3.99", "")


@pytest.mark.semantics("RUNTIME-04")
@pytest.mark.parametrize(("variables", "path"), NODE_PLACES, ids=[each[1] for each in NODE_PLACES])
async def test_where_nodes_are_found(
    machine: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], path: str
) -> None:
    set_up(machine, monkeypatch, variables)
    expected = node(machine / path, 99)
    planned = await command(spec(machine, "nodejs99.x", near=False))
    assert (planned.argv[0], planned.runtime, planned.remark) == (str(expected), "nodejs99.x", "")
    assert (await command(spec(machine, "nodejs"))).argv[0] == str(expected)


@pytest.mark.semantics("RUNTIME-04")
async def test_path_goes_before_managers_and_what_does_not_work_is_passed_over(machine: Path) -> None:
    managed = python(machine / ".pyenv/versions/3.99.1/bin/python3.99", 99)
    shim = python(machine / "bin" / "python3.99", 99)
    assert (await command(spec(machine, "python3.99"))).argv[0] == str(shim)
    program(shim, "echo not installed >&2; exit 127")
    assert (await command(spec(machine, "python3.99"))).argv[0] == str(managed)


@pytest.mark.semantics("RUNTIME-04")
@pytest.mark.parametrize("shims", [".pyenv/shims", ".asdf/shims", ".local/share/mise/shims"])
async def test_shims_of_managers_are_no_programs(machine: Path, monkeypatch: pytest.MonkeyPatch, shims: str) -> None:
    """The code's directory may say another version to a shim than that of which it was asked."""
    monkeypatch.setenv("PATH", f"{machine / shims}{os.pathsep}{machine / 'bin'}")
    python(machine / shims / "python3.99", 99)
    node(machine / shims / "node", 99)
    assert "python3.99 is not on this machine" in await refusal(spec(machine, "python3.99", near=False))
    assert "nodejs99.x is not on this machine" in await refusal(spec(machine, "nodejs99.x", near=False))


@pytest.mark.semantics("FN-60")
async def test_a_directory_is_listed_again_when_something_comes_into_it(machine: Path) -> None:
    (machine / "bin").mkdir()
    assert "nodejs99.x is not on this machine" in await refusal(spec(machine, "nodejs99.x"))
    node(machine / "bin" / "node-99", 99)
    os.utime(machine / "bin", ns=(1, 1))
    assert (await command(spec(machine, "nodejs99.x"))).remark == ""


def test_the_interpreter_of_headrace_is_one_of_them() -> None:
    assert installed.pythons({"PATH": "", "HOME": "/nowhere"})[0].version == OURS


# --- another version ------------------------------------------------------------------------------------------------


@pytest.mark.semantics("RUNTIME-05", "FN-33")
async def test_the_nearest_version_runs_and_that_is_said(machine: Path) -> None:
    found = python(machine / "bin" / "python3.98", 98)
    planned = await command(spec(machine, "python3.99"))
    assert planned.argv[0] == str(found)
    assert planned.remark == f"runs with Python 3.98 ({found}), the nearest to python3.99 that is here"
    found = node(machine / "bin" / "node", 98)
    planned = await command(spec(machine, "nodejs99.x"))
    assert planned.argv[0] == str(found)
    assert planned.remark == f"runs with Node.js 98 ({found}), the nearest to nodejs99.x that is here"


@pytest.mark.semantics("RUNTIME-07", "FN-33")
async def test_with_near_false_another_version_is_refused(machine: Path) -> None:
    python(machine / "bin" / "python3.98", 98)
    node(machine / "bin" / "node", 98)
    assert "python3.99 is not on this machine" in await refusal(spec(machine, "python3.99", near=False))
    assert "which has Node.js 98" in await refusal(spec(machine, "nodejs99.x", near=False))
    named = machine / "bin" / "python3.98"
    text = await refusal(spec(machine, "python3.99", near=False, interpreter=named))
    assert text.endswith("is Python 3.98, the runtime is python3.99: name another interpreter")
    text = await refusal(spec(machine, "nodejs99.x", near=False, interpreter=machine / "bin" / "node"))
    assert "is Node.js 98, the runtime is nodejs99.x" in text


@pytest.mark.semantics("LAYER-25")
async def test_extensions_that_do_not_start_are_named(machine: Path) -> None:
    for name, mode in (
        ("one/extensions/agent", 0o755),
        ("one/extensions/notes.txt", 0o644),
        ("two/extensions/b", 0o755),
    ):
        program(machine / name, "").chmod(mode)
    (machine / "two" / "extensions" / "agent.d").mkdir()
    layers = (machine / "one", machine / "two", machine / "none")
    said = "runs without the extensions of its layers, because Headrace starts none: agent, b"
    program(machine / "code" / "bootstrap", "")
    assert (await command(replace(spec(machine, "provided.al2023"), layers=layers))).remark == said
    found = node(machine / "bin" / "node", 98)
    planned = await command(replace(spec(machine, "nodejs99.x"), layers=layers))
    assert planned.remark == f"runs with Node.js 98 ({found}), the nearest to nodejs99.x that is here; {said}"


@pytest.mark.semantics("RUNTIME-09")
async def test_a_version_without_a_client_of_ours_is_passed_over(machine: Path) -> None:
    old = python(machine / "bin" / "python3.9", 9)
    planned = await command(spec(machine, "python3.9"))
    assert planned.runtime != "python3.9"
    assert "has no runtime client" in await refusal(spec(machine, "python3.9", near=False))
    program(old, "echo 3.9 True False")
    planned = await command(spec(machine, "python3.9"))
    assert (planned.argv[0], planned.links) == (str(old), None)


# --- what is named --------------------------------------------------------------------------------------------------


@pytest.mark.semantics("RUNTIME-08")
async def test_the_setting_names_what_runs_whatever_its_version_is(machine: Path) -> None:
    python(machine / "bin" / "python3.99", 99)
    set_python, set_node = python(machine / "set" / "python", 97), node(machine / "set" / "node", 97)
    given = {"python3.99": str(set_python), "nodejs99.x": str(set_node), "near": False}
    planned = await command(spec(machine, "python3.99", **given))
    assert planned.argv[0] == str(set_python)
    assert planned.remark == f"runs with Python 3.97 ({set_python}), as the setting 'runtimes' says"
    planned = await command(spec(machine, "nodejs99.x", **given))
    assert planned.remark == f"runs with Node.js 97 ({set_node}), as the setting 'runtimes' says"
    assert "/no/python" in await refusal(spec(machine, "python3.99", **{"python3.99": "/no/python"}))
    assert "/no/node" in await refusal(spec(machine, "nodejs99.x", **{"nodejs99.x": "/no/node"}))


@pytest.mark.semantics("RUNTIME-03")
async def test_what_the_function_names_goes_before_the_setting(machine: Path) -> None:
    found, given = python(machine / "bin" / "python3.99", 99), python(machine / "set" / "python", 99)
    setting = {"python3.99": str(given)}
    venv, own = machine / "code" / ".venv" / "bin" / "python", python(machine / "own" / "python", 99)
    assert (await command(spec(machine, "python3.99"))).argv[0] == str(found)
    assert (await command(spec(machine, "python3.99", **setting))).argv[0] == str(given)
    python(venv, 98)
    planned = await command(spec(machine, "python3.99", **setting))
    assert planned.remark == f"runs with Python 3.98 ({venv}), that of its .venv"
    assert (await command(spec(machine, "python3.99", interpreter=own, **setting))).argv[0] == str(own)
    commands = {"python3.99": {"command": ["/bin/sh", "{code}"]}}
    assert (await command(spec(machine, "python3.99", interpreter=own, **commands))).argv[0] == str(own)
    assert (await command(spec(machine, "python3.99", **commands))).argv == ("/bin/sh", str(machine / "code"))


@pytest.mark.semantics("RUNTIME-02", "RUNTIME-11")
async def test_a_command_is_filled_in(machine: Path) -> None:
    java = program(machine / "bin" / "java", "")
    template = ["java", "-cp", "{code}:{code}/lib/*", "-D{{a}}", "Main", "{handler}"]
    given = {each: {"command": template} for each in ("java21", "provided.al2023")}
    planned = await command(spec(machine, "java21", **given))
    code = machine / "code"
    assert planned.argv == (str(java), "-cp", f"{code}:{code}/lib/*", "-D{a}", "Main", "app.handler")
    assert planned.runtime == "java21"
    assert (await command(spec(machine, "provided.al2023", **given))).runtime == ""
    own = program(code / "bin" / "run", "")
    planned = await command(spec(machine, "ruby3.3", **{"ruby3.3": {"command": ["bin/run"]}}))
    assert planned.argv == (str(own),)
    text = await refusal(spec(machine, "ruby3.3", **{"ruby3.3": {"command": ["no-ruby"]}}))
    assert text.startswith("the program 'no-ruby', which 'runtimes' has for ruby3.3, is not on PATH")
