"""How a Python function is started: by which interpreter, and through which runtime client.

The interpreter or venv that the function names; else a `.venv` beside the code; else the one that the setting
`runtimes` has; else the best of those on this machine (`installed.py`), which for `python` without a version is the one
that Headrace runs on, without Headrace's packages. Through the function's own `awslambdaric` where it has one, else
through ours. Used by `launch.py`.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from . import installed, interpreters, runtime_client
from .core.candidates import in_order
from .interpreters import BrokenInterpreter, Interpreter
from .spec import FunctionSpec, RuntimeLaunch
from .start_command import Choice, Command, LaunchRefused, first_that_runs, near, operator, refused

BEFORE_LC_CTYPE = frozenset({"3.8", "3.9", "3.10", "3.11"})
OURS = "{}.{}".format(*sys.version_info[:2])
OLDEST = 10
"""The oldest minor version of Python 3 that runs our runtime client and boto3."""


def plan_python(spec: FunctionSpec) -> Command | LaunchRefused:
    """The command, or what to do for there to be one."""
    assert isinstance(spec.launch, RuntimeLaunch)
    choices = _choices(spec, spec.launch)
    return first_that_runs(choices, lambda choice: _with(spec, choice)) or _missing(spec)


def _missing(spec: FunctionSpec) -> LaunchRefused:
    runtime = spec.runtime
    install = f"install {runtime}, or name an interpreter for it in the setting 'runtimes'"
    return refused(
        spec,
        f"{runtime} is not on this machine",
        "install it, make a .venv beside the code, or name an 'interpreter'",
        operator(f"give the function the runtime python{OURS}", install),
    )


def _choices(spec: FunctionSpec, launch: RuntimeLaunch) -> Iterator[Choice | LaunchRefused]:
    """Those of an earlier rule alone, where it has any."""
    if launch.interpreter is not None:
        path = _interpreter_path(launch.interpreter)
        missing = LaunchRefused(f"there is no interpreter {launch.interpreter!r}: correct 'interpreter' or 'venv'")
        yield Choice(path, near(spec, "its own 'interpreter'")) if path else missing
        return
    venvs = [base / ".venv" / "bin" / "python" for base in (spec.code, spec.code.parent)]
    if venv := next((each for each in venvs if each.exists()), None):
        yield Choice(str(venv), near(spec, "that of its .venv"))
        return
    if program := spec.program:
        yield _set(spec, str(program.interpreter))
        return
    wanted = _minor(spec.runtime.removeprefix("python"))
    for each in in_order(wanted, installed.pythons(), near=spec.runtimes.near):
        yield Choice(each.path, near(spec))


def _set(spec: FunctionSpec, named: str) -> Choice | LaunchRefused:
    """The program that the setting names, whatever its version is: the user asked for it."""
    if path := _interpreter_path(named):
        return Choice(path, "as the setting 'runtimes' says")
    what = f"there is no interpreter {named!r}, which 'runtimes' names for {spec.runtime}"
    correct = "correct 'runtimes'"
    return refused(spec, what, correct, operator("give the function another runtime", correct))


def _minor(version: str) -> int | None:
    return int(version.partition(".")[2]) if version else None


def _interpreter_path(named: str) -> str | None:
    """A program, by path or by name; or a venv's directory."""
    inside = Path(named) / "bin" / "python"
    return str(inside) if inside.exists() else shutil.which(named)


def _with(spec: FunctionSpec, choice: Choice) -> Command | LaunchRefused:
    found = interpreters.python(choice.path)
    if isinstance(found, BrokenInterpreter):
        other = operator("give the function another runtime", "repair it")
        return refused(spec, found.what, "correct the interpreter", other)
    wanted = spec.runtime.removeprefix("python")
    if wanted in ("", found.version):
        return _command(spec, found)
    if not choice.why:
        return _other_version(spec, found)
    planned = _command(spec, found)
    remark = f"runs with Python {found.version} ({found.path}), {choice.why}"
    return replace(planned, remark=remark) if isinstance(planned, Command) else planned


def _other_version(spec: FunctionSpec, found: Interpreter) -> LaunchRefused:
    what = f"{found.path} is Python {found.version}, the runtime is {spec.runtime}"
    other = f"give the function the runtime python{found.version}"
    theirs = f"install {spec.runtime}, or set 'runtimes: {{near: true}}'"
    return refused(spec, what, "name another interpreter", operator(other, theirs))


def _command(spec: FunctionSpec, found: Interpreter) -> Command | LaunchRefused:
    layers = _layers(spec, found.version)
    links: Path | None = None
    if (_minor(found.version) or 0) >= OLDEST:
        links = runtime_client.packages(spec.scratch)
    elif not (found.has_client or any((path / "awslambdaric").is_dir() for path in (spec.code, *layers))):
        return _no_client(spec, found)
    debugger: tuple[str, ...] = ()
    if spec.debug_port is not None:
        if not found.has_debugger:
            return LaunchRefused(f"Python has no debugger to attach to: run {found.path} -m pip install debugpy")
        debugger = ("-Xfrozen_modules=off", "-m", "debugpy", "--listen", f"127.0.0.1:{spec.debug_port}")
    start = str(runtime_client.starts(spec.scratch) / "python_start.py")
    paths = (*map(str, layers), "--", *([str(links)] if links else []))
    variables = {"LC_CTYPE": "C.UTF-8"} if found.version not in BEFORE_LC_CTYPE else {}
    return Command((found.path, *debugger, start, spec.handler, *paths), variables, f"python{found.version}", links)


def _layers(spec: FunctionSpec, version: str) -> list[Path]:
    return [
        layer / path
        for path in (f"python/lib/python{version}/site-packages", "python")
        for layer in reversed(spec.layers)
        if (layer / path).is_dir()
    ]


def _no_client(spec: FunctionSpec, found: Interpreter) -> LaunchRefused:
    what = f"Python {found.version} has no runtime client, and Headrace's is for Python 3.{OLDEST} and newer"
    install = f"run {found.path} -m pip install awslambdaric boto3"
    return refused(spec, what, install, operator("put awslambdaric and boto3 into its package", install))
