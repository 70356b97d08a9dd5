"""The functions that exist, as those see them who run and invoke them: the words and the protocol.

`control/store/function_plane.py` implements it; the running functions, Invoke and asynchronous invocation use
it. How functions come, change and go is not here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import PurePath
from typing import Protocol

LATEST = "$LATEST"


@dataclass(frozen=True, slots=True)
class Runnable:
    """One version of one function, as it is run."""

    name: str
    version: str
    """`$LATEST` or a number."""
    arn: str
    """Of the function, unqualified."""
    state: str
    """`Active`; `Pending` while it is being created, `Failed` while its code is lost: to be refused, not run."""
    runtime: str
    handler: str
    """Empty where none was given, for runtimes that need none."""
    code: PurePath
    """The directory with the unpacked package. It stays while a version has it or somebody is `holding` it."""
    layers: tuple[PurePath, ...]
    timeout: int
    """Seconds."""
    memory_size: int
    """MB."""
    environment: Mapping[str, str]
    role: str
    log_group: str
    log_format: str
    """`Text` or `JSON`."""
    application_log_level: str
    """Empty with the format Text."""
    system_log_level: str
    """Empty with the format Text."""
    dead_letter: str
    """ARN of the dead-letter target of asynchronous invocations; empty for none."""
    identity: str
    """Changes when new environments are needed: of the code and of all that an environment is started with."""


@dataclass(frozen=True, slots=True)
class AsynchronousSettings:
    """How asynchronous invocations of one function and qualifier are delivered."""

    maximum_retry_attempts: int = 2
    maximum_event_age: int = 21_600
    """Seconds."""
    on_success: str = ""
    """ARN; empty for none."""
    on_failure: str = ""


class Catalogue(Protocol):
    """The functions of the API. A qualifier is a version, an alias, or empty for `$LATEST`."""

    def exists(self, name: str) -> bool:
        """Whether the API has a function of this name, whatever its versions; not the functions of the file."""
        ...

    def runnable(self, name: str, qualifier: str = "", draw: float = 1.0) -> Runnable | None:
        """What to run; None: no such function, version or alias, or it is one of the configuration file, which has a
        target of its own. `draw` in [0, 1) picks the version of an alias that has two; 1 takes the main one. While an
        update is in progress, `$LATEST` is still what it was before."""
        ...

    def reserved(self, name: str) -> int | None:
        """Reserved concurrency; None where there is none."""
        ...

    def asynchronous(self, name: str, qualifier: str = "") -> AsynchronousSettings:
        """The event-invoke configuration of exactly this qualifier, or the defaults."""
        ...

    def holding(self, runnable: Runnable) -> AbstractContextManager[None]:
        """Its code stays on the disk meanwhile, also when no version has it any more."""
        ...

    def watch(self, changed: Callable[[str], None]) -> None:
        """Call it with the function's name after each change of a function, its versions, aliases, concurrency or
        event-invoke configuration, and after its end."""
        ...
