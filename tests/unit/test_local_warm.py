"""Which environments stay warm, over all functions."""

from __future__ import annotations

from functools import partial

import pytest

from headrace.dispatch.invokers.local.core.warm import Warm


def used(warm: Warm, environments: str) -> list[str]:
    """What ends when these become idle, one after another."""
    ended: list[str] = []
    for each in environments:
        warm.remove(each)
        warm.add(each, partial(ended.append, each))
    return ended


@pytest.mark.semantics("FN-40")
@pytest.mark.parametrize(
    ("most", "environments", "ended"),
    [(2, "ab", ""), (2, "abc", "a"), (2, "abac", "b"), (1, "aab", "a"), (None, "abcdefgh", ""), (3, "abcdae", "abc")],
)
def test_the_one_that_was_not_used_for_longest_ends(most: int | None, environments: str, ended: str) -> None:
    assert used(Warm(most), environments) == list(ended)


@pytest.mark.semantics("FN-40")
def test_one_that_is_in_use_never_ends() -> None:
    warm, ended = Warm(1), list[str]()
    for each in ("taken", "first", "second"):
        warm.add(each, partial(ended.append, each))
        if each == "taken":
            warm.remove(each)
    assert ended == ["first"]
    assert len(warm) == 1


@pytest.mark.semantics("FN-61")
def test_few_stay_that_served_nothing_and_none_ends_for_them_that_did() -> None:
    warm, ended = Warm(unused=2), list[str]()
    warm.add("worked", partial(ended.append, "worked"))
    for each in "abcd":
        warm.add(each, partial(ended.append, each), used=False)
    assert (ended, len(warm)) == (["a", "b"], 3)


@pytest.mark.semantics("FN-61")
def test_one_that_served_an_event_counts_no_longer_as_unused() -> None:
    warm, ended = Warm(unused=1), list[str]()
    warm.add("first", partial(ended.append, "first"), used=False)
    warm.remove("first")
    warm.add("first", partial(ended.append, "first"))
    warm.add("second", partial(ended.append, "second"), used=False)
    assert ended == []
