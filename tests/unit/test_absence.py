"""Who is late, who is gone, and what is kept of them."""

from __future__ import annotations

import pytest

from headrace.dispatch.core.model import Position
from headrace.pollers.checkpoints.store import BEGINNING, Checkpoint, Finished
from headrace.pollers.streams.core.absence import GONE_AFTER, Absences
from headrace.pollers.streams.core.lineage import Shard

P, C = Shard("P", ("G",), closed=True), Shard("C", ("P",))
STORED = {"P": Checkpoint(BEGINNING), "C": Checkpoint(BEGINNING)}


def looked(*listings: list[Shard]) -> Absences:
    absences = Absences()
    for shards in listings:
        absences.look(shards, STORED)
    return absences


@pytest.mark.semantics("STREAM-19")
def test_a_shard_is_late_until_three_looks_in_a_row_have_missed_it() -> None:
    absences = looked([P, C])
    for looks in range(1, GONE_AFTER + 2):
        absences.look([C], STORED)
        assert absences.vanished("P") == (looks >= GONE_AFTER)
        assert ("P" in absences.late()) == (looks < GONE_AFTER)
    absences.look([P, C], STORED)
    assert not absences.vanished("P")
    absences.look([C], STORED)
    assert "P" in absences.late()


def test_a_parent_that_was_never_listed_is_late_too() -> None:
    assert looked([P, C]).late() == {"G"}
    assert looked([P, C], [P, C], [P, C]).late() == set()


def test_what_is_being_read_is_not_late() -> None:
    absences = looked([P, C], [C])
    assert absences.late() == {"G", "P"}, "who names G is late itself"
    assert absences.late(["P"]) == {"G"}


def test_the_parents_of_a_shard_that_is_lost_are_kept_and_no_others() -> None:
    absences = looked([P, C], [C], [C], [C])
    assert absences.known == {"P": P, "C": C}
    absences.look([C], {**STORED, "P": Checkpoint(Position(7))})
    assert absences.known == {"P": P, "C": C}
    absences.look([C], {**STORED, "P": Checkpoint(Finished())})
    assert absences.known == {"C": C}
