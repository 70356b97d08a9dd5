"""From a function's description to the command that starts its runtime. Refuses, with the reason, what cannot start.

Python    `python_plan.py`
Node      `node_plan.py`
provided  the file `bootstrap` in the code, else in a layer; so is any other runtime.
command   as it stands; or as the setting `runtimes` has it for the function's runtime.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import anyio.to_thread

from .node_plan import plan_node
from .python_plan import plan_python
from .spec import CommandLaunch, FunctionSpec, RuntimeLaunch
from .start_command import Command, LaunchRefused, operator, refused

WRAPPER = "AWS_LAMBDA_EXEC_WRAPPER"
WITHOUT_EXTENSIONS = "runs without the extensions of its layers, because Headrace starts none:"


async def plan(spec: FunctionSpec) -> Command | LaunchRefused:
    """The command, or why there is none. Looks at files and asks the interpreter what it is; starts no user code."""
    if not spec.code.is_dir():
        return refused(
            spec, f"the code directory {spec.code} does not exist", "correct 'code'", "upload the code again"
        )
    planned = await anyio.to_thread.run_sync(_planned, spec)
    wrapper = spec.environment.get(WRAPPER)
    if isinstance(planned, Command) and wrapper and not spec.is_provided:
        return replace(planned, argv=(wrapper, *planned.argv), wrapped=True)
    return planned


def _planned(spec: FunctionSpec) -> Command | LaunchRefused:
    planned = _planner(spec)(spec)
    if isinstance(planned, Command) and (names := _extensions(spec)):
        remarks = (planned.remark, f"{WITHOUT_EXTENSIONS} {', '.join(names)}")
        return replace(planned, remark="; ".join(filter(None, remarks)))
    return planned


def _extensions(spec: FunctionSpec) -> list[str]:
    """The names of what AWS starts beside the runtime: the executable files of `/opt/extensions`."""
    files = [each for layer in spec.layers for each in (layer / "extensions").glob("*")]
    return sorted({each.name for each in files if each.is_file() and os.access(each, os.X_OK)})


def _planner(spec: FunctionSpec) -> Callable[[FunctionSpec], Command | LaunchRefused]:
    if isinstance(spec.launch, CommandLaunch):
        return _command
    if isinstance(spec.launch, RuntimeLaunch) and not spec.launch.interpreter and spec.program and spec.program.command:
        return _template
    for family, planner in PLANNERS.items():
        if spec.runtime.startswith(family):
            return planner
    return _elsewhere


# --- command and bootstrap ------------------------------------------------------------------------------------------


def _command(spec: FunctionSpec) -> Command | LaunchRefused:
    assert isinstance(spec.launch, CommandLaunch)
    program = spec.launch.argv[0]
    if (found := _found(spec, program)) is None:
        return LaunchRefused(f"the program {program!r} is not on PATH: install it, or give its path in 'command'")
    return Command((found, *spec.launch.argv[1:]))


def _template(spec: FunctionSpec) -> Command | LaunchRefused:
    """The command that the setting has for the function's runtime."""
    assert spec.program is not None
    program, *arguments = spec.program.argv(str(spec.code), spec.handler)
    if (found := _found(spec, program)) is None:
        what = f"the program {program!r}, which 'runtimes' has for {spec.runtime}, is not on PATH"
        install = "install it, or correct 'runtimes'"
        return refused(spec, what, install, operator("give the function another runtime", install))
    return Command((found, *arguments), runtime="" if spec.is_provided else spec.runtime)


def _found(spec: FunctionSpec, program: str) -> str | None:
    return shutil.which(program, path=spec.environment.get("PATH")) or _beside(spec.code, program)


def _elsewhere(spec: FunctionSpec) -> Command | LaunchRefused:
    """A runtime that AWS has, and we have nothing for: it is left to the function's own bootstrap, if it has one."""
    if _bootstraps(spec):
        return _bootstrap(spec)
    what = f"the runtime {spec.runtime} cannot be run here, because the setting 'runtimes' has no command for it"
    build = "build the function for provided, or give it a bootstrap"
    add = "add one (docs/runtimes-and-images.md has recipes)"
    return refused(spec, what, f"{add}, or {build}", operator(build, add))


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
        return refused(spec, what, "build the function there", "put it into the function's package", missing)
    if not os.access(found, os.X_OK):
        packed = "make it executable before it is packed (chmod +x)"
        denied = "fork/exec /var/task/bootstrap: permission denied"
        return refused(spec, f"{found} is not executable", "chmod +x it", packed, denied)
    if _first_line(found).startswith(b"#!") and _first_line(found).endswith(b"\r\n"):
        what = f"{found} has Windows line ends, so that its interpreter is not found"
        unix = "save it with Unix line ends"
        return refused(spec, what, unix, unix, "fork/exec /var/task/bootstrap: no such file or directory")
    return Command((str(found),))


def _first_line(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.readline(1024)
    except OSError:
        return b""  # the start then reports why


PLANNERS = {"python": plan_python, "nodejs": plan_node, "provided": _bootstrap, "bootstrap": _bootstrap}
"""By what a runtime's name begins with."""
