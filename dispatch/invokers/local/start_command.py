"""The result of `launch.py`: the command that starts a runtime, or why there is none; and the choice of a program for
it. Used by the plans of each language."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from ....config.reasons import Reason
from ..base import cannot_start
from .spec import FunctionSpec


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
    remark: str = ""
    """What differs from AWS: the runtime that runs in place of the one that the function names, and the extensions that
    do not start. Empty where nothing does."""


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


def refused(spec: FunctionSpec, what: str, configured: str, uploaded: str, entrypoint_error: str = "") -> LaunchRefused:
    """With advice: for a configured function, or for an uploaded one, which has only a runtime and a package: who calls
    the API can change nothing else of the machine, so what the operator can do is said as that.
    `entrypoint_error`: as AWS words it."""
    return LaunchRefused(f"{what}: {uploaded if spec.uploaded else configured}", entrypoint_error)


def operator(other: str, theirs: str) -> str:
    """Advice for who calls the API: what they can do, and what the operator of Headrace can."""
    return f"{other}; or the operator of Headrace can {theirs}"


@dataclass(frozen=True, slots=True)
class Choice:
    """A program that may run the function."""

    path: str
    why: str = ""
    """Why it may be of another version than the runtime's; empty where it may not."""


def first_that_runs(
    choices: Iterable[Choice | LaunchRefused], planned_with: Callable[[Choice], Command | LaunchRefused]
) -> Command | LaunchRefused | None:
    """The command of the first choice that runs the function, else why the first one does not; None for no choice."""
    first: LaunchRefused | None = None
    for choice in choices:
        planned = planned_with(choice) if isinstance(choice, Choice) else choice
        if isinstance(planned, Command):
            return planned
        first = first or planned
    return first


def near(spec: FunctionSpec, whose: str = "") -> str:
    """The reason for which a choice may be of another version, as the setting `runtimes.near` says."""
    if not spec.runtimes.near:
        return ""
    return whose or f"the nearest to {spec.runtime} that is here"
