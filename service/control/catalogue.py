"""The existing functions, for the code that runs and invokes them: data types and the protocol.

`control/store/function_plane.py` implements it; the running functions, Invoke and asynchronous invocation use
it. Creating, changing and deleting functions is not part of this module.
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
    """One version of one function, with all that is needed to run it."""

    name: str
    version: str
    """`$LATEST` or a number."""
    arn: str
    """The function's ARN, unqualified."""
    state: str
    """`Active`; `Pending` while it is being created, `Failed` while its code is lost: an invocation is then refused."""
    runtime: str
    handler: str
    """Empty for runtimes that need none."""
    code: PurePath
    """The directory with the unpacked package. It stays while a version uses it or a caller is `holding` it."""
    layers: tuple[PurePath, ...]
    """Directories laid out as under `/opt`; a later one wins. They stay as the code does."""
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
    stored: bool
    """Whether the code is stored and shared; else it is a directory of the user's."""
    live: bool
    """Whether the code or a layer is a directory of the user's, whose changes the next invocation sees."""
    held: frozenset[str]
    """Hashes of the stored code and layers."""
    identity: str
    """Identity of the code and of all values with which an environment starts: a change requires new environments."""


@dataclass(frozen=True, slots=True)
class AsynchronousSettings:
    """How to deliver asynchronous invocations of one function and qualifier."""

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
        """The version to run; None: no such function, version or alias, or a function of the configuration file, which
        is not part of the catalogue. `draw` in [0, 1) picks the version of an alias that has two; 1 takes the main one.
        While an update is in progress, `$LATEST` is still the previous version."""
        ...

    def reserved(self, name: str) -> int | None:
        """Reserved concurrency; None where there is none."""
        ...

    def asynchronous(self, name: str, qualifier: str = "") -> AsynchronousSettings:
        """The event-invoke configuration of exactly this qualifier, or the defaults."""
        ...

    def holding(self, runnable: Runnable) -> AbstractContextManager[None]:
        """The version's code stays on the disk while the body runs, also when no version uses it any more."""
        ...

    def watch(self, changed: Callable[[str], None]) -> None:
        """Call it with the function's name after each change of a function, its versions, aliases, concurrency or
        event-invoke configuration, and after its end."""
        ...
