"""The pure rules of the SQS source."""

from __future__ import annotations

import pytest

from headrace.pollers.source import FetchResult
from headrace.pollers.sqs.core.scaling import ElasticReceivers, TurnReceivers, receivers
from headrace.pollers.sqs.source import visibility_to_ask
from support.paper import records

ONE = records([1])


@pytest.mark.semantics("SQS-21")
@pytest.mark.parametrize(
    ("queue", "window", "timeout", "asked"),
    [
        (30, 0, 60, None),  # no window: the queue's own, whatever the timeout
        (30, 20, 10, None),  # covered exactly
        (30, 20, 11, 61),
        (30, 300, 900, 1230),
        (43_200, 300, 900, None),
        (30, 5, None, None),  # no timeout (remote, or a debugger is attached): held while it runs instead
        (30, 30, None, 63),  # but nothing holds what waits for the end of the window
        (30, 300, None, 333),
    ],
)
def test_the_visibility_timeout_that_a_windowed_receive_asks_for(
    queue: float, window: float, timeout: float | None, asked: int | None
) -> None:
    assert visibility_to_ask(queue, window, timeout) == asked


@pytest.mark.semantics("SQS-17")
def test_receivers_grow_with_full_receives_and_shrink_after_three_empty_ones() -> None:
    roster = ElasticReceivers(3)
    full, some, empty = FetchResult(ONE, full=True), FetchResult(ONE), FetchResult()

    def after(*polls: FetchResult) -> int:
        for poll in polls:
            roster.polled("receiver-1", poll, 0.0)
        return len(roster.wanted())

    assert len(roster.wanted()) == 1
    assert after(full) == 2
    assert after(full, full) == 3
    assert after(empty, empty) == 3
    assert after(some, empty, empty) == 3
    assert after(empty) == 2
    assert after(*[empty] * 30) == 1


@pytest.mark.semantics("SQS-25")
def test_no_fewer_receivers_than_were_asked_for() -> None:
    roster = ElasticReceivers(4, 3)
    assert len(roster.wanted()) == 3
    for _ in range(9):
        roster.polled("receiver-1", FetchResult(), 0.0)
    assert len(roster.wanted()) == 3
    roster.polled("receiver-1", FetchResult(ONE, full=True), 0.0)
    assert len(roster.wanted()) == 4
    assert len(ElasticReceivers(2, 3).wanted()) == 2


FULL = FetchResult(ONE, full=True)


@pytest.mark.semantics("SQS-26")
def test_with_a_window_one_receiver_gathers_at_a_time() -> None:
    roster = TurnReceivers(3)
    turns = [roster.wanted()]
    for _ in range(4):
        roster.polled(turns[-1][0], FULL, 0.0)
        roster.took(turns[-1][0], held=False)
        turns.append(roster.wanted())
    assert turns == [["receiver-1"], ["receiver-2"], ["receiver-3"], ["receiver-1"], ["receiver-2"]]
    roster.took("receiver-1", held=False)
    assert roster.wanted() == ["receiver-2"], "what is retired, and delivers what it had, passes no turn"


@pytest.mark.semantics("SQS-26")
def test_a_receiver_that_holds_messages_behind_its_batch_gathers_on_beside_the_next_one() -> None:
    roster = TurnReceivers(3)
    roster.took("receiver-1", held=True)
    assert roster.wanted() == ["receiver-1", "receiver-2"]
    roster.took("receiver-2", held=True)
    roster.took("receiver-3", held=True)
    assert roster.wanted() == ["receiver-1", "receiver-2", "receiver-3"]
    roster.took("receiver-2", held=False)
    roster.took("receiver-1", held=False)
    assert roster.wanted() == ["receiver-3"]
    roster.took("receiver-3", held=False)
    assert roster.wanted() == ["receiver-2"]


@pytest.mark.semantics("SQS-25", "SQS-26")
def test_as_many_gather_as_were_asked_for() -> None:
    roster = TurnReceivers(3, 2)
    assert roster.wanted() == ["receiver-1", "receiver-2"]
    roster.took("receiver-1", held=False)
    assert roster.wanted() == ["receiver-2", "receiver-3"]
    assert TurnReceivers(1, 2).wanted() == ["receiver-1"]


def test_a_single_receiver_keeps_its_turn() -> None:
    roster = TurnReceivers(1)
    roster.took("receiver-1", held=False)
    assert roster.wanted() == ["receiver-1"]


def test_turns_are_for_windows_alone() -> None:
    assert isinstance(receivers(5, 1, windowed=True), TurnReceivers)
    assert isinstance(receivers(5, 1, windowed=False), ElasticReceivers)
