"""Who may invoke a function now: its permits, fair over mappings, and the gate of a function that cannot start.

A permit is held for the length of one invocation, never across a fetch or a back-off. The gate closes when a function
cannot start at all; its mappings then stop fetching, because a queue counts every receive against the message.

    OPEN --close--> CLOSED --probe succeeds, batches in hand--> TRIAL --one of them gets through--> OPEN
                      |  ^                                        |
                      |  +------------------close-----------------+
                      +--probe succeeds, none in hand--> OPEN
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum

import anyio

from ..config.clock import Jitter
from ..config.reasons import Reason, ReasonCode, fault_of_ours
from .core.backoff import Backoff
from .core.observer import GateClosed, GateOpened, Observer
from .invokers.base import Invoker, NotReady, Ready

NOT_YET = Reason(ReasonCode.FUNCTION_PENDING, "has not started yet")


class Permits:
    """At most `limit` invocations of one function at a time, handed out in turn to the mappings that wait.

    A 429 lowers the number by one (never below one), a success raises it by one, up to `limit` (None: no limit of
    ours; the remote side decides).
    """

    def __init__(self, limit: int | None) -> None:
        self._limit = limit
        self._allowed: int | None = limit
        self._taken = 0
        self._queues: OrderedDict[str, deque[anyio.Event]] = OrderedDict()
        self._slack = anyio.Event()

    @property
    def taken(self) -> int:
        return self._taken

    @property
    def allowed(self) -> int | None:
        """How many may run now; None for no limit."""
        return self._allowed

    @property
    def slack(self) -> bool:
        """Whether a permit is free and nobody waits for one."""
        return not self._queues and self._has_free()

    async def wait_slack(self) -> None:
        """Return once a permit is free and nobody waits: what is only lent should not be fetched before."""
        while not self.slack:
            self._slack = anyio.Event() if self._slack.is_set() else self._slack
            await self._slack.wait()

    async def acquire(self, mapping: str) -> None:
        if not self._queues and self._has_free():
            self._taken += 1
            return
        granted = anyio.Event()
        self._queues.setdefault(mapping, deque()).append(granted)
        try:
            await granted.wait()
        except BaseException:
            self._withdraw(mapping, granted)
            raise

    def release(self) -> None:
        self._taken -= 1
        self._grant()

    def relimit(self, limit: int | None) -> None:
        """Another number from now on. Those that run go on."""
        if limit != self._limit:
            self._limit = self._allowed = limit
            self._grant()

    def throttled(self) -> None:
        """The service had no room for an invocation (whose permit is back already): one fewer at a time from now on."""
        self._allowed = max(1, self._taken if self._allowed is None else self._allowed - 1)

    def succeeded(self) -> None:
        if self._allowed is not None and (self._limit is None or self._allowed < self._limit):
            self._allowed += 1
            self._grant()

    def _has_free(self) -> bool:
        return self._allowed is None or self._taken < self._allowed

    def _grant(self) -> None:
        while self._queues and self._has_free():
            mapping, queue = self._queues.popitem(last=False)
            granted = queue.popleft()
            if queue:
                self._queues[mapping] = queue  # to the end of the round: fair over mappings, in order within one
            self._taken += 1
            granted.set()
        if self.slack:
            self._slack.set()

    def _withdraw(self, mapping: str, granted: anyio.Event) -> None:
        """A waiter was cancelled. If its permit came in the same moment, it goes to the next one."""
        if granted.is_set():
            self.release()
            return
        queue = self._queues[mapping]
        queue.remove(granted)
        if not queue:
            del self._queues[mapping]
        self._grant()


class GateState(Enum):
    OPEN = "open"
    CLOSED = "closed"
    TRIAL = "trial"


class Gate:
    """Whether a function can start. `run` probes while it is closed; everything else only looks and reports."""

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
        self._function = function
        self._invoker = invoker
        self._observer = observer
        self._jitter = jitter
        self._backoff = backoff
        self._on_ready = on_ready
        self._state = GateState.OPEN if remembered else GateState.CLOSED
        self._cause: Reason | None = None
        self._failures = 0
        self._in_hand = 0
        self._under_way = 0
        self._probed = 0.0
        self._trial_taken = False
        self._untried = False
        self._renewals = 0
        self._renewed = anyio.Event()
        self._changed = anyio.Event()

    @property
    def state(self) -> GateState:
        return self._state

    @property
    def cause(self) -> Reason | None:
        """Why the gate is not open; None when it is."""
        return self._cause or (None if self._state is GateState.OPEN else NOT_YET)

    @property
    def is_open(self) -> bool:
        return self._state is GateState.OPEN

    async def wait_changed(self) -> None:
        await self._changed.wait()

    async def wait_open(self) -> None:
        """For those who want to fetch."""
        while self._state is not GateState.OPEN:
            await self._changed.wait()

    @contextmanager
    def in_hand(self) -> Iterator[None]:
        """A batch exists that will be invoked as soon as the gate lets it."""
        self._in_hand += 1
        try:
            yield
        finally:
            self._in_hand -= 1
            self._open_unless_awaited()

    @contextmanager
    def under_way(self) -> Iterator[None]:
        """A batch in hand is being invoked, or written to a failure destination: whatever the gate does meanwhile, it
        does not wait for it."""
        self._under_way += 1
        self._open_unless_awaited()
        try:
            yield
        finally:
            self._under_way -= 1

    def _open_unless_awaited(self) -> None:
        """A trial that no batch could take would be for ever."""
        if self._state is GateState.TRIAL and not self._trial_taken and not self._awaited:
            self._to(GateState.OPEN)

    @property
    def _awaited(self) -> bool:
        """Whether a batch could go on trial. One that has been running for long cannot."""
        return self._in_hand > self._under_way

    async def enter(self) -> None:
        """For a batch in hand: return when it may be invoked. On trial, one batch goes first."""
        while self._state is not GateState.OPEN:
            if self._state is GateState.TRIAL and not self._trial_taken:
                self._trial_taken = True
                return
            await self._changed.wait()

    def passed(self) -> None:
        """An invocation reached the function."""
        if self._untried:
            return  # it was invoked as it was before
        self._failures = 0
        if self._state is not GateState.OPEN:
            self._to(GateState.OPEN)

    def withdraw(self) -> None:
        """A batch that entered was not invoked after all (stopped): the trial is another one's."""
        if self._state is GateState.TRIAL:
            self._to(GateState.TRIAL)

    def renew(self) -> None:
        """The function is another one now: nothing is fetched for it before it was probed, which happens at once."""
        self._cause = None
        self._failures = 0
        self._renewals += 1
        self._untried = True
        renewed, self._renewed = self._renewed, anyio.Event()
        renewed.set()
        self._to(GateState.CLOSED)

    def close(self, cause: Reason) -> None:
        """An invocation found that the function cannot start."""
        self._cause = cause
        if self._state is not GateState.CLOSED:
            self._to(GateState.CLOSED)

    async def run(self) -> None:
        """Probe whenever the gate is closed, with back-off. Runs as long as the daemon."""
        while True:
            while self._state is not GateState.CLOSED:
                await self._changed.wait()
            await self._before_probe()
            renewals = self._renewals
            found = await self._probe()
            if renewals == self._renewals:
                self._found(found)

    def _found(self, found: Ready | NotReady) -> None:
        match found:
            case Ready(seconds=seconds):
                self._ready(seconds)
            case NotReady(cause=cause):
                self._failures += 1
                self._cause = cause

    async def _probe(self) -> Ready | NotReady:
        try:
            return await self._invoker.probe()
        except Exception as error:  # a fault of ours must not reach the other functions: told as the cause, tried again
            return NotReady(fault_of_ours(error))

    async def _before_probe(self) -> None:
        """The first probe is at once; after a failure, be it of a probe or of a batch, there is a pause."""
        if not self._cause:
            return
        delay = self._backoff.delay(self._failures, self._jitter()) if self._failures else 0.0
        self._observer.observe(GateClosed(self._function, self._cause, delay))
        with anyio.move_on_after(delay):
            await self._renewed.wait()

    def _ready(self, seconds: float) -> None:
        self._on_ready()
        # A probe that succeeds says little of a remote function: only a batch that got through clears the failures.
        self._failures += 1
        self._untried = False
        self._probed = seconds
        self._to(GateState.TRIAL if self._awaited else GateState.OPEN)

    def _to(self, state: GateState) -> None:
        self._state = state
        self._trial_taken = False
        if state is GateState.OPEN:
            self._cause = None
            # Not before the trial: what answers probes and refuses each batch would be up and down for ever.
            self._observer.observe(GateOpened(self._function, self._probed))
        changed, self._changed = self._changed, anyio.Event()
        changed.set()
