"""The gate, whatever happens in whatever order: batches come and go, invocations and probes end late or not at all, the
function becomes another one. A naive second account says what must hold; `tests/unit/test_gate.py` has the examples.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.dispatch.core.backoff import Backoff
from headrace.dispatch.core.gate import GateState, GateStep, OpenGate, ProbingGate, RestingGate, ShutGate, TrialGate
from headrace.dispatch.core.observer import GateClosed, GateOpened
from support.counts import count
from support.reasons import no_start

BACKOFF = Backoff(base=1.0, cap=8.0)
PAUSES = (0.1, 1.0, 10.0, 10.0)
BROKEN = no_start("no such module")
JITTERS = (0.0, 0.5, 0.999)


@dataclass(eq=False)
class Batch:
    """A batch in hand, the entry that it has, and whether that one is being invoked."""

    entry: int | None = None
    invoked: bool = False


@dataclass
class Account:
    """What is known of the function, told again by a simpler mind."""

    known: bool
    """Whether something found, since the last that found otherwise, that the function can start."""
    proven: bool
    """Whether an invocation got through since then: nobody is on trial."""
    seen: bool = False
    """Whether `known` is of this run: not only remembered."""
    old: frozenset[int] = frozenset()
    """Entries and probes of the function before it became another."""
    failures: int = 0
    """Probes since an invocation got through."""
    closed_at: float = -1.0
    delay: float = 0.0
    trial_since: int = 0
    """The number that was given last when a probe succeeded last."""


@dataclass
class Life:
    """A gate, and what happens to it. The `choice` of an act says which of several, or how."""

    gate: GateState
    account: Account
    told_open: bool
    now: float = 100.0
    batches: list[Batch] = field(default_factory=list)
    probes: list[int] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)

    # --- what may happen --------------------------------------------------------------------------------------------

    def batch_comes(self, choice: int) -> None:
        if len(self.batches) < 4:
            self.move(self.gate.take())
            self.batches.append(Batch())

    def batch_leaves(self, choice: int) -> None:
        if idle := [each for each in self.batches if each.entry is None]:
            self.batches.remove(idle[choice % len(idle)])
            self.move(self.gate.leave())

    def batch_asks(self, choice: int) -> None:
        if not (idle := [each for each in self.batches if each.entry is None]):
            return
        step, account = self.gate.enter(), self.account
        if not account.known:
            assert step.number is None, "a batch was let in while nothing says that the function can start"
        if step.number is not None and not account.proven and not self.gate.is_open:
            assert not self.inside(), "two batches are on trial"
        self.move(step)
        if step.number is not None:
            self.give(step.number)
            idle[choice % len(idle)].entry = step.number

    def invocation_begins(self, choice: int) -> None:
        if entered := [each for each in self.batches if each.entry is not None and not each.invoked]:
            entered[choice % len(entered)].invoked = True
            self.move(self.gate.begin())

    def invocation_ends(self, choice: int) -> None:
        """Of one that never began nothing is learnt."""
        if not (entered := [each for each in self.batches if each.entry is not None]):
            return
        batch = entered[choice % len(entered)]
        assert batch.entry is not None
        entry, invoked, batch.entry, batch.invoked = batch.entry, batch.invoked, None, False
        if invoked:
            self.move(self.gate.end())
            [self.passes, self.fails, self.says_nothing][choice % 3](entry, choice)
        self.move(self.gate.withdraw(entry))
        assert self.gate.withdraw(entry) == GateStep(self.gate), "withdrawn twice is not withdrawn once"

    def says_nothing(self, entry: int, choice: int) -> None:
        """It neither reached the function nor found that it cannot start."""

    def passes(self, entry: int, choice: int) -> None:
        step = self.gate.passed(entry)
        if entry in self.account.old:
            assert step == GateStep(self.gate), "the function as it was says something of the one that is"
            return
        assert step.state.is_open, "an invocation reached the function, and the gate is not open"
        self.account.known = self.account.proven = self.account.seen = True
        self.account.failures = 0
        self.move(step)

    def fails(self, entry: int, choice: int) -> None:
        """Found by two at the same time."""
        for _ in range(2):
            before, step = self.gate, self.gate.failed(entry, BROKEN, self.now, JITTERS[choice % 3])
            if entry in self.account.old:
                assert step == GateStep(before), "the function as it was says something of the one that is"
                return
            assert step.state.is_shut
            if before.is_shut:
                assert step.news is None, "it is told twice that a function cannot start"
                assert step.state.due == before.due, "who finds it out too puts off the probe"
            else:
                self.closes(step)
            self.move(step)

    def function_becomes_another(self, choice: int) -> None:
        self.move(self.gate.renew())
        self.account = Account(False, False, old=frozenset(self.numbers))
        self.told_open = False  # whoever made it another one knows
        assert self.gate.due <= self.now, "it is not tried at once"

    def somebody_wakes(self, choice: int) -> None:
        rested = self.gate.is_resting
        self.move(self.gate.wake())
        if rested:
            self.account.known = self.account.proven = False
            self.told_open = False  # whoever woke it knows
            assert self.gate.due <= self.now, "it is not tried at once"

    def probe_begins(self, choice: int) -> None:
        self.now += PAUSES[choice % 4]
        step, account = self.gate.probe(self.now), self.account
        if step.number is not None:
            assert self.current_probe() is None, "two probes at a time"
            assert self.now >= account.closed_at + account.delay, "a probe before its time"
            assert not self.gate.is_open
            self.give(step.number)
            self.probes.append(step.number)
        self.move(step)

    def probe_ends(self, choice: int) -> None:
        if self.probes:
            probe = self.probes.pop(-1 if choice % 4 else 0)
            self.finds(probe, choice // 4)

    def finds(self, probe: int, choice: int) -> None:
        counts, gate = self.current_probe() == probe, self.gate
        steps: list[Callable[[], GateStep]] = [
            lambda: gate.ready(probe, 0.5),
            lambda: gate.not_ready(probe, BROKEN, self.now, JITTERS[choice % 3]),
            lambda: gate.cut(probe, self.now),
        ]
        found = (0, 0, 0, 1, 2)[choice % 5]
        step = steps[found]()
        if not counts:
            assert step == GateStep(gate), "a probe that is not the one under way changed something"
            return
        self.account.trial_since = gate.last
        self.account.failures += found < 2
        if found == 0:
            self.account.known = self.account.seen = True
            waits = any(not each.invoked for each in self.batches)
            assert isinstance(step.state.standing, TrialGate if waits else OpenGate)
        elif found == 1:
            self.closes(step)
        else:
            self.account.closed_at, self.account.delay = self.now, 0.0
        self.move(step)

    # --- what must hold ---------------------------------------------------------------------------------------------

    def check(self) -> None:
        gate, account = self.gate, self.account
        assert gate.in_hand == len(self.batches)
        assert gate.under_way == sum(each.invoked for each in self.batches)
        assert not gate.is_open or (account.known and gate.cause is None)
        assert not gate.is_seen or account.seen, "what is only lent is fetched on a memory"
        assert gate.is_open == self.told_open, "what was told of the gate is not how it is"
        match gate.standing:
            case TrialGate(holder=None):
                assert any(not each.invoked for each in self.batches), "a trial that nobody can make"
                assert not self.inside(), "a trial that was given to another batch before it was over"
            case TrialGate(holder=int(holder)):
                assert holder in [each.entry for each in self.batches], "a trial that waits for nobody"
            case ProbingGate(probe=probe):
                assert probe in self.probes, "a probe that nobody makes"
            case ShutGate(due=due):
                assert due <= max(self.now, account.closed_at + BACKOFF.cap), "a probe that never comes"
            case OpenGate(failures=failures):
                assert failures == account.failures

    # --- helpers ----------------------------------------------------------------------------------------------------

    def current_probe(self) -> int | None:
        return self.gate.standing.probe if isinstance(self.gate.standing, ProbingGate) else None

    def inside(self) -> list[int]:
        """Entries since a probe succeeded last."""
        entries = [each.entry for each in self.batches if each.entry is not None]
        return [entry for entry in entries if entry > self.account.trial_since]

    def give(self, number: int) -> None:
        assert number not in self.numbers
        self.numbers.append(number)

    def closes(self, step: GateStep) -> None:
        account = self.account
        assert isinstance(step.news, GateClosed)
        ceiling = BACKOFF.ceiling(account.failures)
        assert ceiling / 2 <= step.news.delay <= ceiling <= BACKOFF.cap
        assert step.state.due == self.now + step.news.delay
        account.known = account.proven = account.seen = False
        account.closed_at, account.delay = self.now, step.news.delay

    def move(self, step: GateStep) -> None:
        match step.news:
            case GateOpened():
                assert not self.told_open
                self.told_open = True
            case GateClosed():
                self.told_open = False
        self.gate = step.state


ACTS = st.sampled_from(
    [
        Life.batch_comes,
        Life.batch_leaves,
        Life.batch_asks,
        Life.batch_asks,
        Life.batch_asks,
        Life.invocation_begins,
        Life.invocation_begins,
        Life.invocation_ends,
        Life.invocation_ends,
        Life.function_becomes_another,
        Life.somebody_wakes,
        Life.probe_begins,
        Life.probe_begins,
        Life.probe_ends,
        Life.probe_ends,
    ]
)


@settings(max_examples=count(500, 20_000))
@given(st.booleans(), st.lists(st.tuples(ACTS, st.integers(0, 59)), min_size=30, max_size=60))
def test_the_gate_lets_nobody_in_before_something_says_that_the_function_can_start(
    remembered: bool, acts: list[tuple[Callable[[Life, int], None], int]]
) -> None:
    gate = GateState("f", BACKOFF, RestingGate() if remembered else ShutGate())
    life = Life(gate, Account(remembered, remembered), remembered)
    for act, choice in acts:
        act(life, choice)
        life.check()
