"""The gate of one function: whether it can start, and so who may fetch and who may invoke. Pure.

                  due                ready, a batch waits            passed
    ┌──► SHUT ──────────► PROBING ─────────────────────► TRIAL ──────────────────► OPEN
    │     ▲  ▲   not ready   │ │                          │  │ none waits any more   ▲ │
    │     │  └───────────────┘ └──────────────────────────┼──┴───────────────────────┘ │
    │     │                         ready, none waits     │                            │
    │     └───────────────────── failed ──────────────────┴────────────────────────────┘
    └── renewed, from everywhere                       passed: from everywhere to OPEN
        woken, from RESTING                            failed: from RESTING to SHUT

While it is not OPEN nothing is fetched, because a queue counts every receive against the message. SHUT waits for the
next probe, with a back-off that grows until an invocation reaches the function: a successful probe proves little about
a remote function. On TRIAL one batch in hand goes first and the others wait for what comes of it.

A gate begins RESTING when the function started well in an earlier run: nobody saw a start in this run, and nobody
probes it. Records that a source gives again are fetched and invoked nevertheless. Messages that a source only lends (a
receive counts) are not fetched: the poller that finds waiting messages wakes the gate, and a probe shows whether the
function still starts.

Every entry and every probe has a number, given in order. A result of one that began before the function changed
(`renew`) says nothing about the current function, and changes nothing. Nor does the result of any probe but the current
one. `permits.Gate` waits, probes and tells; it holds one `GateState` and puts the next one in its place.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import inf
from typing import assert_never

from ...config.reasons import Reason
from .backoff import Backoff
from .observer import GateClosed, GateOpened


@dataclass(frozen=True, slots=True)
class ShutGate:
    """No mapping may fetch or invoke. The first probe is at once, and so is the probe after a failure of a running
    function."""

    cause: Reason | None = None
    """None: nothing is known of the current function yet."""
    failures: int = 0
    """Probes since an invocation last reached the function, whether they succeeded or not."""
    due: float = -inf
    """Monotonic time of the next probe."""


@dataclass(frozen=True, slots=True)
class ProbingGate:
    """A probe is running."""

    cause: Reason | None
    failures: int
    probe: int
    """Its number."""


@dataclass(frozen=True, slots=True)
class TrialGate:
    """The last probe succeeded. The first batch in hand that asks is let in, and no other until that one is over."""

    cause: Reason | None
    failures: int
    seconds: float
    """How long its start took."""
    holder: int | None = None
    """The entry of the batch that is on trial."""


@dataclass(frozen=True, slots=True)
class OpenGate:
    """The function was seen to start. All mappings may fetch and invoke."""

    failures: int = 0
    """The same number as in `ShutGate`: more than 0 until the first invocation since the last probe reached the
    function."""


@dataclass(frozen=True, slots=True)
class RestingGate:
    """The function started in an earlier run, unchanged, and is expected to start again. All mappings may invoke, and
    may fetch records that come again."""


Standing = ShutGate | ProbingGate | TrialGate | OpenGate | RestingGate


@dataclass(frozen=True, slots=True)
class GateState:
    """A gate at one moment. Each method is one transition; `now` is monotonic, `jitter` in [0, 1)."""

    function: str
    backoff: Backoff
    standing: Standing = field(default_factory=ShutGate)
    in_hand: int = 0
    """Batches that exist and are to be invoked as soon as that is possible."""
    under_way: int = 0
    """Those of them that are being invoked, or written to a failure destination: none of them can go on trial now."""
    last: int = 0
    """The number that was given last."""
    renewed: int = 0
    """Entries and probes up to this number began before the function changed."""

    @property
    def is_open(self) -> bool:
        """Whether all mappings may invoke, and fetch records that come again."""
        return isinstance(self.standing, OpenGate | RestingGate)

    @property
    def is_seen(self) -> bool:
        """Whether the function was seen to start, so that all mappings may also fetch messages that are only lent."""
        return isinstance(self.standing, OpenGate)

    @property
    def is_resting(self) -> bool:
        """Whether a start of the function is only remembered from an earlier run."""
        return isinstance(self.standing, RestingGate)

    @property
    def is_shut(self) -> bool:
        """Whether nobody may invoke, not even one batch on trial."""
        return isinstance(self.standing, ShutGate | ProbingGate)

    @property
    def cause(self) -> Reason | None:
        """Why it is not open, as far as that is known; None when it is."""
        return None if isinstance(self.standing, OpenGate | RestingGate) else self.standing.cause

    @property
    def due(self) -> float:
        """Monotonic time of the next probe; infinite while none is to come."""
        return self.standing.due if isinstance(self.standing, ShutGate) else inf

    @property
    def wake_key(self) -> tuple[bool, bool, bool, bool, int]:
        """The part of the state that matters to tasks that wait to fetch or to invoke: when it changes, they look
        again."""
        free = isinstance(self.standing, TrialGate) and self.standing.holder is None
        return self.is_open, self.is_seen, self.is_shut, free, self.renewed

    def counts(self, number: int) -> bool:
        """Whether this entry or probe belongs to the current function."""
        return number > self.renewed

    # --- batches ----------------------------------------------------------------------------------------------------

    def take(self) -> GateStep:
        """One more batch is in hand."""
        return self._to(replace(self, in_hand=self.in_hand + 1))

    def leave(self) -> GateStep:
        """A batch in hand has all of its fates."""
        return self._to(replace(self, in_hand=self.in_hand - 1))

    def begin(self) -> GateStep:
        """A batch in hand is invoked, or written to a failure destination, from now on."""
        return self._to(replace(self, under_way=self.under_way + 1))

    def end(self) -> GateStep:
        return self._to(replace(self, under_way=self.under_way - 1))

    # --- invocations ------------------------------------------------------------------------------------------------

    def enter(self) -> GateStep:
        """A batch in hand wants to be invoked. The step has its `number` when it may, and none when it must wait."""
        match self.standing:
            case OpenGate() | RestingGate():
                return self._numbered()
            case TrialGate(holder=None):
                return self._numbered(replace(self.standing, holder=self.last + 1))
            case TrialGate() | ShutGate() | ProbingGate():
                return GateStep(self)
            case _:
                assert_never(self.standing)

    def passed(self, entry: int) -> GateStep:
        """The invocation of this entry reached the function."""
        return self._to(replace(self, standing=OpenGate())) if self.counts(entry) else GateStep(self)

    def failed(self, entry: int, cause: Reason, now: float, jitter: float) -> GateStep:
        """The invocation of this entry found that the function cannot start."""
        if not self.counts(entry):
            return GateStep(self)
        match self.standing:
            case OpenGate(failures=failures) | TrialGate(failures=failures):
                return self._shut(cause, failures, now, jitter)
            case RestingGate():
                return self._shut(cause, 0, now, jitter)
            case ShutGate() | ProbingGate():  # another entry reported it before
                return self._to(replace(self, standing=replace(self.standing, cause=cause)))
            case _:
                assert_never(self.standing)

    def withdraw(self, entry: int) -> GateStep:
        """The invocation of this entry gave no result about the function, or never began: another batch may go on
        trial. For an entry that passed or failed, nothing changes."""
        if isinstance(self.standing, TrialGate) and self.standing.holder == entry:
            return self._to(replace(self, standing=replace(self.standing, holder=None)))
        return GateStep(self)

    def renew(self) -> GateStep:
        """The function changed: it is probed at once, and nothing is fetched for it before that."""
        return self._to(replace(self, standing=ShutGate(), renewed=self.last))

    # --- probes -----------------------------------------------------------------------------------------------------

    def wake(self) -> GateStep:
        """A source that only lends has messages: probe the function at once."""
        return self._to(replace(self, standing=ShutGate())) if self.is_resting else GateStep(self)

    def probe(self, now: float) -> GateStep:
        """The step has the `number` of the probe that begins now, and none while none is due."""
        if not isinstance(self.standing, ShutGate) or now < self.standing.due:
            return GateStep(self)
        return self._numbered(ProbingGate(self.standing.cause, self.standing.failures, self.last + 1))

    def ready(self, probe: int, seconds: float) -> GateStep:
        """This probe found that the function can start. `seconds`: the length of the start."""
        if (standing := self._probing(probe)) is None:
            return GateStep(self)
        return self._to(replace(self, standing=TrialGate(standing.cause, standing.failures + 1, seconds)))

    def not_ready(self, probe: int, cause: Reason, now: float, jitter: float) -> GateStep:
        """This probe found that the function cannot start."""
        if (standing := self._probing(probe)) is None:
            return GateStep(self)
        return self._shut(cause, standing.failures + 1, now, jitter)

    def cut(self, probe: int, now: float) -> GateStep:
        """The caller ended this probe: it has no result, and the next probe begins at once."""
        if (standing := self._probing(probe)) is None:
            return GateStep(self)
        return self._to(replace(self, standing=ShutGate(standing.cause, standing.failures, now)))

    def _probing(self, probe: int) -> ProbingGate | None:
        standing = self.standing
        return standing if isinstance(standing, ProbingGate) and standing.probe == probe else None

    # --- steps ------------------------------------------------------------------------------------------------------

    def _shut(self, cause: Reason, failures: int, now: float, jitter: float) -> GateStep:
        delay = self.backoff.delay(failures, jitter)
        state = replace(self, standing=ShutGate(cause, failures, now + delay))
        return GateStep(state, GateClosed(self.function, cause, delay))

    def _numbered(self, standing: Standing | None = None) -> GateStep:
        number = self.last + 1
        return GateStep(replace(self, standing=standing or self.standing, last=number), number=number)

    def _to(self, state: GateState) -> GateStep:
        """End a trial that no batch could take, because it would last forever. The opening of the gate is reported when
        it is open, not when a probe succeeds: a function that answers probes and refuses each batch would otherwise be
        reported up and down forever."""
        seconds = self.standing.seconds if isinstance(self.standing, TrialGate) else 0.0
        match state.standing:
            case TrialGate(failures=failures, seconds=seconds, holder=None) if state.in_hand <= state.under_way:
                state = replace(state, standing=OpenGate(failures))
        opened = state.is_open and not self.is_open
        return GateStep(state, GateOpened(self.function, seconds) if opened else None)


@dataclass(frozen=True, slots=True)
class GateStep:
    """The result of one transition."""

    state: GateState
    news: GateClosed | GateOpened | None = None
    """To be told to those who observe."""
    number: int | None = None
    """The number of the entry or the probe that begins with it."""
