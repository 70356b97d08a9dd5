"""The environments of the API's functions: an invoker for each version that is used, another one as soon as its code or
configuration is another, none once it is gone.

    invoke ──► which version is it now? ──► a place ──► its invoker, made on demand ──► Reply
                                                            │ changed, gone, or unused while many are warm
                                                            └──► retired: what runs goes on, then its processes end

Nothing is kept for a function that nobody invokes. Mappings come through `function_references.py`, Invoke and
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
"""Versions that are kept ready at a time without being in use, with or without a process
(`dispatch/invokers/local/core/warm.py` bounds those); beyond it, the ones that were not used for longest end."""
FIRST_INITS = 4
"""Functions at a time that are tried without an event: a thousand may come at once."""
LONG_INIT = 2.0
"""Seconds after which one that is tried waits for something, and the next one has its turn."""
THROTTLED = 429
CONFLICT = 409
NOTHING_MAY_RUN = Reason(ReasonCode.FUNCTION_THROTTLED, "its reserved concurrency is 0: raise or delete it")


def missing(name: str, qualifier: str) -> Reason:
    """Why there is nothing to run, and what to do."""
    which = f" with the version or alias {qualifier}" if qualifier else ""
    return Reason(ReasonCode.FUNCTION_MISSING, f"function {name}{which} does not exist: create it")


def pending(text: str) -> Reason:
    return Reason(ReasonCode.FUNCTION_PENDING, text)


@dataclass(slots=True, eq=False)
class _VersionEntry:
    """The invoker of one version as it is, or was."""

    identity: str
    invoker: Invoker
    holds: ExitStack
    """Its code, which stays on the disk as long as something runs it."""
    running: int = 0
    retired: bool = False


class Environments:
    """`make` makes an invoker for what is run; it starts nothing by itself."""

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
        """One invocation of what the reference means now."""
        started = self._clock.wall()
        runnable = self.catalogue.runnable(name, qualifier, self._jitter())
        if runnable is None:
            return self._unreachable(invocation, started, missing(name, qualifier))
        if self._closed:
            return self._unreachable(invocation, started, CLOSED)
        if runnable.state != "Active":
            cause = pending(f"function {name} is {runnable.state}: wait for it")
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
        """Find out without an event whether it can start; and the identity of what was tried."""
        async with turn(self._first, LONG_INIT):
            runnable = self.catalogue.runnable(name, qualifier)
            if runnable is None:
                return NotReady(missing(name, qualifier)), ""
            if self._closed:
                return NotReady(CLOSED), ""
            if runnable.state != "Active":
                return NotReady(pending(f"it is {runnable.state}")), ""
            if self.catalogue.reserved(name) == 0:
                return NotReady(NOTHING_MAY_RUN), ""
            with self._using(runnable) as invoker:
                return await invoker.probe(), runnable.identity

    async def run(self) -> None:
        """End what was retired, until this is cancelled."""
        while True:
            self._retiring = anyio.Event()
            async with anyio.create_task_group() as tasks:
                for entry in [each for each in self._retired if not each.running]:
                    tasks.start_soon(self._let_go, entry)
            await self._retiring.wait()

    async def aclose(self) -> None:
        """End every process, whatever it does. May be called again."""
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
        """What is not what it was, or is gone, is not invoked any more."""
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
        """The invoker of this, which is not ended meanwhile."""
        entry = self._current(runnable)
        entry.running += 1
        try:
            yield entry.invoker
        finally:
            entry.running -= 1
            if entry.retired and not entry.running:
                self._retiring.set()

    async def _let_go(self, entry: _VersionEntry) -> None:
        """The end of a retired invoker that nobody uses any more."""
        self._retired.discard(entry)
        with anyio.move_on_after(PATIENCE, shield=True):
            await entry.invoker.aclose()
        entry.holds.close()

    def _unreachable(self, invocation: Invocation, started: float, cause: Reason, status: int | None = None) -> Reply:
        return Unreachable(self._attempt(invocation, started, status), cause, down=True)

    def _attempt(self, invocation: Invocation, started: float, status: int | None) -> Attempt:
        return Attempt(invocation.request_id, started, self._clock.wall(), status)
