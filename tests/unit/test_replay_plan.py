"""Which records a replay reads again, and what somebody writes to say it."""

from __future__ import annotations

import itertools
import json
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.dispatch.core.found_documents import NamedRecords
from headrace.dispatch.core.model import Position
from headrace.pollers.replay.core.bounds import Unclear, plan_between
from headrace.pollers.replay.core.plan import (
    SLACK,
    ReplayPlan,
    ReplayProgress,
    Span,
    plan_as_json,
    plan_of_json,
    spans_of,
)

NOW = 1_780_000_000.0
SHARD = "shardId-000000000000"


@pytest.mark.semantics("REPLAY-02")
@pytest.mark.parametrize(
    ("begin", "end", "plan"),
    [
        ("TRIM_HORIZON", "", ReplayPlan(None, NOW)),
        ("90m", "30m", ReplayPlan(NOW - 5400, NOW - 1800)),
        ("1.5d", "now", ReplayPlan(NOW - 129600, NOW)),
        ("1700000000", "1700000060.5", ReplayPlan(1700000000.0, 1700000060.5)),
        ("2023-11-14T22:13:20Z", "", ReplayPlan(1700000000.0, NOW)),
        ("2023-11-14T22:13:20", "2023-11-15T00:13:21+02:00", ReplayPlan(1700000000.0, 1700000001.0)),
        (f"{SHARD}@0049", "", ReplayPlan(spans={SHARD: [Span(49, inf, "0049")]})),
        (f"{SHARD}@49", f"{SHARD}@57", ReplayPlan(spans={SHARD: [Span(49, 57, "49")]})),
        ("or/ders/0/15", "or/ders-0@17", ReplayPlan(spans={"or/ders-0": [Span(15, 17, "15")]})),
    ],
)
def test_what_is_written_says_what_is_read_again(begin: str, end: str, plan: ReplayPlan) -> None:
    assert plan_between(begin, end, NOW) == plan


@pytest.mark.semantics("REPLAY-02")
@pytest.mark.parametrize(
    ("begin", "end", "why"),
    [
        ("yesterday", "", "'yesterday' is no place to read from or to"),
        ("1h", "2h", "--to is before --from"),
        ("1h", f"{SHARD}@5", "--to names a place in a shard"),
        (f"{SHARD}@5", "now", f"names a place in {SHARD}"),
        (f"{SHARD}@5", f"{SHARD}@4", "--to is before --from"),
        ("1h", "soon", "'soon' is no place"),
    ],
)
def test_what_is_unclear_says_what_to_write(begin: str, end: str, why: str) -> None:
    found = plan_between(begin, end, NOW)
    assert isinstance(found, Unclear)
    assert why in found.why


@pytest.mark.semantics("REPLAY-02")
def test_a_plan_of_times_ends_where_no_record_can_be_meant_any_more() -> None:
    plan = ReplayPlan(NOW - 60, NOW)
    assert plan.covers("any")
    assert plan.wants("any", 1, NOW)
    assert not plan.wants("any", 1, NOW + 0.001)
    assert not plan.is_over("any", 1, NOW + SLACK)
    assert plan.is_over("any", 1, NOW + SLACK + 0.001)
    assert not plan.is_passed(NOW)
    assert plan.is_passed(NOW + 1)


numbers = st.integers(0, 60)
named = st.builds(
    lambda shard, first, length: NamedRecords(shard, first, first + length, length + 1),
    st.sampled_from(["a", "b"]),
    numbers,
    st.integers(0, 9),
)


@pytest.mark.semantics("REPLAY-03")
@given(st.lists(named, min_size=1, max_size=12), st.sampled_from(["a", "b", "c"]), numbers)
def test_spans_hold_just_the_records_that_documents_name(found: list[NamedRecords], shard: str, number: int) -> None:
    plan = ReplayPlan(spans=spans_of(found))
    wanted = any(each.shard == shard and each.first <= number <= each.last for each in found)
    assert plan.wants(shard, number, NOW) == wanted
    last = max((each.last for each in found if each.shard == shard), default=-1)
    assert plan.is_over(shard, number, NOW) == (number >= last)
    for spans in (plan.spans or {}).values():
        assert all(one.last < other.first for one, other in itertools.pairwise(spans))


@pytest.mark.semantics("REPLAY-03")
def test_documents_that_overlap_name_their_records_once_and_all_of_them() -> None:
    found = [NamedRecords("a", 0, 9, 10), NamedRecords("a", 2, 3, 2), NamedRecords("a", 9, 12, 4)]
    assert spans_of(found) == {"a": [Span(0, 12)]}


@pytest.mark.semantics("REPLAY-04")
@given(st.lists(named, max_size=6), st.none() | st.floats(0, 2e9), st.just(inf) | st.floats(0, 2e9))
def test_a_plan_and_its_progress_outlive_a_process(
    found: list[NamedRecords], since: float | None, until: float
) -> None:
    plan = ReplayPlan(since, until, spans_of(found) if found else None)
    assert plan_of_json(json.loads(json.dumps(plan_as_json(plan)))) == plan
    progress = ReplayProgress()
    for each in found:
        progress.moved(each.shard, Position(10**30 + each.last, 2, "0" * 5), ended=each.first > 30)
        progress.count("delivered", each.count)
    progress.moved("empty", None, ended=False)
    assert progress.records == sum(each.count for each in found)
    assert ReplayProgress.of_json(json.loads(json.dumps(progress.as_json()))) == progress


@pytest.mark.semantics("REPLAY-04")
def test_a_shard_that_ended_stays_so_and_keeps_its_position() -> None:
    progress = ReplayProgress()
    progress.moved("a", Position(5), ended=False)
    progress.moved("a", None, ended=True)
    progress.moved("a", None, ended=False)
    assert progress.shards["a"].position == Position(5)
    assert progress.shards["a"].ended
