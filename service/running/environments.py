"""The environments of the API's functions: one invoker for each version in use, a new one as soon as code or
configuration change, none after the version is deleted.

    invoke ──► which version is it now? ──► a place ──► its invoker, made on demand ──► Reply
                                                            │ changed, gone, or unused while many are warm
                                                            └──► retired: what runs goes on, then its processes end

A function without invocations has no environment. Mappings use this through `function_references.py`, Invoke and
asynchronous invocation call this directly.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

import anyio

from ...config.clock import Clock, Jitter
from ...config.core.stop_budget import PATIENCE
from ...config.reasons import Reason, ReasonCode
from ...dispatch.core.model import Attempt, Reply, Throttled, Unreachable
from ...dispatch.invokers.base import CLOSED, Invocation, Invoker, NotReady, Ready
from ...dispatch.turns import turn
from ..control.catalogue import LATEST, Catalogue, Runnable
from .core.concurrency import Concurrency

WARM = 100
"""Maximum idle versions that are kept ready, with or without a process
(`dispatch/invokers/local/core/warm.py` limits the processes); beyond it, the versions that were idle for longest
end."""
FIRST_INITS = 4
"""Maximum functions that are tried without an event at a time: a thousand may come at once."""
LONG_INIT = 2.0
"""Seconds after which a slow try lets the next one begin."""
THROTTLED = 429
CONFLICT = 409
NOTHING_MAY_RUN = Reason(ReasonCode.FUNCTION_THROTTLED, "its reserved concurrency is 0: raise or delete it")


def missing(name: str, qualifier: str) -> Reason:
    """The reason why the function cannot run, and what to do."""
    which = f" with the version or alias {qualifier}" if qualifier else ""
    return Reason(ReasonCode.FUNCTION_MISSING, f"function {name}{which} does not exist: create it")


def inactive(state: str) -> Reason:
    """Why a function in this state (`Pending` or `Failed`) does not run, and what to do."""
    if state == "Failed":
        return Reason(ReasonCode.FUNCTION_CANNOT_START, "it is Failed: its code is lost, upload it again")
    return Reason(ReasonCode.FUNCTION_PENDING, f"it is {state}: wait for it")


@dataclass(slots=True, eq=False)
class _VersionEntry:
    """The invoker of one version, current or retired."""

    identity: str
    invoker: Invoker
    holds: ExitStack
    """The version's code, which stays on the disk as long as a process runs it."""
    running: int = 0
    retired: bool = False


class Environments:
    """`make` makes an invoker for a runnable; it starts no process by itself."""

    def __init__(
        self, catalogue: Catalogue, make: Callable[[Runnable], Invoker], shared: int, clock: Clock, jitter: Jitter
    ) -> None:
        self.catalogue = catalogue
        self._make = make
        self.shared = shared
        """Invocations at a time of all functions without reserved concurrency."""
        self._concurrency = Concurrency(shared)
        self._clock = clock
        self._jitter = jitter
        self._entries: OrderedDict[tuple[str, str], _VersionEntry] = OrderedDict()
        self._retired: set[_VersionEntry] = set()
        self._retiring = anyio.Event()
        self._first = anyio.CapacityLimiter(FIRST_INITS)
        self._closed = False
        catalogue.watch(self._changed)

    async def invoke(self, name: str, qualifier: str, invocation: Invocation) -> Reply:
        """One invocation of the function that the reference names now."""
        started = self._clock.wall()
        runnable = self.catalogue.runnable(name, qualifier, self._jitter())
        if runnable is None:
            return self._unreachable(invocation, started, missing(name, qualifier))
        if self._closed:
            return self._unreachable(invocation, started, CLOSED)
        if runnable.state != "Active":
            cause = inactive(runnable.state).of(f"function {name}")
            return self._unreachable(invocation, started, cause, CONFLICT)
        place = self._concurrency.take(name, self.catalogue.reserved(name))
        if isinstance(place, str):
            return Throttled(self._attempt(invocation, started, THROTTLED), reason=place)
        arn = invocation.invoked_arn or (f"{runnable.arn}:{qualifier}" if qualifier else runnable.arn)
        try:
            with self._using(runnable) as invoker:
                return await invoker.invoke(replace(invocation, invoked_arn=arn))
        finally:
            self._concurrency.give_back(place)

    async def probe(self, name: str, qualifier: str) -> tuple[Ready | NotReady, str]:
        """Find out without an event whether the function can start; also returns the identity of the tried version."""
        async with turn(self._first, LONG_INIT):
            runnable = self.catalogue.runnable(name, qualifier)
            if runnable is None:
                return NotReady(missing(name, qualifier)), ""
            if self._closed:
                return NotReady(CLOSED), ""
            if runnable.state != "Active":
                return NotReady(inactive(runnable.state)), ""
            if self.catalogue.reserved(name) == 0:
                return NotReady(NOTHING_MAY_RUN), ""
            with self._using(runnable) as invoker:
                return await invoker.probe(), runnable.identity

    async def run(self) -> None:
        """End retired invokers, until cancelled."""
        while True:
            self._retiring = anyio.Event()
            async with anyio.create_task_group() as tasks:
                for entry in [each for each in self._retired if not each.running]:
                    tasks.start_soon(self._let_go, entry)
            await self._retiring.wait()

    async def aclose(self) -> None:
        """End every process, busy or idle. May be called again."""
        self._closed = True
        async with anyio.create_task_group() as tasks:
            for entry in (*self._entries.values(), *self._retired):
                tasks.start_soon(entry.invoker.aclose)

    # --- which invoker ----------------------------------------------------------------------------------------------

    def _current(self, runnable: Runnable) -> _VersionEntry:
        key = (runnable.name, runnable.version)
        entry = self._entries.get(key)
        if entry is not None and entry.identity != runnable.identity:
            self._retire(key)
            entry = None
        if entry is None:
            entry = self._entries[key] = self._made(runnable)
            self._make_room(key)
        self._entries.move_to_end(key)
        return entry

    def _made(self, runnable: Runnable) -> _VersionEntry:
        holds = ExitStack()
        holds.enter_context(self.catalogue.holding(runnable))
        return _VersionEntry(runnable.identity, self._make(runnable), holds)

    def _make_room(self, fresh: tuple[str, str]) -> None:
        excess = len(self._entries) - WARM
        if excess > 0:
            unused = [key for key, entry in self._entries.items() if not entry.running and key != fresh]
            for key in unused[:excess]:
                self._retire(key)

    def _changed(self, name: str) -> None:
        """Retire versions that changed or were deleted."""
        for key in [key for key in self._entries if key[0] == name]:
            version = "" if key[1] == LATEST else key[1]
            runnable = self.catalogue.runnable(name, version)
            if runnable is None or runnable.identity != self._entries[key].identity:
                self._retire(key)

    def _retire(self, key: tuple[str, str]) -> None:
        entry = self._entries.pop(key)
        entry.retired = True
        self._retired.add(entry)
        self._retiring.set()

    # --- using it ---------------------------------------------------------------------------------------------------

    @contextmanager
    def _using(self, runnable: Runnable) -> Iterator[Invoker]:
        """The invoker of this version; it is not ended while the body runs."""
        entry = self._current(runnable)
        entry.running += 1
        try:
            yield entry.invoker
        finally:
            entry.running -= 1
            if entry.retired and not entry.running:
                self._retiring.set()

    async def _let_go(self, entry: _VersionEntry) -> None:
        """Ends a retired invoker that is not in use any more."""
        self._retired.discard(entry)
        with anyio.move_on_after(PATIENCE, shield=True):
            await entry.invoker.aclose()
        entry.holds.close()

    def _unreachable(self, invocation: Invocation, started: float, cause: Reason, status: int | None = None) -> Reply:
        return Unreachable(self._attempt(invocation, started, status), cause, down=True)

    def _attempt(self, invocation: Invocation, started: float, status: int | None) -> Attempt:
        return Attempt(invocation.request_id, started, self._clock.wall(), status)
