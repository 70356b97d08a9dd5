"""Stores the API's functions, serialises calls per function, and notifies watchers.

    change ──► decide (pure) ──► one durable transaction ──► in memory ──► watchers ──► the answer

Readers see only durable state. Calls on one function are serialised; calls on several functions share their wait for
the disk. Time is the only other cause of a change: a creation or update is settled a moment later (`run`),
so that clients see both states. The functions of the configuration file are here too, read-only; a function of the API
with the same name stays stored, but hidden.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager
from functools import partial

import anyio

from ....config.clock import Clock
from ....config.durable.faults import StoreUnavailable
from ....config.function import AnyFunction
from .. import as_documents, event_invokes, from_file, functions, names, runnables
from ..catalogue import AsynchronousSettings, Runnable
from ..model import Answer, Decision, Function, Moment, Package
from ..names import Home, Named
from ..refusals import ApiError, conflict, service
from .code import CodeStore
from .document_store import Documents

WINDOW = 0.5
"""Seconds that a function is Pending, or its update InProgress. Our choice: long enough for clients to see it."""
AGAIN = 1.0
"""Seconds between attempts to store a settled function."""

Decide = Callable[[Function | None, Moment], Decision]
Check = Callable[[Function | None, Function], Awaitable[None]]
"""Raises ApiError for a change that must not happen."""


async def no_check(before: Function | None, after: Function) -> None:
    """Checks nothing."""


class FunctionPlane:
    """A `Catalogue`, and the calls that change it. Belongs to the running event loop."""

    def __init__(
        self,
        documents: Documents,
        code: CodeStore,
        here: Home,
        configured: Mapping[str, AnyFunction],
        *,
        clock: Clock,
        window: float = WINDOW,
        fresh: Callable[[], str] = lambda: str(uuid.uuid4()),
        layers: Callable[[], Iterable[Package]] = tuple,
    ) -> None:
        """`window`: seconds between Pending and Active, InProgress and Successful; 0: at once. `fresh`: a new text
        each time. `layers`: packages that are kept besides those of functions."""
        self.here = here
        self.code = code
        self._documents = documents
        self._clock = clock
        self._window = window
        self._fresh = fresh
        self._layers = layers
        self._filed = from_file.functions(configured, here, self._moment())
        self._functions = as_documents.functions(
            documents.all(as_documents.FUNCTION), documents.all(as_documents.VERSION), here
        )
        self._turns: dict[str, tuple[anyio.Lock, int]] = {}
        self._watchers: list[Callable[[str], None]] = []
        self._due: dict[str, float] = {}
        self._lost: frozenset[str] = frozenset()
        """The code that was missing at the last check."""
        self._unused = True
        """Whether there may be code that no function uses."""
        self._changed = anyio.Event()
        self._stored = anyio.Event()
        """Set after each change of a function."""
        code.released = self._sweep_soon
        code.regained = self._tell_regained

    # --- looking -----------------------------------------------------------------------------------------------------

    def find(self, name: str) -> Function | None:
        return self._filed.get(name) or self._functions.get(name)

    def all(self) -> Mapping[str, Function]:
        """Every function, by name."""
        return {**self._functions, **self._filed}

    @property
    def hidden(self) -> list[str]:
        """Functions of the API that a function of the configuration file hides."""
        return sorted(self._functions.keys() & self._filed.keys())

    def is_filed(self, name: str) -> bool:
        return name in self._filed

    def is_named(self, text: str) -> bool:
        """Whether this names a function of ours, in whichever spelling; its qualifier is not looked at."""
        try:
            return self.find(names.resolve(text, self.here).name) is not None
        except ApiError:
            return False

    def is_there(self, arn: str) -> bool:
        """Whether the function exists here, and its qualifier, if it has one."""
        try:
            named = names.resolve(arn, self.here)
        except ApiError:
            return False
        function = self.find(named.name)
        return function is not None and function.resolve(named.qualifier) is not None

    async def settled(self, name: str, patience: float) -> None:
        """Until nothing of the function is under way, or it is gone; `patience` seconds at most."""
        with anyio.move_on_after(patience):
            while (function := self.find(name)) is not None and function.settling:
                await self._stored.wait()

    def refile(self, configured: Mapping[str, AnyFunction], other: Collection[str]) -> None:
        """The configuration file has these functions from now on. `other`: names of those that are not as they were;
        watchers hear of them."""
        made = from_file.functions(configured, self.here, self._moment())
        self._filed = {name: each if name in other else self._filed[name] for name, each in made.items()}
        for name in other:
            for changed in self._watchers:
                changed(name)

    # --- the catalogue -----------------------------------------------------------------------------------------------

    def exists(self, name: str) -> bool:
        return self._of_api(name) is not None

    def runnable(self, name: str, qualifier: str = "", draw: float = 1.0) -> Runnable | None:
        function = self._of_api(name)
        version = runnables.served(function, qualifier, draw) if function else None
        if function is None or version is None:
            return None
        return runnables.runnable(function, version, self.code.place)

    def latest(self, function: Function) -> Runnable:
        """The runnable of `$LATEST`, whether the function is stored yet or not."""
        return runnables.runnable(function, function.latest, self.code.place)

    def reserved(self, name: str) -> int | None:
        function = self._of_api(name)
        return function.reserved if function else None

    def asynchronous(self, name: str, qualifier: str = "") -> AsynchronousSettings:
        return event_invokes.settings(self._of_api(name), qualifier)

    @contextmanager
    def holding(self, runnable: Runnable) -> Iterator[None]:
        with ExitStack() as stack:
            for sha256 in runnable.held:
                stack.enter_context(self.code.held(sha256))
            yield

    def watch(self, changed: Callable[[str], None]) -> None:
        self._watchers.append(changed)

    def _of_api(self, name: str) -> Function | None:
        return None if name in self._filed else self._functions.get(name)

    # --- changing ----------------------------------------------------------------------------------------------------

    def refuse_filed(self, named: Named) -> None:
        """Raises ApiError for a function of the configuration file, which only the file may change."""
        if named.name in self._filed:
            raise conflict(
                f"The function {named.name} is defined in the configuration file: "
                "change it there and reload Headrace, or use another name."
            )

    async def change(self, named: Named, decide: Decide, check: Check = no_check) -> Answer:
        """Decide, check, store, answer. Raises the errors of `decide` and `check`, and then nothing changed."""
        self.refuse_filed(named)
        async with self._turn(named.name):
            before = self._functions.get(named.name)
            after, answer = decide(before, self._moment())
            if after is not None and after != before:
                await check(before, after)
            if after != before:
                await self._keep(named.name, before, after)
        return answer

    @asynccontextmanager
    async def _turn(self, name: str) -> AsyncIterator[None]:
        lock, users = self._turns.get(name, (anyio.Lock(), 0))
        self._turns[name] = (lock, users + 1)
        try:
            async with lock:
                yield
        finally:
            lock, users = self._turns.pop(name)
            if users > 1:
                self._turns[name] = (lock, users - 1)

    async def _keep(self, name: str, before: Function | None, after: Function | None) -> None:
        if after is not None and after.settling and self._window == 0:
            after = functions.settle(after, self._moment())
        puts, deletes = as_documents.changes(before, after)
        try:
            await self._documents.write(puts, deletes, partial(self._remember, name, before, after))
        except StoreUnavailable as error:
            raise service(str(error)) from error

    def _remember(self, name: str, before: Function | None, after: Function | None) -> None:
        """Called in the step in which the change is known to be durable: updates memory and notifies watchers in one
        step."""
        self._due.pop(name, None)
        stored, self._stored = self._stored, anyio.Event()
        stored.set()
        if after is None:
            del self._functions[name]
        else:
            self._functions[name] = functions.standing(after, self.code.lost)
            if after.settling:
                self._due[name] = self._clock.monotonic() + self._window
                self._wake()
        if before is not None and not before.packages <= (after.packages if after else frozenset()):
            self._sweep_soon()
        self._tell((name, *self._look_at_code(name)))

    def _tell_regained(self) -> None:
        """Code that was lost was uploaded again, of whatever function or layer."""
        self._tell(self._look_at_code())

    def _tell(self, names: Iterable[str]) -> None:
        for each in names:
            for changed in self._watchers:
                changed(each)

    def _look_at_code(self, but: str = "") -> list[str]:
        """Set every function's state by its code. Returns the names of the functions whose state changed, without this
        one."""
        if self._lost == self.code.lost:
            return []
        self._lost = self.code.lost
        before = dict(self._functions)
        self._functions = {name: functions.standing(each, self._lost) for name, each in before.items()}
        return [name for name, each in self._functions.items() if each != before[name] and name != but]

    def _moment(self) -> Moment:
        return Moment(self._clock.wall(), self._fresh())

    # --- time --------------------------------------------------------------------------------------------------------

    async def start(self) -> list[str]:
        """Settle changes that a dead daemon left unsettled, and clean up the code. Returns the functions whose code is
        lost: they are Failed until it is uploaded again. Raises StoreUnavailable when the directory of the code cannot
        be used."""
        now = self._clock.monotonic()
        self._due = {name: now for name, function in self._functions.items() if function.settling}
        await self._settle_due()
        await self.code.repair(self._packages())
        await self.sweep()
        return sorted(self._look_at_code())

    async def run(self) -> None:
        """Settle functions when they are due, until cancelled."""
        while True:
            changed = self._changed
            wait = await self._settle_due()
            if self._unused:
                await self.sweep()
            with anyio.move_on_after(wait):
                await changed.wait()

    async def _settle_due(self) -> float | None:
        """Seconds until the next function is due; None when none is."""
        now = self._clock.monotonic()
        async with anyio.create_task_group() as tasks:  # together, so that they share their wait for the disk
            for name in [name for name, due in self._due.items() if due <= now]:
                del self._due[name]
                tasks.start_soon(self._settle, name)
        return max(0.0, min(self._due.values()) - self._clock.monotonic()) if self._due else None

    async def _settle(self, name: str) -> None:
        async with self._turn(name):
            before = self._functions.get(name)
            if before is None or not before.settling:
                return
            try:
                await self._keep(name, before, functions.settle(before, self._moment()))
            except ApiError:  # it could not be stored
                self._due[name] = self._clock.monotonic() + AGAIN

    async def sweep(self) -> None:
        """Delete the code that no function uses and no caller holds."""
        self._unused = False
        await self.code.sweep(self._packages)

    def _sweep_soon(self) -> None:
        self._unused = True
        self._wake()

    def _packages(self) -> frozenset[str]:
        kept = frozenset(each.sha256 for each in self._layers() if not each.directory)
        return kept.union(*(function.packages for function in self._functions.values()))

    def _wake(self) -> None:
        changed, self._changed = self._changed, anyio.Event()
        changed.set()
