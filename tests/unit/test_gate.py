"""The gate's transitions one by one; `tests/property/test_gate_properties.py` has them in any order."""

from __future__ import annotations

from dataclasses import replace

import pytest

from headrace.dispatch.core.backoff import Backoff
from headrace.dispatch.core.gate import (
    GateState,
    GateStep,
    OpenGate,
    ProbingGate,
    RestingGate,
    ShutGate,
    Standing,
    TrialGate,
)
from headrace.dispatch.core.observer import GateClosed, GateOpened
from support.reasons import no_start

BACKOFF = Backoff(base=1.0, cap=8.0)
NOW = 100.0
BROKEN = no_start("no such module")
SHUT = ShutGate(BROKEN, 1, 101.0)
PROBING = ProbingGate(BROKEN, 1, 7)
TRIAL = TrialGate(BROKEN, 2, 0.5)
TAKEN = TrialGate(BROKEN, 2, 0.5, holder=7)
OPEN = OpenGate()
UNPROVEN = OpenGate(2)
RESTING = RestingGate()
ALL = (SHUT, PROBING, TRIAL, TAKEN, OPEN, UNPROVEN, RESTING)


def gate(standing: Standing, *, in_hand: int = 2, under_way: int = 0, renewed: int = 0) -> GateState:
    """A gate that has given the numbers up to 8."""
    return GateState("f", BACKOFF, standing, in_hand, under_way, last=8, renewed=renewed)


def test_a_new_gate_is_shut_and_its_first_probe_is_due_at_once() -> None:
    fresh = GateState("f", BACKOFF)
    assert (fresh.is_open, fresh.is_shut, fresh.cause) == (False, True, None)
    step = fresh.probe(NOW)
    assert (step.state.standing, step.number) == (ProbingGate(None, 0, 1), 1)


@pytest.mark.parametrize(
    ("standing", "let_in", "after"),
    [
        (SHUT, False, SHUT),
        (PROBING, False, PROBING),
        (TRIAL, True, replace(TRIAL, holder=9)),
        (TAKEN, False, TAKEN),
        (OPEN, True, OPEN),
        (UNPROVEN, True, UNPROVEN),
        (RESTING, True, RESTING),
    ],
)
def test_a_batch_is_let_in_when_the_gate_is_open_or_nobody_is_on_trial(
    standing: Standing, let_in: bool, after: Standing
) -> None:
    step = gate(standing).enter()
    assert (step.number, step.state.standing) == (9 if let_in else None, after)


@pytest.mark.parametrize("standing", ALL)
def test_an_invocation_that_reaches_the_function_opens_the_gate(standing: Standing) -> None:
    step = gate(standing).passed(7)
    assert step.state.standing == OPEN
    opened = GateOpened("f", 0.5 if isinstance(standing, TrialGate) else 0.0)
    assert step.news == (None if isinstance(standing, OpenGate | RestingGate) else opened)


@pytest.mark.parametrize(
    ("standing", "delay"), [(OPEN, 0.0), (RESTING, 0.0), (UNPROVEN, 2.0), (TRIAL, 2.0), (TAKEN, 2.0)]
)
def test_a_failure_shuts_the_gate_for_longer_the_more_probes_led_nowhere(standing: Standing, delay: float) -> None:
    step = gate(standing).failed(7, BROKEN, NOW, 0.0)
    assert step.news == GateClosed("f", BROKEN, delay)
    assert step.state.due == NOW + delay


@pytest.mark.parametrize("standing", [SHUT, PROBING])
def test_a_second_failure_is_not_told_and_puts_nothing_off(standing: ShutGate | ProbingGate) -> None:
    step = gate(standing).failed(7, no_start("another reason"), NOW, 0.0)
    assert step == GateStep(gate(replace(standing, cause=no_start("another reason"))))


@pytest.mark.parametrize("standing", ALL)
def test_what_is_said_of_the_function_as_it_was_changes_nothing(standing: Standing) -> None:
    before = gate(standing, renewed=7)
    assert before.passed(7) == GateStep(before)
    assert before.failed(7, BROKEN, NOW, 0.0) == GateStep(before)


@pytest.mark.parametrize("standing", ALL)
def test_another_function_is_probed_at_once_and_nothing_is_known_of_it(standing: Standing) -> None:
    state = gate(standing).renew().state
    assert (state.is_shut, state.cause, state.probe(NOW).number) == (True, None, 9)
    assert not state.counts(8)
    assert state.counts(9)


@pytest.mark.parametrize("standing", ALL)
def test_only_the_batch_on_trial_gives_the_trial_up(standing: Standing) -> None:
    before = gate(standing)
    assert before.withdraw(6) == GateStep(before)
    assert before.withdraw(7).state.standing == (TRIAL if standing == TAKEN else standing)


@pytest.mark.parametrize(("now", "number"), [(100.9, None), (101.0, 9), (200.0, 9)])
def test_a_probe_begins_when_it_is_due(now: float, number: int | None) -> None:
    assert gate(SHUT).probe(now).number == number


@pytest.mark.parametrize("standing", [PROBING, TRIAL, TAKEN, OPEN, UNPROVEN, RESTING])
def test_no_probe_is_due_while_one_is_under_way_or_the_last_one_succeeded(standing: Standing) -> None:
    before = gate(standing)
    assert before.probe(NOW) == GateStep(before)


@pytest.mark.parametrize(
    ("in_hand", "under_way", "after", "news"),
    [
        (2, 1, TrialGate(BROKEN, 2, 3.0), None),
        (2, 2, OpenGate(2), GateOpened("f", 3.0)),  # they entered before, and may run for long
        (0, 0, OpenGate(2), GateOpened("f", 3.0)),
    ],
)
def test_a_probe_that_succeeds_leads_to_a_trial_if_a_batch_can_make_it(
    in_hand: int, under_way: int, after: Standing, news: GateOpened | None
) -> None:
    step = gate(PROBING, in_hand=in_hand, under_way=under_way).ready(7, 3.0)
    assert (step.state.standing, step.news) == (after, news)


@pytest.mark.parametrize(("jitter", "delay"), [(0.0, 2.0), (0.5, 1.5)])
def test_a_probe_that_fails_is_repeated_after_a_growing_pause(jitter: float, delay: float) -> None:
    step = gate(PROBING).not_ready(7, no_start("still broken"), NOW, jitter)
    assert step.state.standing == ShutGate(no_start("still broken"), 2, NOW + delay)
    assert step.news == GateClosed("f", no_start("still broken"), delay)


def test_a_probe_that_is_cut_off_found_nothing_and_may_begin_again_at_once() -> None:
    step = gate(PROBING).cut(7, NOW)
    assert step == GateStep(gate(ShutGate(BROKEN, 1, NOW)))


@pytest.mark.parametrize("standing", ALL)
def test_a_probe_that_is_not_the_one_under_way_changes_nothing(standing: Standing) -> None:
    before = gate(standing)
    assert before.ready(6, 3.0) == GateStep(before)
    assert before.not_ready(6, BROKEN, NOW, 0.0) == GateStep(before)
    assert before.cut(6, NOW) == GateStep(before)


@pytest.mark.parametrize("last", ["leaves", "is invoked"])
def test_a_trial_that_no_batch_can_make_any_more_is_over(last: str) -> None:
    before = gate(TRIAL, in_hand=1)
    step = before.leave() if last == "leaves" else before.begin()
    assert (step.state.standing, step.news) == (OpenGate(2), GateOpened("f", 0.5))


def test_the_batch_on_trial_may_be_the_only_one() -> None:
    assert gate(TAKEN, in_hand=1).begin().state.standing == TAKEN


@pytest.mark.parametrize(
    ("standing", "invoked", "lent"),
    [(OPEN, True, True), (UNPROVEN, True, True), (RESTING, True, False), (SHUT, False, False), (TRIAL, False, False)],
)
def test_what_is_only_lent_is_fetched_when_the_function_was_seen_to_start(
    standing: Standing, invoked: bool, lent: bool
) -> None:
    assert (gate(standing).is_open, gate(standing).is_seen) == (invoked, lent)


def test_a_function_of_which_a_start_is_remembered_is_probed_when_it_is_woken_and_not_before() -> None:
    assert gate(RESTING).probe(NOW).number is None
    woken = gate(RESTING).wake().state
    assert (woken.is_shut, woken.cause, woken.probe(NOW).number) == (True, None, 9)


@pytest.mark.parametrize("standing", [each for each in ALL if each != RESTING])
def test_only_a_gate_that_rests_is_woken(standing: Standing) -> None:
    before = gate(standing)
    assert before.wake() == GateStep(before)
