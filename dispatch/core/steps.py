"""The next steps of a batch, as values. Made by `planner`, carried out by the dispatcher."""

from __future__ import annotations

from dataclasses import dataclass

from .model import Attempt, BatchKind, DiscardReason, FailedItems, Fate, FunctionFailed, discarded
from .pages import Records


@dataclass(frozen=True, slots=True)
class InvokeStep:
    """Invoke the function with these records, then answer with `Planner.on(call, …)`."""

    call: int
    kind: BatchKind
    records: Records
    """Empty only for a WINDOW_END."""
    state: bytes
    """The tumbling window's state, JSON; `{}` without one."""
    attempt: int
    """The number of this attempt, from 1. A throttled invocation is repeated under the same number."""


@dataclass(frozen=True, slots=True)
class SettleStep:
    """These records have their fate: settle them at the source."""

    records: Records
    """Empty only when `closes`: the final invocation of a window without records."""
    fate: Fate
    state: bytes | None = None
    """The tumbling window's new state, which goes into the store with the commit; None: as it was."""
    closes: bool = False
    """The tumbling window is over: its state is dropped with the commit."""
    running: bool = False
    """An invocation with these records is still under way; its outcome will not change their fate (`withdraw`)."""


@dataclass(frozen=True, slots=True)
class DiscardStep:
    """Policy gave up on these records: write the failure destination, then settle them as `fate`.

    There is nothing to acknowledge: the records have their fate once the step is handed out.
    """

    records: Records
    """Empty only when `closes`: the final invocation of a window without records."""
    reason: DiscardReason
    last: Attempt | None
    """The last invocation that these records failed in; None when there was none."""
    invocations: int
    """Attempts that count for these records, by AWS's rules: a fresh count after progress and after a bisect."""
    failure: FunctionFailed | FailedItems | None
    """The result of `last`."""
    closes: bool = False
    """The same as in `SettleStep`: the window's final invocation failed for good, its state is dropped."""

    @property
    def fate(self) -> Fate:
        return discarded(self.reason)


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do before `until` (monotonic), unless an outcome, a stop or a withdrawal comes first. Infinite while
    an invocation is in flight."""

    until: float


@dataclass(frozen=True, slots=True)
class Done:
    """Every record has been handed out with its fate. After a withdrawal the last invocation may still be running."""


Step = InvokeStep | SettleStep | DiscardStep | Wait | Done


@dataclass(frozen=True, slots=True)
class Retry:
    """News for observers: these records will be invoked again in `delay` seconds."""

    records: Records
    attempt: int
    """Attempts used up so far."""
    delay: float


@dataclass(frozen=True, slots=True)
class Skip:
    """The answer to who gives up on one record."""

    record: str
    """Its name."""
    waits: bool
    """An invocation has it: it is given up when that ends without taking it."""


@dataclass(frozen=True, slots=True)
class Halved:
    """News for observers: this failing batch was split in two."""

    records: Records
