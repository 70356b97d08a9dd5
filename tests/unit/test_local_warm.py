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
