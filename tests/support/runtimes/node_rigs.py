"""The ways to run a small function for Node.js: under AWS's client or under ours, as of which version of Node.js."""

from __future__ import annotations

import functools
import shutil
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from headrace.dispatch.invokers.local.runtime_client import HERE
from headrace.dispatch.invokers.local.spec import CommandLaunch, Launch, RuntimeLaunch

from . import clients
from .cases import Case, Seen
from .observing import observe

Generation = Literal["callbacks", "promises"]
"""Up to Node.js 22, or from Node.js 24 on."""
GENERATIONS: tuple[Generation, ...] = ("callbacks", "promises")
Client = Literal["aws", "ours"]

AS_OF: dict[Generation, str] = {"callbacks": "nodejs22.x", "promises": "nodejs24.x"}
VERSION: dict[Generation, int] = {"callbacks": 3, "promises": 4}
OURS = HERE / "node" / "start.mjs"


@dataclass(frozen=True, slots=True)
class Native:
    """The runtime of one version of Node.js, as users have it: what is planned for it runs the function."""

    major: int
    program: str
    generation: Generation

    async def observe(self, case: Case, client: Client, directory: Path) -> Seen:
        launch = RuntimeLaunch(f"nodejs{self.major}.x", case.handler, self.program)

        def prepare(code: Path) -> None:
            if client == "aws":
                _install(code, self.generation)

        layer = {name.replace("{major}", str(self.major)): source for name, source in case.layer.items()}
        return await observe(replace(case, layer=layer), launch, directory, prepare)


@dataclass(frozen=True, slots=True)
class AsOf:
    """One generation of clients on the Node.js that is there, whatever its version: quick, and without layers."""

    generation: Generation

    async def observe(self, case: Case, client: Client, directory: Path) -> Seen:
        assert not case.layer
        environment = {
            **case.environment,
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{AS_OF[self.generation]}",
            "NODE_PATH": str(directory / "code"),
        }
        start = directory / "start.mjs"
        launch: Launch = CommandLaunch(("node", str(OURS if client == "ours" else start), case.handler), case.handler)

        def prepare(code: Path) -> None:
            if client == "aws":
                start.write_text(_shim(self.generation))

        return await observe(replace(case, environment=environment), launch, directory, prepare)


def natives() -> list[Native]:
    """Those that this machine can have: its own Node.js, and the others from npm."""
    found = [(major, clients.node(major)) for major in (22, 24)]
    others = [Native(major, str(node), "callbacks" if major < 24 else "promises") for major, node in found if node]
    return [Native(*_here()), *others]


@functools.cache
def _here() -> tuple[int, str, Generation]:
    node = shutil.which("node")
    assert node is not None
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    major = int(version.removeprefix("v").split(".")[0])
    return major, node, "callbacks" if major < 24 else "promises"


def _shim(generation: Generation) -> str:
    module = clients.client(VERSION[generation])
    if generation == "callbacks":
        return f'import {{ run }} from "{module}"; await run(process.cwd(), process.argv[2]);'
    return f'import "{module}";'


def _install(code: Path, generation: Generation) -> None:
    """Where a function that brings the client has it."""
    package = code / "node_modules" / "aws-lambda-ric"
    package.mkdir(parents=True)
    (package / "package.json").write_text('{"bin": {"aws-lambda-ric": "start.mjs"}}')
    (package / "start.mjs").write_text(_shim(generation))
