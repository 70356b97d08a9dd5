"""Bytes of a runtime's log descriptor into records, within a budget."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.dispatch.invokers.local.core.frames import Frames
from headrace.dispatch.invokers.local.core.lines import LINE_LIMIT, LineBudget

TEXT, JSON = 0xA55A0003, 0xA55A0002


def frame(text: str, kind: int = TEXT) -> bytes:
    raw = text.encode()
    return kind.to_bytes(4) + len(raw).to_bytes(4) + (1_700_000_000_000_000).to_bytes(8) + raw


def generous() -> Frames:
    return Frames(LineBudget(1e9, 1e12))


@pytest.mark.semantics("FN-43")
def test_a_record_of_several_lines_is_one_and_the_next_is_not_glued_to_it() -> None:
    frames = generous()
    written = (
        frame("[INFO]\tone\ntwo\n") + frame('{"level":"ERROR"}', JSON | 20) + frame("[ERROR] E: no\nTraceback\n  x")
    )
    assert frames.feed(written, 0.0) == ["[INFO]\tone\ntwo", '{"level":"ERROR"}', "[ERROR] E: no\nTraceback\n  x"]
    assert frames.finish() == []


@given(st.lists(st.text(st.characters(codec="utf-8"))), st.data())
def test_records_do_not_depend_on_how_the_bytes_are_cut(written: list[str], data: st.DataObject) -> None:
    raw = b"".join(frame(text) for text in written)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=8)))
    frames, seen, start = generous(), [], 0
    for cut in [*cuts, len(raw)]:
        seen += frames.feed(raw[start:cut], 0.0)
        start = cut
    assert seen + frames.finish() == [text.removesuffix("\n") for text in written]


@given(st.lists(st.binary(max_size=40) | st.text(max_size=5).map(frame), max_size=8), st.integers(1, 7))
def test_no_bytes_break_it_and_it_says_the_same_however_they_come(pieces: list[bytes], step: int) -> None:
    raw = b"".join(pieces)
    whole, cut = generous(), generous()
    at_once = whole.feed(raw, 0.0) + whole.finish()
    little = [record for at in range(0, len(raw), step) for record in cut.feed(raw[at : at + step], 0.0)]
    assert little + cut.finish() == at_once


def test_what_is_no_frame_is_lines_of_plain_text_and_frames_go_on_behind_it() -> None:
    frames = generous()
    assert frames.feed(b"echo of a shell\n" + frame("a record"), 0.0) == ["echo of a shell", "a record"]
    assert frames.feed(b"without an end" + frame("another"), 0.0) == ["another"]
    assert frames.finish() == ["without an end"]


def test_a_frame_that_is_not_finished_is_passed_on_as_far_as_it_came() -> None:
    frames = generous()
    assert frames.feed(frame("half of it")[:-3], 0.0) == []
    assert frames.finish() == ["half of"]
    assert frames.finish() == []


def head(length: int) -> bytes:
    return TEXT.to_bytes(4) + length.to_bytes(4) + bytes(8)


@pytest.mark.parametrize("length", [LINE_LIMIT + 1, 3 * LINE_LIMIT + 1])
def test_a_record_that_is_too_long_is_cut_and_the_next_one_is_whole(length: int) -> None:
    frames = generous()
    assert [len(record) for record in frames.feed(head(length) + b"x" * length + frame("next"), 0.0)] == [LINE_LIMIT, 4]


def test_a_record_without_end_takes_no_more_memory() -> None:
    frames = generous()
    assert frames.feed(head(2**32 - 1), 0.0) == []
    for _ in range(1000):
        assert frames.feed(b"x" * 4096, 0.0) == []
    assert [len(record) for record in frames.finish()] == [LINE_LIMIT]


@pytest.mark.semantics("FN-21")
def test_records_over_the_budget_are_counted_and_said() -> None:
    frames = Frames(LineBudget(lines_per_second=10, bytes_per_second=1e9))
    assert len(frames.feed(frame("a\nof two lines") * 10, 0.0)) == 10
    assert frames.feed(frame("b") * 12, 0.0) == []
    said, *kept = frames.feed(frame("c"), 1.0)
    assert "dropped 12 records" in said
    assert kept == ["c"]
