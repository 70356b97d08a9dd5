"""What is known of functions at work: environments, starts, invocations by mappings. Pure, in bounded memory."""

from __future__ import annotations

from dataclasses import dataclass

MOST = 2000
"""Functions that are remembered; of more, those that did something last."""


@dataclass(frozen=True, slots=True)
class FunctionWork:
    """One function since the daemon's start."""

    environments: int = 0
    """Processes that run it now."""
    cold_starts: int = 0
    """Environments that were started in all, with an invocation waiting for them or before any."""
    last_init: float | None = None
    """Seconds that the last start took; None before the first."""
    invocations: int = 0
    """By mappings; those that failed included."""
    failures: int = 0
    """Invocations that failed, or named records as failed, or were refused."""
    last_seconds: float | None = None
    """How long the last invocation took; None before the first."""


@dataclass(slots=True)
class _FunctionState:
    environments: int = 0
    cold_starts: int = 0
    last_init: float | None = None
    invocations: int = 0
    failures: int = 0
    last_seconds: float | None = None


class FunctionModels:
    """By the function's name: invocations under the name that a mapping uses, environments under the plain one, which
    all of its versions share."""

    def __init__(self) -> None:
        self._states: dict[str, _FunctionState] = {}

    def started(self, function: str, seconds: float) -> None:
        state = self._of(function)
        state.environments += 1
        state.cold_starts += 1
        state.last_init = round(seconds, 3)

    def ended(self, function: str, number: int) -> None:
        state = self._of(function)
        state.environments = max(0, state.environments - number)

    def invoked(self, function: str, seconds: float, *, failed: bool) -> None:
        state = self._of(function)
        state.invocations += 1
        state.failures += failed
        state.last_seconds = round(seconds, 3)

    def work(self, function: str) -> FunctionWork:
        used = self._states.get(function, _FunctionState())
        runs = self._states.get(function.partition(":")[0], _FunctionState())
        return FunctionWork(
            runs.environments, runs.cold_starts, runs.last_init, used.invocations, used.failures, used.last_seconds
        )

    def _of(self, function: str) -> _FunctionState:
        state = self._states.pop(function, None) or _FunctionState()
        self._states[function] = state
        if len(self._states) > MOST:
            del self._states[next(iter(self._states))]
        return state
