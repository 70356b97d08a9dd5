"""The specification of a local function, independent of the form of the configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ....config.fields.runtimes import RuntimeProgram, Runtimes

Isolation = Literal["auto", "env", "namespace"]
LogFormat = Literal["Text", "JSON"]
LATEST = "$LATEST"


@dataclass(frozen=True, slots=True)
class RuntimeLaunch:
    """A handler under a managed runtime: `python3.12`, `nodejs20.x`, or `provided.*` for a `bootstrap` file."""

    runtime: str
    handler: str
    interpreter: str | None = None
    """Program that runs the code: a path, or a name on PATH. None: the rules of `launch`."""


@dataclass(frozen=True, slots=True)
class CommandLaunch:
    """Any program that speaks the Runtime API."""

    argv: tuple[str, ...]
    handler: str = ""


@dataclass(frozen=True, slots=True)
class ExternalLaunch:
    """A runtime that another program starts, such as an IDE."""

    port: int = 0
    """Port of the Runtime API; 0 for any free one."""


Launch = RuntimeLaunch | CommandLaunch | ExternalLaunch


@dataclass(frozen=True, slots=True)
class Logging:
    """How a function's log is written, and under which name."""

    group: str = ""
    """Empty: the one that is named after the function."""
    format: LogFormat = "Text"
    application_level: str = "INFO"
    """The least important records of the runtime that are written; with the format JSON only."""
    system_level: str = "INFO"
    """The least important lines of the platform (DEBUG, INFO, WARN); with the format JSON only."""


def default_log_group(name: str) -> str:
    return f"/aws/lambda/{name}"


@dataclass(frozen=True, slots=True)
class FunctionSpec:
    """Everything that an environment of the function is made from. A change of any of it means new environments."""

    name: str
    launch: Launch
    code: Path
    """Directory of the code; the working directory of the runtime."""
    scratch: Path
    """Directory that is ours to fill: temporary directories, the runtime clients."""
    version: str = LATEST
    """`$LATEST` or a number."""
    timeout: float | None = 3.0
    """Seconds of an invocation; None for no limit (a debugger is attached)."""
    concurrency: int = 1
    environment: Mapping[str, str] = field(default_factory=dict)
    layers: tuple[Path, ...] = ()
    """Directories laid out as under `/opt`; a later one wins."""
    memory_size: int = 128
    isolation: Isolation = "auto"
    runtimes: Runtimes = field(default_factory=Runtimes)
    """The operator's programs for runtimes."""
    uploaded: bool = False
    """Whether it came through the API, and not from a configuration file: no process may write its layers, which are
    shared."""
    read_only: bool = False
    """Whether the code is stored and shared: no process may write it."""
    reload: bool = True
    """Whether a change of code or layers ends the environments of the old ones."""
    reload_after: float = 1.0
    """Seconds for which a look at the files is good; 0: each invocation looks."""
    debug_port: int | None = None
    """Loopback port that a debugger attaches to."""
    idle_timeout: float = 300.0
    """Seconds after which an unused environment ends."""
    region: str = "us-east-1"
    account: str = "000000000000"
    aws: Mapping[str, str] = field(default_factory=dict)
    """Endpoint and credential variables that the function may have."""
    logging: Logging = field(default_factory=lambda: Logging())

    @property
    def arn(self) -> str:
        """Unqualified."""
        return f"arn:aws:lambda:{self.region}:{self.account}:function:{self.name}"

    @property
    def log_group(self) -> str:
        return self.logging.group or default_log_group(self.name)

    @property
    def init_timeout(self) -> float:
        """Seconds that an init may take before anything is fetched for the function."""
        return max(10.0, self.timeout or 10.0)

    @property
    def handler(self) -> str:
        return "" if isinstance(self.launch, ExternalLaunch) else self.launch.handler

    @property
    def runtime(self) -> str:
        """AWS's name of the runtime; empty where there is none."""
        return self.launch.runtime if isinstance(self.launch, RuntimeLaunch) else ""

    @property
    def program(self) -> RuntimeProgram | None:
        """The operator's program for its runtime."""
        return self.runtimes.programs.get(self.runtime)

    @property
    def is_provided(self) -> bool:
        """Whether its runtime is the function's own: AWS sets no execution environment and takes no wrapper there."""
        return self.runtime.startswith("provided")
