"""Places for invocations: reserved ones per function, the others of one bound."""

from __future__ import annotations

import pytest

from headrace.service.running.core.concurrency import RESERVED_EXCEEDED, SHARED_EXCEEDED, Concurrency, ConcurrencyPlace


def taken(place: ConcurrencyPlace | str) -> ConcurrencyPlace:
    assert isinstance(place, ConcurrencyPlace)
    return place


@pytest.mark.semantics("API-INVOKE-05")
def test_a_reserved_function_has_so_many_and_the_others_lose_none_to_it() -> None:
    concurrency = Concurrency(1)
    first = taken(concurrency.take("a", 2))
    taken(concurrency.take("a", 2))
    assert concurrency.take("a", 2) == RESERVED_EXCEEDED
    taken(concurrency.take("b", None))
    concurrency.give_back(first)
    taken(concurrency.take("a", 2))


@pytest.mark.semantics("API-INVOKE-05")
def test_none_is_blocked() -> None:
    assert Concurrency(10).take("a", 0) == RESERVED_EXCEEDED


@pytest.mark.semantics("API-INVOKE-06")
def test_all_others_share_one_bound() -> None:
    concurrency = Concurrency(2)
    first = taken(concurrency.take("a", None))
    taken(concurrency.take("b", None))
    assert concurrency.take("c", None) == SHARED_EXCEEDED
    concurrency.give_back(first)
    taken(concurrency.take("c", None))


def test_what_runs_counts_when_concurrency_is_reserved_meanwhile() -> None:
    concurrency = Concurrency(2)
    first = taken(concurrency.take("a", None))
    assert concurrency.take("a", 1) == RESERVED_EXCEEDED
    concurrency.give_back(first)
    taken(concurrency.take("a", 1))
    for _ in range(2):
        taken(concurrency.take("b", None))


@pytest.mark.semantics("API-INVOKE-06")
def test_the_end_of_a_reserved_one_makes_no_room_for_others() -> None:
    concurrency = Concurrency(1)
    reserved = taken(concurrency.take("a", 1))
    taken(concurrency.take("b", None))
    concurrency.give_back(reserved)
    assert concurrency.take("b", None) == SHARED_EXCEEDED
