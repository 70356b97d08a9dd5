"""Permits under random requests, returns, withdrawals and limits: never more than the limit are out, and each waiting
mapping has its turn."""

from __future__ import annotations

from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from headrace.dispatch.core.permits import PermitTurns
from support.counts import count

MAPPINGS = ["a", "b", "c", "d"]
LIMITS = st.one_of(st.none(), st.integers(1, 4))


class PermitMachine(RuleBasedStateMachine):
    """Keeps who waits since when, in one plain list."""

    @initialize(limit=LIMITS)
    def begin_with(self, limit: int | None) -> None:
        self.turns = PermitTurns(limit)
        self.limit = limit
        self.out = 0
        self.waiting: list[tuple[str, int]] = []
        self.passed_over: Counter[tuple[str, str]] = Counter()
        """How often, while the first mapping waits, the second one was served before it."""

    @rule(mapping=st.sampled_from(MAPPINGS))
    def asks(self, mapping: str) -> None:
        free = self.turns.allowed is None or self.out < self.turns.allowed
        number = self.turns.ask(mapping)
        assert (number is None) == (free and not self.waiting), "somebody is passed over by one who comes later"
        if number is None:
            self.out += 1
        else:
            self.waiting.append((mapping, number))

    @precondition(lambda self: self.out)
    @rule(outcome=st.sampled_from(["succeeded", "throttled", "neither"]))
    def is_over(self, outcome: str) -> None:
        self.out -= 1
        self.hear(self.turns.give_back())
        if outcome == "succeeded":
            self.hear(self.turns.succeeded())
        elif outcome == "throttled":
            self.turns.throttled()

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def is_withdrawn(self, data: st.DataObject) -> None:
        mapping, number = data.draw(st.sampled_from(self.waiting))
        self.waiting.remove((mapping, number))
        self.forget(mapping)
        self.turns.withdraw(mapping, number)

    @rule(limit=LIMITS)
    def is_limited_anew(self, limit: int | None) -> None:
        self.limit = limit
        self.hear(self.turns.relimit(limit))

    @invariant()
    def no_more_are_out_than_counted(self) -> None:
        allowed = self.turns.allowed
        assert self.turns.taken == self.out
        assert allowed is None or allowed >= 1
        assert self.limit is None or (allowed is not None and allowed <= self.limit)

    @invariant()
    def nobody_waits_for_what_is_free(self) -> None:
        free = self.turns.allowed is None or self.out < self.turns.allowed
        assert not (self.waiting and free)
        assert self.turns.slack == (free and not self.waiting)

    def hear(self, granted: list[int]) -> None:
        """These waited and are served now."""
        for number in granted:
            (mapping,) = [mapping for mapping, waits in self.waiting if waits == number]
            assert number == min(waits for each, waits in self.waiting if each == mapping), "out of order within one"
            self.waiting.remove((mapping, number))
            self.out += 1
            assert self.turns.allowed is None or self.out <= self.turns.allowed, "more are out than there are"
            for other in {each for each, _ in self.waiting} - {mapping}:
                self.passed_over[other, mapping] += 1
                assert self.passed_over[other, mapping] == 1, f"{mapping} was served twice while {other} waited"
            self.forget(mapping, served=True)

    def forget(self, mapping: str, *, served: bool = False) -> None:
        """It was served; or it waits for nothing any more."""
        if served or mapping not in [each for each, _ in self.waiting]:
            for pair in [pair for pair in self.passed_over if pair[0] == mapping]:
                del self.passed_over[pair]


def test_a_mapping_that_waits_sees_each_other_one_served_once_at_most() -> None:
    run_state_machine_as_test(
        PermitMachine,
        settings=settings(max_examples=count(150, 3000), stateful_step_count=count(40, 80), deadline=None),
    )
