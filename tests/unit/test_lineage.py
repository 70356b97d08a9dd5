"""Which shards may be read, and what a stored checkpoint is worth: tables."""

from __future__ import annotations

from typing import Any

import pytest

from headrace.dispatch.core.model import Position
from headrace.pollers.checkpoints.store import BEGINNING, Checkpoint, Finished, Place, Start, StartKind
from headrace.pollers.streams.core.lineage import Finding, Probe, Shard, ShardPlan, compare, examine, initial, plan

LATEST = Start(StartKind.LATEST, 1_700_000_000.0)
NEWER = Start(StartKind.NEWER_THAN, 1_700_000_000.0)
AT = Start(StartKind.AT_TIMESTAMP, 1_600_000_000.0)
DONE = Finished()
A, B = Shard("A", closed=True), Shard("B", closed=True)


def stored(**places: Place) -> dict[str, Checkpoint]:
    return {shard: Checkpoint(place) for shard, place in places.items()}


def planned(shards: list[Shard], **places: Place) -> ShardPlan:
    return missing(shards, [], [], **places)


def missing(shards: list[Shard], absent: list[str], before: list[Shard], /, **places: Place) -> ShardPlan:
    """The plan while these are late, with what was listed before. It must not hang on the order of the listing."""
    known = {shard.id: shard for shard in before}
    made = plan(shards, stored(**places), late=absent, known=known)
    assert plan(shards[::-1], stored(**places), late=absent, known=known) == made
    return made


# --- reading a listing ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("described", "shard"),
    [
        (
            {"ShardId": "s", "SequenceNumberRange": {"StartingSequenceNumber": "0049"}, "HashKeyRange": {}},
            Shard("s", (), 49),
        ),
        (
            {
                "ShardId": "s",
                "ParentShardId": "p",
                "AdjacentParentShardId": "q",
                "SequenceNumberRange": {"StartingSequenceNumber": "1", "EndingSequenceNumber": "9"},
            },
            Shard("s", ("p", "q"), 1, 9, closed=True),
        ),
        ({"ShardId": "s", "ParentShardId": "", "AdjacentParentShardId": None}, Shard("s")),
        ({"ShardId": "s", "ParentShardId": "p", "AdjacentParentShardId": "p"}, Shard("s", ("p",))),
    ],
)
def test_a_shard_is_read_from_what_both_services_answer(described: dict[str, Any], shard: Shard) -> None:
    assert Shard.parse(described) == shard


# --- where shards start ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "of_closed"), [(BEGINNING, BEGINNING), (AT, AT), (LATEST, Finished()), (NEWER, Finished())]
)
@pytest.mark.semantics("STREAM-11")
def test_the_starting_position_is_for_the_shards_of_the_first_listing(start: Start, of_closed: Place) -> None:
    assert initial([A, Shard("C", ("A",))], start) == {"A": of_closed, "C": start}


@pytest.mark.semantics("STREAM-12")
def test_a_shard_that_appears_later_starts_at_its_beginning() -> None:
    made = planned([A, Shard("C", ("A",)), Shard("D", ("A",))], A=DONE, C=LATEST)
    assert made.ready == {"C": LATEST, "D": BEGINNING}


def test_a_shard_goes_on_from_its_checkpoint() -> None:
    assert planned([Shard("A"), Shard("B")], A=Position(7), B=AT).ready == {"A": Position(7), "B": AT}


# --- parents before children ----------------------------------------------------------------------------------------


@pytest.mark.semantics("STREAM-13")
def test_children_of_a_split_wait_for_their_parent() -> None:
    shards = [A, Shard("C", ("A",)), Shard("D", ("A",))]
    before = planned(shards, A=Position(7))
    assert before.ready == {"A": Position(7)}
    assert before.waiting == {"C": {"A"}, "D": {"A"}}
    after = planned(shards, A=DONE)
    assert after.ready == {"C": BEGINNING, "D": BEGINNING}
    assert not after.waiting
    assert after.finished == {"A"}


@pytest.mark.parametrize(
    ("places", "awaited"),
    [
        ({"A": AT, "B": AT}, {"A", "B"}),
        ({"A": DONE, "B": AT}, {"B"}),
        ({"A": AT, "B": DONE}, {"A"}),
        ({"A": DONE, "B": DONE}, set()),
    ],
)
@pytest.mark.semantics("STREAM-13")
def test_the_child_of_a_merge_waits_for_both_parents(places: dict[str, Place], awaited: set[str]) -> None:
    made = planned([A, B, Shard("C", ("A", "B"))], **places)
    assert made.waiting == ({"C": awaited} if awaited else {})
    assert ("C" in made.ready) == (not awaited)


@pytest.mark.semantics("STREAM-14")
def test_a_parent_that_was_trimmed_before_we_knew_it_is_not_waited_for() -> None:
    assert planned([Shard("C", ("A", "B")), B], B=DONE).ready == {"C": BEGINNING}


def test_a_grandchild_does_not_overtake_a_child() -> None:
    made = planned([A, Shard("C", ("A",), closed=True), Shard("E", ("C",))])
    assert made.ready == {"A": BEGINNING}
    assert made.waiting == {"C": {"A"}, "E": {"C"}}


@pytest.mark.semantics("STREAM-15")
def test_a_shard_that_vanished_holds_its_children_until_it_is_stored_as_finished() -> None:
    shards = [Shard("C", ("A",)), Shard("D", ("A",))]
    before = planned(shards, A=Position(7), C=AT)
    assert before.gone == {"A": Position(7)}
    assert before.waiting == {"C": {"A"}, "D": {"A"}}
    after = planned(shards, A=DONE, C=AT)
    assert (after.gone, after.ready) == ({}, {"C": AT, "D": BEGINNING})


def test_a_shard_that_names_itself_as_parent_waits_for_nobody() -> None:
    assert planned([Shard("A", ("A",))]).ready == {"A": BEGINNING}


# --- what can be forgotten ------------------------------------------------------------------------------------------

CHILDREN = [Shard("C", ("A",)), Shard("D", ("A",))]


@pytest.mark.parametrize(
    ("shards", "places", "surplus"),
    [
        pytest.param([A, *CHILDREN], {"A": DONE}, set(), id="no child has begun"),
        pytest.param([A, *CHILDREN], {"A": DONE, "C": Position(1), "D": AT}, set(), id="one child is at its start"),
        pytest.param([A, *CHILDREN], {"A": DONE, "C": Position(1), "D": Position(2)}, {"A"}, id="both are past it"),
        pytest.param(CHILDREN, {"A": DONE, "C": Position(1), "D": AT}, set(), id="trimmed, a child at its start"),
        pytest.param(CHILDREN, {"A": DONE, "C": Position(1), "D": DONE}, {"A"}, id="trimmed, both past it"),
        pytest.param([A, B], {"A": DONE}, set(), id="closed without children"),
        pytest.param([B], {"A": DONE}, {"A"}, id="trimmed without children"),
        pytest.param([A, *CHILDREN], {"A": Position(5), "C": Position(1), "D": DONE}, set(), id="not finished"),
    ],
)
def test_a_finished_checkpoint_is_kept_until_the_children_speak_for_it(
    shards: list[Shard], places: dict[str, Place], surplus: set[str]
) -> None:
    assert planned(shards, **places).surplus == surplus


@pytest.mark.semantics("STREAM-16")
def test_a_shard_whose_checkpoint_was_forgotten_is_not_read_again() -> None:
    shards = [A, Shard("C", ("A",), closed=True), Shard("E", ("C",), closed=True), Shard("F", ("E",))]
    made = planned(shards, F=Position(9))
    assert made.finished == {"A", "C", "E"}
    assert made.ready == {"F": Position(9)}
    assert (made.waiting, made.gone) == ({}, {})


def test_of_a_forgotten_parent_the_other_child_is_still_read() -> None:
    made = planned([A, *CHILDREN], C=Position(9))
    assert made.ready == {"C": Position(9), "D": BEGINNING}


# --- what a listing may only have left out --------------------------------------------------------------------------

G, P, C = Shard("G", closed=True), Shard("P", ("G",), closed=True), Shard("C", ("P",))


@pytest.mark.semantics("STREAM-13")
def test_every_shard_that_is_listed_gets_a_checkpoint_also_while_it_waits() -> None:
    made = planned([G, P, C], G=Position(5))
    assert made.new == {"P": BEGINNING, "C": BEGINNING}
    again = planned([G, P, C], G=Position(5), P=BEGINNING, C=BEGINNING)
    assert (again.new, again.ready, again.waiting) == ({}, made.ready, made.waiting)


@pytest.mark.semantics("STREAM-19")
def test_a_shard_that_is_left_out_while_it_waits_holds_its_children_and_is_read_when_it_comes_back() -> None:
    places: dict[str, Place] = {"G": DONE, "P": BEGINNING, "C": BEGINNING}
    left_out = missing([G, C], ["P"], [P], **places)
    assert (left_out.ready, left_out.gone) == ({}, {})
    assert left_out.waiting == {"C": {"P"}, "P": set()}
    assert left_out.sought == {"P"}
    assert planned([G, P, C], **places).ready == {"P": BEGINNING}
    assert missing([G, C], [], [P], **places).gone == {"P": BEGINNING}


@pytest.mark.parametrize("late", [["P"], []], ids=["late", "vanished"])
@pytest.mark.semantics("STREAM-13", "STREAM-15")
def test_a_shard_that_waits_is_not_given_up_before_its_parent_is_done(late: list[str]) -> None:
    for shards in [G, C], [C]:
        made = missing(shards, late, [G, P, C], G=Position(5), P=BEGINNING, C=BEGINNING)
        assert made.waiting == {"P": {"G"}, "C": {"P"}}
        assert "P" not in made.gone


@pytest.mark.semantics("STREAM-19")
def test_a_child_that_has_not_begun_says_nothing_of_its_parent() -> None:
    made = planned([G, P, C], G=DONE, C=BEGINNING)
    assert made.ready == {"P": BEGINNING}
    assert made.waiting == {"C": {"P"}}


@pytest.mark.parametrize(
    ("start", "finished", "ready"),
    [
        pytest.param(BEGINNING, set(), {"P": BEGINNING}, id="read from its beginning"),
        pytest.param(AT, set(), {"P": AT}, id="read from the moment"),
        pytest.param(LATEST, {"P"}, {"C": LATEST}, id="closed before the start"),
        pytest.param(NEWER, {"P"}, {"C": NEWER}, id="closed before the moment"),
    ],
)
@pytest.mark.semantics("STREAM-11", "STREAM-19")
def test_a_shard_that_the_first_listing_left_out_starts_as_the_others(
    start: Start, finished: set[str], ready: dict[str, Place]
) -> None:
    made = planned([P, C], C=start)
    assert made.finished == finished
    assert made.ready == ready


@pytest.mark.semantics("STREAM-14", "STREAM-19")
def test_a_parent_that_was_never_listed_is_waited_for_while_it_may_only_be_late() -> None:
    made = missing([G, C], ["P"], [], G=DONE, C=BEGINNING)
    assert made.waiting == {"C": {"P"}}
    assert made.sought == {"P"}
    assert planned([G, C], G=DONE, C=BEGINNING).ready == {"C": BEGINNING}
    assert missing([G, C], ["P"], [], G=DONE, C=Position(7)).ready == {"C": Position(7)}
    assert missing([G, C], ["P"], [], G=DONE, C=LATEST).ready == {"C": LATEST}


@pytest.mark.semantics("STREAM-16", "STREAM-19")
def test_what_was_forgotten_is_not_new_when_a_listing_lacks_what_tells_of_it() -> None:
    shards = [A, Shard("C", ("A",), closed=True), Shard("E", ("C",))]
    described = missing([A, shards[2]], ["C"], shards, E=Position(9))
    assert described.finished == {"A"}
    assert not described.new
    unseen = missing([A, shards[2]], ["C"], [], E=Position(9))
    assert unseen.waiting == {"A": {"C"}}
    assert not unseen.new


@pytest.mark.semantics("STREAM-16", "STREAM-19")
def test_a_finished_shard_that_is_left_out_is_not_forgotten() -> None:
    assert missing([B], ["A"], [], A=DONE).surplus == set()
    assert planned([B], A=DONE).surplus == {"A"}


# --- is it the same stream? -----------------------------------------------------------------------------------------

OPEN = {"A": Shard("A", first=100)}
CLOSED = {"A": Shard("A", first=100, last=200, closed=True)}
PARENT_OF_C = {"C": Shard("C", ("A",), 300)}
LATER = {"F": Shard("F", ("E",), 900)}
UNRELATED = {"Z": Shard("Z", (), 900)}
NOT, SAME, OTHER = Probe.NOT_READ, Probe.SAME, Probe.OTHER


@pytest.mark.parametrize(
    ("shards", "place", "unchanged", "probe", "finding"),
    [
        pytest.param(OPEN, Position(150), True, NOT, Finding.RESUME, id="inside an open shard"),
        pytest.param(CLOSED, Position(100), True, NOT, Finding.RESUME, id="at its first number"),
        pytest.param(CLOSED, Position(200), True, NOT, Finding.RESUME, id="at its last number"),
        pytest.param(OPEN, Position(99), True, NOT, Finding.TRIMMED, id="below"),
        pytest.param(CLOSED, Position(201), True, NOT, Finding.RECREATED, id="above"),
        pytest.param(CLOSED, Position(201), False, NOT, Finding.RECREATED, id="above, of another time"),
        pytest.param(OPEN, Position(150), False, NOT, Finding.PROBE, id="another creation time"),
        pytest.param(OPEN, Position(150), False, SAME, Finding.RESUME, id="only restarted"),
        pytest.param(OPEN, Position(150), False, OTHER, Finding.RECREATED, id="another record there"),
        pytest.param(OPEN, Position(99), False, OTHER, Finding.RECREATED, id="below, of another time"),
        pytest.param(UNRELATED, Position(150), True, NOT, Finding.RECREATED, id="unknown, no child"),
        pytest.param({}, Position(150), True, NOT, Finding.RECREATED, id="no shard at all"),
        pytest.param(PARENT_OF_C, Position(150), True, NOT, Finding.ENDED, id="unknown, a child known"),
        pytest.param(PARENT_OF_C, Position(150), False, NOT, Finding.ENDED, id="the same, of another time"),
        pytest.param(LATER, Position(150), True, NOT, Finding.ENDED, id="trimmed with its children"),
        pytest.param(LATER, Position(950), True, NOT, Finding.RECREATED, id="what is left is older"),
        pytest.param(LATER, Position(150), False, NOT, Finding.RECREATED, id="trimmed, of another time"),
        pytest.param(OPEN, LATEST, True, NOT, Finding.RESUME, id="not begun"),
        pytest.param(OPEN, LATEST, False, NOT, Finding.RESUME, id="not begun, of another time"),
        pytest.param(PARENT_OF_C, LATEST, True, NOT, Finding.ENDED, id="not begun and gone"),
        pytest.param(UNRELATED, LATEST, True, NOT, Finding.RECREATED, id="not begun and unknown"),
        pytest.param(CLOSED, Finished(Position(200)), True, NOT, Finding.RESUME, id="finished"),
        pytest.param(UNRELATED, Finished(Position(200)), False, NOT, Finding.RESUME, id="finished and trimmed"),
        pytest.param(OPEN, Finished(Position(200)), False, NOT, Finding.RECREATED, id="finished, now open"),
        pytest.param(CLOSED, Finished(Position(200)), False, NOT, Finding.PROBE, id="finished, another time"),
        pytest.param(CLOSED, Finished(Position(200)), False, OTHER, Finding.RECREATED, id="finished, other record"),
        pytest.param(CLOSED, Finished(), False, NOT, Finding.RESUME, id="finished without a record"),
    ],
)
@pytest.mark.semantics("STREAM-17")
def test_what_a_checkpoint_is_worth(
    shards: dict[str, Shard], place: Place, unchanged: bool, probe: Probe, finding: Finding
) -> None:
    assert examine("A", place, shards, unchanged=unchanged, probe=probe) is finding


@pytest.mark.semantics("STREAM-17")
def test_a_position_that_the_source_refuses_as_too_old_is_trimmed() -> None:
    assert examine("A", Position(150), OPEN, unchanged=True, trimmed=True) is Finding.TRIMMED


@pytest.mark.parametrize(
    ("number", "arrived", "created", "probe"),
    [
        (7, 90.0, 100.0, SAME),
        (7, None, 100.0, SAME),
        (7, 90.0, None, SAME),
        (8, 90.0, 100.0, OTHER),
        (None, None, 100.0, OTHER),
        (7, 100.0, 100.9, OTHER),
        (7, 130.0, 100.0, OTHER),
    ],
)
@pytest.mark.semantics("STREAM-18")
def test_a_record_is_the_same_by_number_and_by_age(
    number: int | None, arrived: float | None, created: float | None, probe: Probe
) -> None:
    assert compare(Position(7), number, arrived, created) is probe
