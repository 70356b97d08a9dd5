"""Bytes of a function's output into lines, within a budget."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.dispatch.invokers.local.core.lines import LINE_LIMIT, LineBudget, OutputLines
from headrace.dispatch.invokers.local.worker import describe_exit


def generous() -> OutputLines:
    return OutputLines(LineBudget(1e9, 1e12))


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\n"))), st.data())
def test_lines_do_not_depend_on_how_the_bytes_are_cut(written: list[str], data: st.DataObject) -> None:
    raw = "".join(f"{line}\n" for line in written).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=5)))
    lines, seen, start = generous(), [], 0
    for cut in [*cuts, len(raw)]:
        seen += lines.feed(raw[start:cut], 0.0) if cut > start else []
        start = cut
    assert seen + lines.finish() == written


@pytest.mark.semantics("FN-20")
def test_a_missing_newline_at_the_end_loses_nothing_and_a_carriage_return_splits_nothing() -> None:
    lines = generous()
    assert lines.feed(b"one\ntwo\rthree", 0.0) == ["one"]
    assert lines.finish() == ["two\rthree"]


def test_a_line_without_end_is_cut_and_takes_no_more_memory() -> None:
    lines = generous()
    seen: list[str] = []
    for _ in range(100):
        seen += lines.feed(b"x" * 65536, 0.0)
    seen += lines.feed(b"tail\nnext\n", 0.0)
    assert [len(line) for line in seen] == [LINE_LIMIT, 4]
    assert seen[-1] == "next"


@pytest.mark.semantics("FN-21")
def test_what_is_over_the_budget_is_counted_and_said() -> None:
    lines = OutputLines(LineBudget(lines_per_second=10, bytes_per_second=1e9))
    assert len(lines.feed(b"a\n" * 10, 0.0)) == 10
    assert lines.feed(b"b\n" * 7, 0.0) == []
    assert lines.feed(b"c\n" * 5, 0.0) == []
    said, *kept = lines.feed(b"d\n", 1.0)
    assert "dropped 12 lines" in said
    assert kept == ["d"]


def test_the_end_of_a_line_whose_beginning_was_dropped_is_dropped_too() -> None:
    lines = OutputLines(LineBudget(lines_per_second=1, bytes_per_second=10))
    assert lines.feed(b"a\n", 0.0) == ["a"]
    assert lines.feed(b"b\nthe beginning", 0.0) == []
    said, *kept = lines.feed(b" end\n", 2.0)
    assert "dropped 1 line:" in said
    assert kept == []
    assert lines.feed(b"c\n", 4.0) == ["c"]


@pytest.mark.semantics("FN-12")
@pytest.mark.parametrize(
    ("status", "words"),
    [(1, "exit status 1"), (-9, "signal: killed"), (-11, "signal: segmentation fault"), (-6, "signal: aborted")],
)
def test_exits_in_awss_words(status: int, words: str) -> None:
    assert describe_exit(status) == words
