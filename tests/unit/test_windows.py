"""Tumbling windows of one shard."""

from __future__ import annotations

import pytest

from headrace.dispatch.core.batcher import Limits
from headrace.dispatch.core.events import STATE_LIMIT, WindowEnvelope
from headrace.dispatch.core.model import DELIVERED, Batch, BatchKind, DiscardReason, OpenWindow, Record, Window
from headrace.dispatch.core.pages import NONE, Records
from headrace.dispatch.core.slots import Slots, Taken, Waiting
from headrace.dispatch.core.steps import DiscardStep, SettleStep
from headrace.dispatch.core.windows import WindowSlot, window_of
from support.paper import EPOCH, LANE, at, flawed, ids, record

MINUTE = 60
FIRST = window_of(EPOCH, MINUTE)
OFFSET = EPOCH - FIRST.start
"""Monotonic zero is this far into the first window."""


def slot(window: float = 0.0, size: int = 10, restored: OpenWindow | None = None) -> WindowSlot:
    return WindowSlot(Limits(size, window, WindowEnvelope()), MINUTE, LANE, at(0), restored)


def arriving(number: int, after: float) -> Record:
    """A record that arrived `after` seconds from the start of the first window."""
    return record(number, arrived=FIRST.start + after)


def take(slots: Slots, time: float = 0.0) -> Taken:
    taken = slots.take(at(time))
    assert taken is not None
    return taken


def take_in_silence(slots: WindowSlot, time: float) -> Taken:
    slots.heard(at(time))
    return take(slots, time)


def finish(slots: Slots, taken: Taken, time: float = 0.0, state: bytes = b'{"n":1}') -> None:
    closes = taken.batch.kind is BatchKind.WINDOW_END
    slots.invoked(taken.slot, at(time))
    slots.settled(taken.slot, SettleStep(taken.batch.records, DELIVERED, None if closes else state, closes), at(time))
    slots.completed(taken.slot, at(time))


def shape(taken: Taken) -> tuple[list[int], BatchKind, int]:
    assert taken.batch.window is not None
    return ids(taken.batch.records), taken.batch.kind, int(taken.batch.window.start - FIRST.start)


def test_what_waits_behind_the_batch_is_told() -> None:
    slots = slot(size=1)
    first, second = arriving(1, 1.0), arriving(2, 2.0)
    slots.put(Records.of([first, second]), at(0))
    assert take(slots).batch.records == Records.of([first])
    assert slots.behind() == Records.of([second])


@pytest.mark.semantics("WINDOW-01")
@pytest.mark.parametrize(
    ("arrived", "seconds", "start"),
    [(1607411040.0, 120, 1607411040), (1607411159.999, 120, 1607411040), (1607411160.0, 120, 1607411160), (0.5, 7, 0)],
)
def test_windows_are_multiples_of_their_length(arrived: float, seconds: int, start: int) -> None:
    assert window_of(arrived, seconds) == Window(start, start + seconds)


@pytest.mark.semantics("WINDOW-02")
def test_a_batch_never_mixes_windows_and_a_record_beyond_the_end_closes_one() -> None:
    slots = slot(window=5.0)
    slots.put(Records.of([arriving(1, 1), arriving(2, 59), arriving(3, 60), arriving(4, 61)]), at(0))
    first = take(slots)
    assert shape(first) == ([1, 2], BatchKind.WINDOW_END, 0)
    finish(slots, first)
    assert slots.stored is None
    assert slots.take(at(4)) is None
    assert shape(take(slots, 5)) == ([3, 4], BatchKind.RECORDS, 60)


@pytest.mark.semantics("WINDOW-03")
def test_a_window_whose_records_are_all_out_ends_with_an_empty_batch() -> None:
    slots = slot()
    slots.put(Records.of([arriving(1, 1)]), at(0))
    first = take(slots)
    assert shape(first) == ([1], BatchKind.RECORDS, 0)
    finish(slots, first, state=b'{"sum":7}')
    slots.put(Records.of([arriving(2, 60)]), at(1))
    end = take(slots, 1)
    assert (shape(end), end.state, end.batch.lane) == (([], BatchKind.WINDOW_END, 0), b'{"sum":7}', LANE)
    assert slots.take(at(1)) is None
    finish(slots, end)
    following = take(slots, 1)
    assert (shape(following), following.state) == (([2], BatchKind.RECORDS, 60), b"{}")


@pytest.mark.semantics("WINDOW-04")
def test_each_batch_gets_the_state_of_the_one_before() -> None:
    slots = slot(size=1)
    slots.put(Records.of([arriving(1, 1), arriving(2, 2)]), at(0))
    first = take(slots)
    assert (first.state, slots.stored) == (b"{}", OpenWindow(FIRST, b"{}"))
    finish(slots, first, state=b'{"n":1}')
    assert (take(slots).state, slots.stored) == (b'{"n":1}', OpenWindow(FIRST, b'{"n":1}'))


@pytest.mark.semantics("WINDOW-05")
def test_two_quiet_minutes_after_its_end_a_window_is_over() -> None:
    slots = slot()
    slots.put(Records.of([arriving(1, OFFSET)]), at(0))
    finish(slots, take(slots), 1)
    due = MINUTE - OFFSET + 120
    slots.heard(at(due - 0.01))
    assert slots.take(at(due - 0.01)) is None
    assert shape(take_in_silence(slots, due)) == ([], BatchKind.WINDOW_END, 0)


@pytest.mark.semantics("WINDOW-05")
def test_silence_is_what_the_source_says_and_not_that_nobody_asked_it() -> None:
    slots = slot()
    slots.put(Records.of([arriving(1, OFFSET)]), at(0))
    finish(slots, take(slots), 1)
    assert slots.take(at(10_000)) is None
    assert slots.deadline() is None
    assert shape(take_in_silence(slots, 10_000)) == ([], BatchKind.WINDOW_END, 0)


@pytest.mark.semantics("WINDOW-05")
def test_a_backlog_from_long_ago_is_not_taken_for_silence() -> None:
    slots = slot(size=1)
    old = [arriving(n, n - 86_400) for n in range(1, 5)]
    slots.put(Records.of(old[:2]), at(0))
    for _ in range(2):
        taken = take(slots)
        assert taken.batch.kind is BatchKind.RECORDS
        finish(slots, taken)
    slots.put(Records.of(old[2:]), at(100))
    taken = take(slots, 150)
    assert shape(taken) == ([3], BatchKind.RECORDS, -86_400)
    finish(slots, taken, 150)
    finish(slots, take(slots, 150), 150)
    slots.heard(at(219.9))
    assert slots.take(at(219.9)) is None
    assert shape(take_in_silence(slots, 220.0)) == ([], BatchKind.WINDOW_END, -86_400)


@pytest.mark.semantics("WINDOW-06")
def test_the_end_of_the_shard_ends_the_window() -> None:
    slots = slot(window=300.0, size=2)
    slots.put(Records.of([arriving(1, 1), arriving(2, 2), arriving(3, 3)]), at(0))
    finish(slots, take(slots))
    slots.close(at(1))
    end = take(slots, 1)
    assert shape(end) == ([3], BatchKind.WINDOW_END, 0)
    assert not slots.idle
    finish(slots, end)
    assert slots.idle


@pytest.mark.semantics("WINDOW-06")
def test_the_end_of_the_shard_ends_a_window_that_has_no_record_left() -> None:
    slots = slot()
    slots.put(Records.of([arriving(1, 1)]), at(0))
    finish(slots, take(slots))
    slots.close(at(1))
    assert slots.deadline() is not None
    assert slots.deadline() < 1.0  # type: ignore[operator]
    assert shape(take(slots, 1)) == ([], BatchKind.WINDOW_END, 0)


@pytest.mark.semantics("WINDOW-07")
def test_a_state_over_a_megabyte_ends_the_window_early() -> None:
    slots = slot(size=1)
    slots.put(Records.of([arriving(1, 1), arriving(2, 2)]), at(0))
    large = b'{"x":"' + b"y" * STATE_LIMIT + b'"}'
    finish(slots, take(slots), state=large)
    end = take(slots)
    assert (shape(end), end.batch.terminated_early, end.state) == (([], BatchKind.WINDOW_END, 0), True, large)
    finish(slots, end)
    again = take(slots)
    assert (shape(again), again.state, again.batch.terminated_early) == (([2], BatchKind.RECORDS, 0), b"{}", False)


@pytest.mark.semantics("WINDOW-07")
def test_a_state_of_exactly_a_megabyte_is_kept() -> None:
    slots = slot()
    slots.put(Records.of([arriving(1, 1)]), at(0))
    finish(slots, take(slots), state=b" " * STATE_LIMIT)
    assert slots.take(at(1)) is None


@pytest.mark.semantics("WINDOW-08")
def test_a_restart_goes_on_with_the_stored_window() -> None:
    slots = slot(restored=OpenWindow(FIRST, b'{"n":3}'))
    slots.put(Records.of([arriving(9, 30)]), at(1))
    taken = take(slots, 1)
    assert (shape(taken), taken.state) == (([9], BatchKind.RECORDS, 0), b'{"n":3}')


@pytest.mark.semantics("WINDOW-08")
def test_a_stored_window_ends_by_silence_too() -> None:
    slots = slot(restored=OpenWindow(FIRST, b'{"n":3}'))
    due = MINUTE - OFFSET + 120
    slots.heard(at(due - 0.01))
    assert slots.take(at(due - 0.01)) is None
    end = take_in_silence(slots, due)
    assert (shape(end), end.state) == (([], BatchKind.WINDOW_END, 0), b'{"n":3}')


@pytest.mark.semantics("WINDOW-09")
def test_a_window_that_gave_up_drops_its_state() -> None:
    slots = slot(restored=OpenWindow(FIRST, b'{"n":3}'))
    end = take_in_silence(slots, 1000)
    gave_up = DiscardStep(NONE, DiscardReason.RETRIES_EXHAUSTED, None, 3, None, closes=True)
    slots.settled(end.slot, gave_up, at(1001))
    slots.completed(end.slot, at(1001))
    assert slots.stored is None
    assert slots.idle


@pytest.mark.semantics("WINDOW-07", "WINDOW-08")
def test_a_stored_window_that_outgrew_its_limit_ends_early() -> None:
    slots = slot(restored=OpenWindow(FIRST, b" " * (STATE_LIMIT + 1)))
    slots.put(Records.of([arriving(1, 30)]), at(0))
    early = take(slots)
    assert shape(early) == ([], BatchKind.WINDOW_END, 0)
    assert early.batch.terminated_early
    finish(slots, early)
    after = take(slots)
    assert (ids(after.batch.records), after.state, after.batch.terminated_early) == ([1], b"{}", False)


@pytest.mark.semantics("WINDOW-01")
@pytest.mark.parametrize("seconds", [20, 60, 900])
def test_windows_of_another_length_are_multiples_of_it_after_the_stored_one(seconds: int) -> None:
    """The mapping was changed while a window of 60 seconds was open; EPOCH is 13 minutes into the hour."""
    slots = WindowSlot(Limits(10, 0.0, WindowEnvelope()), seconds, LANE, at(0), OpenWindow(FIRST, b'{"n":5}'))
    finish(slots, take_in_silence(slots, 1000))
    slots.put(Records.of([arriving(1, 61)]), at(1000))
    assert take(slots, 1000).batch.window == window_of(FIRST.start + 61, seconds)


def test_a_record_that_comes_late_joins_the_open_window() -> None:
    slots = slot()
    slots.put(Records.of([arriving(1, 61), arriving(2, 59), arriving(3, 62)]), at(0))
    assert shape(take(slots)) == ([1, 2, 3], BatchKind.RECORDS, 60)


def test_an_interruption_leaves_the_window_open() -> None:
    slots = slot(restored=OpenWindow(FIRST, b'{"n":3}'))
    end = take_in_silence(slots, 1000)
    slots.completed(end.slot, at(1001))
    assert slots.stored == OpenWindow(FIRST, b'{"n":3}')


def test_a_decided_record_passes_without_a_window() -> None:
    slots = slot()
    slots.put(Records.of([flawed(arriving(1, 1))]), at(0))
    taken = take(slots)
    assert taken == Taken(0, Batch(Records.of(taken.batch.records)), discard=DiscardReason.SCHEMA_NOT_FOUND)
    assert slots.stored is None


def test_waiting_room_and_drop() -> None:
    slots = slot(window=10.0)
    each = arriving(1, 1)
    slots.put(Records.of([each]), at(0))
    assert (slots.waiting(), slots.room(), slots.deadline()) == (Waiting(1, len(each.body)), 9, 10.0)
    assert slots.drop({LANE}) == Records.of([each])
    assert slots.idle


def test_the_state_fits_beside_a_full_batch() -> None:
    envelope = WindowEnvelope()
    limits = Limits(10_000, 0.0, envelope)
    slots = WindowSlot(limits, MINUTE, LANE, at(0))
    slots.put(Records.of([record(n, size=10_000) for n in range(700)]), at(0))
    taken = take(slots)
    state = b'"' + b"s" * (STATE_LIMIT - 2) + b'"'
    event = envelope.render(Records.of(taken.batch.records), window=taken.batch.window, state=state)
    assert limits.payload - 10_100 < len(event) <= limits.payload
