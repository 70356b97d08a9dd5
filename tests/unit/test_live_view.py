"""The live view: what stands on the screen, and what a key does."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.service.cli.core.cells import cells, cut
from headrace.service.cli.core.live_view import (
    KEYS,
    ORDERS,
    LeverWish,
    LiveView,
    Quit,
    Style,
    ordered,
    pressed,
    screen,
)
from headrace.service.telemetry.core.terminal import visible


def seen(name: str, state: str = "polling", **flow: Any) -> dict[str, Any]:
    rates = {kind: dict.fromkeys(("1s", "1m", "15m"), flow.pop(kind, 0.0)) for kind in ("delivered", "failed")}
    shown: dict[str, Any] = {
        "rates": rates,
        "lag_records": None,
        "lag_seconds": None,
        "lanes": [],
        "in_flight": [],
        "retrying": [],
    }
    about = {"name": name, "state": state, "function": "f", "source": "arn:q", "reason": "", "trouble": ""}
    return {**about, "destination": "", "flow": {**shown, "last_error": None, **flow}}


MAPPINGS = [
    seen("bills", delivered=5.0, lag_records=7),
    seen("orders", "failing", delivered=1.0, failed=2.0, lag_seconds=90.0),
    seen("ads", "paused"),
]


@pytest.mark.semantics("SEE-33")
@pytest.mark.parametrize(
    ("order", "down", "names"),
    [
        ("name", False, ["ads", "bills", "orders"]),
        ("state", False, ["orders", "ads", "bills"]),
        ("delivered", True, ["bills", "orders", "ads"]),
        ("failed", True, ["orders", "ads", "bills"]),
        ("lag", True, ["orders", "bills", "ads"]),
    ],
)
def test_mappings_are_in_the_order_that_is_wanted(order: str, down: bool, names: list[str]) -> None:
    assert [each["name"] for each in ordered(LiveView(order, down), MAPPINGS)] == names


@pytest.mark.semantics("SEE-33")
def test_keys_go_from_mapping_to_mapping_to_a_page_and_back() -> None:
    view = LiveView()
    view, _ = pressed(view, "down", MAPPINGS)
    assert view.selected == "bills"
    view, _ = pressed(view, "j", MAPPINGS)
    view, _ = pressed(view, "j", MAPPINGS)
    assert view.selected == "orders"
    view, wish = pressed(view, "enter", MAPPINGS)
    assert (view.page, wish) == (True, None)
    view, wish = pressed(view, "t", MAPPINGS)
    assert wish == LeverWish("retry", "orders")
    for _ in range(50):
        view, _ = pressed(view, "down", MAPPINGS)
    view, _ = pressed(view, "up", MAPPINGS)
    assert view.scroll < 20
    view, wish = pressed(view, "q", MAPPINGS)
    assert (view.page, wish) == (False, None)
    assert pressed(view, "q", MAPPINGS)[1] is Quit.QUIT


@pytest.mark.semantics("SEE-33")
@pytest.mark.parametrize(("key", "lever"), [("p", "pause"), ("c", "resume"), ("t", "retry"), ("x", None)])
def test_levers_are_for_the_mapping_that_is_selected(key: str, lever: str | None) -> None:
    wish = pressed(LiveView(selected="bills"), key, MAPPINGS)[1]
    assert wish == (LeverWish(lever, "bills") if lever else None)
    assert pressed(LiveView(), key, [])[1] is None


def test_orders_go_round_and_can_be_turned() -> None:
    view = LiveView()
    for _ in ORDERS:
        view, _ = pressed(view, "s", MAPPINGS)
    assert view.order == "name"
    assert pressed(view, "r", MAPPINGS)[0].down


@pytest.mark.semantics("SEE-33")
def test_the_table_marks_what_is_selected_and_what_is_bad() -> None:
    lines = screen(LiveView(selected="bills"), MAPPINGS, "", 10, 200)
    assert [line.style for line in lines[:4]] == [Style.HEAD, Style.FAINT, Style.SELECTED, Style.BAD]
    assert lines[0].text.startswith("MAPPING ^")
    assert "90.0 s" in lines[3].text
    assert lines[-1].text == KEYS
    assert screen(LiveView(), MAPPINGS, "no daemon answers", 10, 200)[-1].style is Style.BAD
    assert "headrace init" in screen(LiveView(), [], "", 10, 200)[0].text


@pytest.mark.semantics("SEE-33")
def test_a_page_has_lanes_batches_and_the_last_error() -> None:
    error = {"text": "no", "kind": "error", "request_id": "r"}
    lane = {"lane": "shard-1", "position": "49", "lag_records": 3, "lag_seconds": None, "blocked_since": 1.0}
    batch = {"lane": "shard-1", "first": "50", "records": 2, "attempt": 3, "next_in": 1.5, "error": error}
    flight = {"lane": "shard-2", "first": "60", "records": 1, "attempt": 1, "seconds": 2.0}
    flight["visibility_left"] = 28.0
    mapping = seen("m", lanes=[lane], retrying=[batch], in_flight=[flight], last_error=error, refused=0.25)
    text = "\n".join(line.text for line in screen(LiveView(selected="m", page=True), [mapping], "", 40, 120))
    for part in (
        "last error  no (error, request r)",
        "shard-1  49        3    blocked",
        "1.5 s",
        "2.0 s  28.0 s",
        "refused 25.0%",
    ):
        assert part in text
    useless = seen("m", refused=1.0, refused_everything=True)
    shown = screen(LiveView(selected="m", page=True), [useless], "", 40, 120)
    assert "filters     refused everything so far" in [line.text for line in shown]
    gone = screen(LiveView(selected="x", page=True), [mapping], "", 40, 120)
    assert gone[0].text == "x is gone"


names = st.text(max_size=12)


@pytest.mark.semantics("SEE-33")
@given(st.lists(names, max_size=30, unique=True), names, st.integers(2, 20), st.integers(1, 60), st.booleans())
def test_whatever_the_daemon_says_the_screen_holds_it(
    found: list[str], selected: str, height: int, width: int, page: bool
) -> None:
    mappings = [seen(name, reason=name) for name in found]
    lines = screen(LiveView(selected=selected, page=page), mappings, "", height, width)
    assert len(lines) == height
    for line in lines:
        assert cells(line.text) <= width
        assert visible(line.text) == line.text
        assert "\n" not in line.text
    if not page and found:
        assert [line.style for line in lines].count(Style.SELECTED) == (1 if height > 2 else len(lines[1:-1]))


@given(st.text(max_size=30), st.integers(0, 20))
def test_a_text_is_cut_to_its_cells(text: str, width: int) -> None:
    assert cells(cut(text, width)) <= max(width, 0)
    if cells(text) <= width:
        assert cut(text, width) == text


@pytest.mark.parametrize(
    ("text", "width", "shown"),
    [
        ("abc", 3, "abc"),
        ("abcd", 3, "ab~"),
        ("e\u0301e\u0301", 2, "e\u0301e\u0301"),
        ("\u65e5\u672c", 3, "\u65e5~"),
        ("a", 0, ""),
    ],
)
def test_wide_and_combining_characters_take_the_cells_that_they_take(text: str, width: int, shown: str) -> None:
    assert cut(text, width) == shown


def test_escape_leads_back_from_a_page() -> None:
    assert pressed(LiveView(selected="bills", page=True), "esc", MAPPINGS) == (LiveView(selected="bills"), None)
