"""From a function's description to the command that starts its runtime. Refuses, with the reason, what cannot start.

Python    the interpreter or venv that the function names; else a `.venv` beside the code; else the runtime's name on
          PATH (`python` alone: the interpreter that Headrace itself runs on, without Headrace's packages). Through the
          function's own `awslambdaric` where it has one, else ours when the minor version is the same.
Node      `node` on PATH (or the interpreter named), through the function's own `aws-lambda-ric` or a small one of ours.
provided  the file `bootstrap` in the code, else in a layer; so is any other runtime.
command   as it stands.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

import anyio.to_thread
import orjson

from ....config.reasons import Reason
from ..base import cannot_start
from . import interpreters, runtime_client
from .interpreters import BrokenInterpreter, Interpreter, NodeVersion
from .spec import CommandLaunch, FunctionSpec, RuntimeLaunch

WRAPPER = "AWS_LAMBDA_EXEC_WRAPPER"


@dataclass(frozen=True, slots=True)
class Command:
    """How to start the runtime."""

    argv: tuple[str, ...]
    variables: dict[str, str] = field(default_factory=dict)
    """The variables that the language adds to the environment."""
    runtime: str = ""
    """AWS's name of the runtime that runs, version included, e.g. `python3.12`; empty where AWS has none."""
    links: Path | None = None
    """A directory of links to what it needs, wherever that is."""
    wrapped: bool = False
    """It is started through the function's own AWS_LAMBDA_EXEC_WRAPPER."""


@dataclass(frozen=True, slots=True)
class LaunchRefused:
    """The runtime cannot be started."""

    text: str
    """The missing part and what to do, in one line."""
    entrypoint_error: str = ""
    """AWS's words after `Error: ` where it has some (`Runtime.InvalidEntrypoint`)."""

    @property
    def reason(self) -> Reason:
        return cannot_start(self.text)


async def plan(spec: FunctionSpec) -> Command | LaunchRefused:
    """The command, or why there is none. Looks at files and asks the interpreter what it is; starts no user code."""
    if not spec.code.is_dir():
        return _refused(
            spec, f"the code directory {spec.code} does not exist", "correct 'code'", "upload the code again"
        )
    planned = await anyio.to_thread.run_sync(_planner(spec), spec)
    wrapper = spec.environment.get(WRAPPER)
    if isinstance(planned, Command) and wrapper and not spec.runtime.startswith("provided"):
        return replace(planned, argv=(wrapper, *planned.argv), wrapped=True)
    return planned


def _refused(
    spec: FunctionSpec, what: str, configured: str, uploaded: str, entrypoint_error: str = ""
) -> LaunchRefused:
    """With advice: for a configured function, or for an uploaded one, which has only a runtime and a package.
    `entrypoint_error`: as AWS words it."""
    return LaunchRefused(f"{what}: {uploaded if spec.uploaded else configured}", entrypoint_error)


def _planner(spec: FunctionSpec) -> Callable[[FunctionSpec], Command | LaunchRefused]:
    if isinstance(spec.launch, CommandLaunch):
        return _command
    for family, planner in PLANNERS.items():
        if spec.runtime.startswith(family):
            return planner
    return _elsewhere


# --- command and bootstrap ------------------------------------------------------------------------------------------


def _command(spec: FunctionSpec) -> Command | LaunchRefused:
    assert isinstance(spec.launch, CommandLaunch)
    program, *arguments = spec.launch.argv
    found = shutil.which(program, path=spec.environment.get("PATH")) or _beside(spec.code, program)
    if found is None:
        return LaunchRefused(f"the program {program!r} is not on PATH: install it, or give its path in 'command'")
    return Command((found, *arguments))


def _elsewhere(spec: FunctionSpec) -> Command | LaunchRefused:
    """A runtime that AWS has, and we have nothing for: it is left to the function's own bootstrap, if it has one."""
    if _bootstraps(spec):
        return _bootstrap(spec)
    return LaunchRefused(
        f"the runtime {spec.runtime} cannot be run here, only python, nodejs and provided can: "
        "build the function for provided, or give it a bootstrap"
    )


def _beside(code: Path, program: str) -> str | None:
    path = code / program
    return str(path) if os.sep in program and path.is_file() else None


def _bootstraps(spec: FunctionSpec) -> list[Path]:
    candidates = [spec.code / "bootstrap", *(layer / "bootstrap" for layer in reversed(spec.layers))]
    return [path for path in candidates if path.exists()]


def _bootstrap(spec: FunctionSpec) -> Command | LaunchRefused:
    found = next(iter(_bootstraps(spec)), None)
    if found is None:
        what = f"there is no file 'bootstrap' in {spec.code}"
        missing = "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]"
        return _refused(spec, what, "build the function there", "put it into the function's package", missing)
    if not os.access(found, os.X_OK):
        packed = "make it executable before it is packed (chmod +x)"
        denied = "fork/exec /var/task/bootstrap: permission denied"
        return _refused(spec, f"{found} is not executable", "chmod +x it", packed, denied)
    if _first_line(found).startswith(b"#!") and _first_line(found).endswith(b"\r\n"):
        what = f"{found} has Windows line ends, so that its interpreter is not found"
        unix = "save it with Unix line ends"
        return _refused(spec, what, unix, unix, "fork/exec /var/task/bootstrap: no such file or directory")
    return Command((str(found),))


def _first_line(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.readline(1024)
    except OSError:
        return b""  # the start then reports why


# --- Python ---------------------------------------------------------------------------------------------------------


BEFORE_LC_CTYPE = frozenset({"3.8", "3.9", "3.10", "3.11"})
OURS = "{}.{}".format(*sys.version_info[:2])


def _python(spec: FunctionSpec) -> Command | LaunchRefused:
    assert isinstance(spec.launch, RuntimeLaunch)
    found = _find_python(spec, spec.launch)
    if isinstance(found, LaunchRefused):
        return found
    wanted = spec.runtime.removeprefix("python")
    if wanted and found.version != wanted:
        what = f"{found.path} is Python {found.version}, the runtime is {spec.runtime}"
        return _refused(spec, what, "name another interpreter", f"give the function the runtime python{found.version}")
    layers = [
        path
        for layer in reversed(spec.layers)
        for path in (layer / "python" / "lib" / f"python{found.version}" / "site-packages", layer / "python")
        if path.is_dir()
    ]
    links: Path | None = None
    if not (found.has_client or any((path / "awslambdaric").is_dir() for path in (spec.code, *layers))):
        if found.version != OURS:
            what = f"Python {found.version} of the function has no runtime client, and Headrace's client is for {OURS}"
            install = f"run {found.path} -m pip install awslambdaric boto3"
            return _refused(spec, what, install, f"put awslambdaric and boto3 into its package, or {install}")
        links = runtime_client.packages(spec.scratch)
    elif found.version == OURS:
        links = runtime_client.packages(spec.scratch)
    debugger: tuple[str, ...] = ()
    if spec.debug_port is not None:
        if not found.has_debugger:
            return LaunchRefused(f"Python has no debugger to attach to: run {found.path} -m pip install debugpy")
        debugger = ("-Xfrozen_modules=off", "-m", "debugpy", "--listen", f"127.0.0.1:{spec.debug_port}")
    start = str(runtime_client.starts(spec.scratch) / "python_start.py")
    argv = (
        found.path,
        *debugger,
        start,
        spec.handler,
        *(str(path) for path in layers),
        "--",
        *([str(links)] if links else []),
    )
    variables = {"LC_CTYPE": "C.UTF-8"} if found.version not in BEFORE_LC_CTYPE else {}
    return Command(argv, variables, f"python{found.version}", links)


def _find_python(spec: FunctionSpec, launch: RuntimeLaunch) -> Interpreter | LaunchRefused:
    if launch.interpreter is not None:
        path = _interpreter_path(launch.interpreter)
        if path is None:
            return LaunchRefused(f"there is no interpreter {launch.interpreter!r}: correct 'interpreter' or 'venv'")
        return _ask(spec, path)
    for base in (spec.code, spec.code.parent):
        venv = base / ".venv" / "bin" / "python"
        if venv.exists():
            return _ask(spec, str(venv))
    return _ask_path(spec)


def _interpreter_path(named: str) -> str | None:
    """A program, by path or by name; or a venv's directory."""
    inside = Path(named) / "bin" / "python"
    return str(inside) if inside.exists() else shutil.which(named)


def _ask_path(spec: FunctionSpec) -> Interpreter | LaunchRefused:
    """The interpreter that the runtime's name stands for on this machine."""
    own, runtime = str(getattr(sys, "_base_executable", sys.executable)), spec.runtime
    if runtime in ("python", f"python{OURS}"):
        return _ask(spec, own)
    refused = _refused(
        spec,
        f"{runtime} is not on PATH",
        "install it, make a .venv beside the code, or name an 'interpreter'",
        f"install it where Headrace runs, or give the function the runtime python{OURS}",
    )
    for directory in os.get_exec_path():  # what stands first may be a shim for what is not installed
        if (path := shutil.which(runtime, path=directory)) is not None:
            found = _ask(spec, path)
            if isinstance(found, Interpreter):
                return found
            refused = found
    return refused


def _ask(spec: FunctionSpec, path: str) -> Interpreter | LaunchRefused:
    found = interpreters.python(path)
    return _broken(spec, found) if isinstance(found, BrokenInterpreter) else found


def _broken(spec: FunctionSpec, found: BrokenInterpreter) -> LaunchRefused:
    other = "repair it, or give the function another runtime"
    return _refused(spec, found.what, "correct the interpreter", other)


# --- Node -----------------------------------------------------------------------------------------------------------

NOT_EXPERIMENTAL = {20: ("require-module",), 22: ("require-module", "detect-module")}
"""What these versions do without being asked, and Lambda asks them not to, unless a function's NODE_OPTIONS does:
https://docs.aws.amazon.com/lambda/latest/dg/lambda-nodejs.html"""


def _node(spec: FunctionSpec) -> Command | LaunchRefused:
    assert isinstance(spec.launch, RuntimeLaunch)
    node = shutil.which(spec.launch.interpreter or "node")
    if node is None:
        what = f"{spec.launch.interpreter or 'node'} is not on PATH"
        return _refused(spec, what, "install Node.js, or name an 'interpreter'", "install Node.js where Headrace runs")
    version = interpreters.node(node)
    if isinstance(version, BrokenInterpreter):
        return _broken(spec, version)
    runtime = f"nodejs{version.major}.x"
    if spec.runtime not in ("nodejs", runtime):
        what = f"{node} is Node.js {version.major}, the runtime is {spec.runtime}"
        wanted = spec.runtime.removeprefix("nodejs").removesuffix(".x")
        other = f"give the function the runtime {runtime}, or install Node.js {wanted} where Headrace runs"
        return _refused(spec, what, "name another interpreter, or nodejs for any", other)
    modules = _modules_of_layers(spec, version)
    variables = {"NODE_PATH": os.pathsep.join(str(path) for path in (*modules, spec.code))}
    start = _own_client((spec.code / "node_modules", *modules)) or _our_client(spec)
    debugger = () if spec.debug_port is None else (f"--inspect=127.0.0.1:{spec.debug_port}",)
    options = _without_experiments(version, spec.environment.get("NODE_OPTIONS", ""))
    return Command((node, *options, *debugger, str(start), spec.handler), variables, runtime)


def _modules_of_layers(spec: FunctionSpec, version: NodeVersion) -> list[Path]:
    """Those for this version first."""
    return [
        layer / "nodejs" / path
        for path in (f"node{version.major}/node_modules", "node_modules")
        for layer in reversed(spec.layers)
        if (layer / "nodejs" / path).is_dir()
    ]


def _without_experiments(version: NodeVersion, asked: str) -> tuple[str, ...]:
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


PLANNERS = {"python": _python, "nodejs": _node, "provided": _bootstrap, "bootstrap": _bootstrap}
"""By what a runtime's name begins with."""
