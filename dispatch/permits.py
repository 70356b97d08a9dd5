"""Waiting for a function: for one of its permits, and for its gate. What is decided, `core/permits.py` and
`core/gate.py` decide.

A permit is held for the length of one invocation, never across a fetch or a back-off. The gate probes while it is shut
(`run`), lets batches in, hears what came of them, and wakes those who wait.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import anyio

from ..config.clock import Jitter
from ..config.reasons import Reason, ReasonCode, fault_of_ours
from .core.backoff import Backoff
from .core.gate import GateState, GateStep, RestingGate, ShutGate
from .core.observer import Observer
from .core.permits import PermitTurns
from .invokers.base import Invoker, NotReady, Ready

NOT_YET = Reason(ReasonCode.FUNCTION_PENDING, "has not started yet")


class Permits:
    """At most `limit` invocations of one function at a time, handed out in turn to the mappings that wait; as
    `PermitTurns`."""

    def __init__(self, limit: int | None) -> None:
        self._turns = PermitTurns(limit)
        self._waiting: dict[int, PermitClaim] = {}
        self._slack = anyio.Event()

    @property
    def taken(self) -> int:
        return self._turns.taken

    @property
    def allowed(self) -> int | None:
        """How many may run now; None for no limit."""
        return self._turns.allowed

    @property
    def slack(self) -> bool:
        """Whether a permit is free and nobody waits for one."""
        return self._turns.slack

    async def wait_slack(self) -> None:
        """Return once a permit is free and no request waits: messages that are only lent should not be fetched
        before."""
        while not self.slack:
            self._slack = anyio.Event() if self._slack.is_set() else self._slack
            await self._slack.wait()

    @contextmanager
    def claim(self, mapping: str) -> Iterator[PermitClaim]:
        """A permit for this mapping, once it is `granted`. The claim is removed however the block ends."""
        claim = PermitClaim(self, mapping)
        try:
            yield claim
        finally:
            self._end(claim)

    def ask(self, claim: PermitClaim) -> None:
        """It is granted now, or later in its turn."""
        claim.number = self._turns.ask(claim.mapping)
        if claim.number is None:
            claim.grant()
        else:
            self._waiting[claim.number] = claim

    def relimit(self, limit: int | None) -> None:
        """Change the limit. Running invocations continue."""
        self._grant(self._turns.relimit(limit))

    def throttled(self) -> None:
        """The service had no room for an invocation (whose permit is back already): one fewer at a time from now on."""
        self._turns.throttled()

    def succeeded(self) -> None:
        self._grant(self._turns.succeeded())

    def _end(self, claim: PermitClaim) -> None:
        if claim.held:
            self._grant(self._turns.give_back())
        elif claim.number is not None:
            del self._waiting[claim.number]
            self._turns.withdraw(claim.mapping, claim.number)

    def _grant(self, numbers: list[int]) -> None:
        for number in numbers:
            self._waiting.pop(number).grant()
        if self.slack:
            self._slack.set()


class PermitClaim:
    """One invocation's permit, from asking for it until it is back."""

    def __init__(self, permits: Permits, mapping: str) -> None:
        self.mapping = mapping
        self.number: int | None = None
        """The number of its request, where it had to wait."""
        self._permits = permits
        self._granted = anyio.Event()

    @property
    def held(self) -> bool:
        return self._granted.is_set()

    def grant(self) -> None:
        self._granted.set()

    async def granted(self) -> None:
        """Ask for it, once, and return when it is there."""
        self._permits.ask(self)
        if not self.held:
            await self._granted.wait()


class Gate:
    """Whether a function can start. `run` probes while that is not known; everything else only looks and reports."""

    def __init__(
        self,
        function: str,
        invoker: Invoker,
        *,
        observer: Observer,
        jitter: Jitter,
        backoff: Backoff,
        remembered: bool = False,
        on_ready: Callable[[], None] = lambda: None,
    ) -> None:
        """`remembered`: the function started in an earlier run, unchanged, and is expected to start again until the
        gate is woken. `on_ready` is called for each successful probe of the current function."""
        self._invoker = invoker
        self._observer = observer
        self._jitter = jitter
        self._on_ready = on_ready
        self._state = GateState(function, backoff, RestingGate() if remembered else ShutGate())
        self._changed = anyio.Event()
        """For those who wait to fetch or to invoke."""
        self._moved = anyio.Event()
        """For the one who probes."""

    @property
    def state(self) -> GateState:
        return self._state

    @property
    def is_open(self) -> bool:
        """Whether all mappings may invoke, and fetch records that come again."""
        return self._state.is_open

    @property
    def is_seen(self) -> bool:
        """Whether the function was seen to start in this run, so that all mappings may also fetch messages that are
        only lent."""
        return self._state.is_seen

    @property
    def is_resting(self) -> bool:
        """Whether a start of the function is only remembered from an earlier run."""
        return self._state.is_resting

    @property
    def is_shut(self) -> bool:
        """Whether nobody may invoke, not even one batch on trial."""
        return self._state.is_shut

    @property
    def cause(self) -> Reason | None:
        """Why the gate is not open; None when it is."""
        return self._state.cause or (None if self.is_open else NOT_YET)

    async def wait_changed(self) -> None:
        await self._changed.wait()

    async def wait_seen(self) -> None:
        """For pollers that fetch messages that are only lent. A resting gate opens only after `wake`."""
        while not self.is_seen:
            await self._changed.wait()

    @contextmanager
    def in_hand(self) -> Iterator[None]:
        """A batch exists that will be invoked as soon as the gate lets it."""
        self.move(self._state.take())
        try:
            yield
        finally:
            self.move(self._state.leave())

    @contextmanager
    def under_way(self) -> Iterator[None]:
        """A batch in hand is being invoked, or written to a failure destination: whatever the gate does meanwhile, it
        does not wait for it."""
        self.move(self._state.begin())
        try:
            yield
        finally:
            self.move(self._state.end())

    @contextmanager
    def entry(self) -> Iterator[GateEntry]:
        """An invocation of a batch in hand. However it ends, no trial is left that waits for it."""
        entry = GateEntry(self, self._now, self._jitter)
        try:
            yield entry
        finally:
            entry.withdraw()

    def wake(self) -> None:
        """A source that only lends has messages: a resting gate probes the function at once."""
        self.move(self._state.wake())

    def renew(self) -> None:
        """The function changed: it is probed at once, and nothing is fetched for it before that."""
        self.move(self._state.renew())

    def move(self, step: GateStep) -> None:
        """The next state in the place of this one."""
        before, self._state = self._state, step.state
        if step.news is not None:
            self._observer.observe(step.news)
        if self._state.standing != before.standing:
            moved, self._moved = self._moved, anyio.Event()
            moved.set()
        if self._state.wake_key != before.wake_key:
            changed, self._changed = self._changed, anyio.Event()
            changed.set()

    # --- probing ----------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Probe whenever that is due. Runs as long as the daemon."""
        while True:
            step = self._state.probe(self._now())
            self.move(step)
            if step.number is not None:
                await self._probe(step.number)
            else:
                with anyio.CancelScope(deadline=self._state.due):
                    await self._moved.wait()

    async def _probe(self, number: int) -> None:
        try:
            found = await self._invoker.probe()
        except Exception as error:  # a fault of ours must not reach the other functions: told as the cause, tried again
            found = NotReady(fault_of_ours(error))
        except BaseException:
            self.move(self._state.cut(number, self._now()))
            raise
        match found:
            case Ready(seconds=seconds):
                if self._state.counts(number):
                    self._on_ready()
                self.move(self._state.ready(number, seconds))
            case NotReady(cause=cause):
                self.move(self._state.not_ready(number, cause, self._now(), self._jitter()))

    def _now(self) -> float:
        return anyio.current_time()


class GateEntry:
    """One invocation's way through the gate, and its report about the function."""

    def __init__(self, gate: Gate, now: Callable[[], float], jitter: Jitter) -> None:
        self._gate = gate
        self._now = now
        self._jitter = jitter
        self._number: int | None = None

    async def admitted(self) -> None:
        """Return when the batch may be invoked. On trial, one batch goes first."""
        while not self._enter():
            await self._gate.wait_changed()

    def _enter(self) -> bool:
        step = self._gate.state.enter()
        self._number = step.number
        self._gate.move(step)
        return step.number is not None

    def passed(self) -> None:
        """The invocation reached the function."""
        if self._number is not None:
            self._gate.move(self._gate.state.passed(self._number))

    def failed(self, cause: Reason) -> None:
        """The invocation found that the function cannot start."""
        if self._number is not None:
            self._gate.move(self._gate.state.failed(self._number, cause, self._now(), self._jitter()))

    def withdraw(self) -> None:
        """It did not begin, or its result tells nothing about the function."""
        if self._number is not None:
            self._gate.move(self._gate.state.withdraw(self._number))
