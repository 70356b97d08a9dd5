"""Which partitions nothing comes of, although something should."""

from __future__ import annotations

import pytest

from headrace.pollers.kafka.core.quiet import Quiet

Answers = dict[str, object]


def asked(quiet: Quiet[str], seconds: int, answer: object = None, **more: object) -> list[str]:
    """Of one partition, a fetch each second; what was said after the last."""
    found: list[str] = []
    for now in range(seconds):
        found = quiet.after(float(now), {"p": now if answer is None else answer}, **{**NOTHING, **more})  # type: ignore[arg-type]
    return found


NOTHING: dict[str, object] = {"fed": (), "behind": (), "full": False}


@pytest.mark.parametrize(
    ("answer", "more", "found"),
    [
        (None, {}, []),  # it answers each time, that there is nothing
        ("the same", {}, ["p"]),
        ("the same", {"fed": ("p",)}, []),
        (None, {"behind": ("p",)}, ["p"]),  # it answers, and does not give what it has
        ("the same", {"full": True}, []),  # others may have been left out
    ],
)
@pytest.mark.semantics("KAFKA-20")
def test_who_is_quiet(answer: object, more: dict[str, object], found: list[str]) -> None:
    assert asked(Quiet(5.0), 7, answer, **more) == found


def test_it_takes_the_whole_time() -> None:
    assert asked(Quiet(5.0), 5, "the same") == []
    assert asked(Quiet(5.0), 6, "the same") == ["p"]


def test_what_nobody_asked_for_cannot_have_come() -> None:
    quiet: Quiet[str] = Quiet(5.0)
    assert asked(quiet, 2, "the same") == []
    assert quiet.after(60.0, {"p": "the same"}, (), (), full=False) == []


def test_one_that_is_not_asked_for_is_forgotten() -> None:
    quiet: Quiet[str] = Quiet(5.0)
    asked(quiet, 4, "the same")
    assert quiet.after(4.0, {}, (), (), full=False) == []
    assert quiet.after(6.0, {"p": "the same"}, (), (), full=False) == []
