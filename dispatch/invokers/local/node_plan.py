"""How a Node function is started: by which `node`, and through which runtime client.

The interpreter that the function names; else the one that the setting `runtimes` has; else the best on this machine
(`installed.py`). Through the function's own `aws-lambda-ric`, or a small client of ours. Used by `launch.py`.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import orjson

from . import installed, interpreters, runtime_client
from .core.candidates import in_order
from .interpreters import BrokenInterpreter, NodeVersion
from .spec import FunctionSpec, RuntimeLaunch
from .start_command import Choice, Command, LaunchRefused, first_that_runs, near, operator, refused

NOT_EXPERIMENTAL = {20: ("require-module",), 22: ("require-module", "detect-module")}
"""What these versions do without being asked, and Lambda asks them not to, unless a function's NODE_OPTIONS does:
https://docs.aws.amazon.com/lambda/latest/dg/lambda-nodejs.html"""


def plan_node(spec: FunctionSpec) -> Command | LaunchRefused:
    """The command, or what to do for there to be one."""
    assert isinstance(spec.launch, RuntimeLaunch)
    choices = _choices(spec, spec.launch)
    return first_that_runs(choices, lambda choice: _with(spec, choice)) or _missing(spec)


def _missing(spec: FunctionSpec) -> LaunchRefused:
    here = ", ".join(dict.fromkeys(f"Node.js {each.version} ({each.path})" for each in installed.nodes()))
    what = f"{spec.runtime} is not on this machine" + (f", which has {here}" if here else "")
    install = "install it, or name a node for it in the setting 'runtimes'"
    advice = f"{install}, or set 'runtimes: {{near: true}}'" if here else install
    return refused(spec, what, advice, operator("give the function another runtime", advice))


def _choices(spec: FunctionSpec, launch: RuntimeLaunch) -> Iterator[Choice | LaunchRefused]:
    """Those of an earlier rule alone, where it has any."""
    if launch.interpreter is not None:
        yield _named(spec, launch.interpreter, near(spec, "its own 'interpreter'"), "correct 'interpreter'")
    elif program := spec.program:
        correct = "correct 'runtimes'"
        yield _named(spec, str(program.interpreter), "as the setting 'runtimes' says", correct)
    else:
        for each in in_order(_major(spec.runtime), installed.nodes(), near=spec.runtimes.near):
            yield Choice(each.path, near(spec))


def _named(spec: FunctionSpec, named: str, why: str, correct: str) -> Choice | LaunchRefused:
    if path := shutil.which(named):
        return Choice(path, why)
    other = operator("give the function another runtime", correct)
    return refused(spec, f"there is no interpreter {named!r} for {spec.runtime}", correct, other)


def _major(runtime: str) -> int | None:
    version = runtime.removeprefix("nodejs").removesuffix(".x")
    return int(version) if version else None


def _with(spec: FunctionSpec, choice: Choice) -> Command | LaunchRefused:
    version = interpreters.node(choice.path)
    if isinstance(version, BrokenInterpreter):
        other = operator("give the function another runtime", "repair it")
        return refused(spec, version.what, "correct the interpreter", other)
    runtime = f"nodejs{version.major}.x"
    if spec.runtime in ("nodejs", runtime):
        return _command(spec, choice.path, version, runtime)
    if not choice.why:
        what = f"{choice.path} is Node.js {version.major}, the runtime is {spec.runtime}"
        other = operator(f"give the function the runtime {runtime}", f"install {spec.runtime}")
        return refused(spec, what, "name another interpreter, or nodejs for any", other)
    remark = f"runs with Node.js {version.major} ({choice.path}), {choice.why}"
    return replace(_command(spec, choice.path, version, runtime), remark=remark)


def _command(spec: FunctionSpec, node: str, version: NodeVersion, runtime: str) -> Command:
    modules = _modules_of_layers(spec, version)
    variables = {"NODE_PATH": os.pathsep.join(str(path) for path in (*modules, spec.code))}
    start = _own_client((spec.code / "node_modules", *modules)) or _our_client(spec)
    debugger = () if spec.debug_port is None else (f"--inspect=127.0.0.1:{spec.debug_port}",)
    options = without_experiments(version, spec.environment.get("NODE_OPTIONS", ""))
    return Command((node, *options, *debugger, str(start), spec.handler), variables, runtime)


def _modules_of_layers(spec: FunctionSpec, version: NodeVersion) -> list[Path]:
    """Those for this version first."""
    return [
        layer / "nodejs" / path
        for path in (f"node{version.major}/node_modules", "node_modules")
        for layer in reversed(spec.layers)
        if (layer / "nodejs" / path).is_dir()
    ]


def without_experiments(version: NodeVersion, asked: str) -> tuple[str, ...]:
    if (version.major, version.minor) < (20, 19):
        return ()  # they do not do it by themselves, and older ones do not know the options
    names = NOT_EXPERIMENTAL.get(version.major, ())
    return tuple(f"--no-experimental-{name}" for name in names if f"--experimental-{name}" not in asked.split())


def _our_client(spec: FunctionSpec) -> Path:
    return runtime_client.starts(spec.scratch) / "node" / "start.mjs"


def _own_client(directories: Iterable[Path]) -> Path | None:
    """What starts the `aws-lambda-ric` that the function or a layer has; where that is depends on its version."""
    for package in (directory / "aws-lambda-ric" for directory in directories):
        try:
            programs = orjson.loads((package / "package.json").read_bytes())["bin"]
        except (OSError, ValueError, LookupError, TypeError):
            continue
        program = programs.get("aws-lambda-ric") if isinstance(programs, dict) else programs
        if isinstance(program, str) and (package / program).is_file():
            return package / program
    return None
