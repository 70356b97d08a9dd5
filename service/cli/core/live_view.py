"""The live view of `headrace status --watch`: what stands on the screen, and what a key does. Pure.

    table of mappings ──enter──► page of one ──esc──► table
       │ s, r: order      │ p, c, t: pause, continue, retry now     q: quit

What the daemon says is data: control characters are escaped, and lines are cut where the screen ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from ...telemetry.core.terminal import in_one_line
from .cells import columns, cut

Seen = Mapping[str, Any]
"""A mapping as `/status` has it."""


class Style(Enum):
    PLAIN = "plain"
    HEAD = "head"
    SELECTED = "selected"
    BAD = "bad"
    FAINT = "faint"


@dataclass(frozen=True, slots=True)
class ScreenLine:
    text: str
    style: Style = Style.PLAIN


@dataclass(frozen=True, slots=True)
class LiveView:
    """What somebody looks at."""

    order: str = "name"
    """A name of ORDERS."""
    down: bool = False
    """The greatest first."""
    selected: str = ""
    """A mapping's name; empty for the first."""
    page: bool = False
    """Whether the page of that mapping is shown."""
    scroll: int = 0
    """Lines of the page that are above the screen."""
    said: str = ""
    """What became of the last key."""


@dataclass(frozen=True, slots=True)
class LeverWish:
    """A lever that somebody pulls."""

    lever: str
    """The name of the lever in `/v1/mappings/NAME/…`."""
    mapping: str


class Quit(Enum):
    QUIT = "quit"


Wish = LeverWish | Quit | None

LEVERS = {"p": "pause", "c": "resume", "t": "retry"}
UP, DOWN = frozenset({"up", "k"}), frozenset({"down", "j"})
ENTER, BACK = frozenset({"enter"}), frozenset({"esc", "left"})
KEYS = "q quit  enter look  esc back  s order  r reverse  p pause  c continue  t retry now"


def _rate(seen: Seen, name: str) -> float:
    return float(((seen.get("flow") or {}).get("rates") or {}).get(name, {}).get("1m", 0.0))


def _lag(seen: Seen) -> float:
    flow = seen.get("flow") or {}
    records = flow.get("lag_records")
    return float(records if records is not None else flow.get("lag_seconds") or 0.0)


ORDERS: Mapping[str, Callable[[Seen], Any]] = {
    "name": lambda seen: str(seen["name"]),
    "state": lambda seen: str(seen["state"]),
    "delivered": lambda seen: _rate(seen, "delivered"),
    "failed": lambda seen: _rate(seen, "failed"),
    "lag": _lag,
}


def ordered(view: LiveView, mappings: Iterable[Seen]) -> list[Seen]:
    by_name = sorted(mappings, key=ORDERS["name"])
    return sorted(by_name, key=ORDERS[view.order], reverse=view.down)


# --- keys -------------------------------------------------------------------------------------------------------------


def pressed(view: LiveView, key: str, mappings: Sequence[Seen]) -> tuple[LiveView, Wish]:
    """The view after a key, and what is to be done. `key`: a character, or `up`, `down`, `left`, `enter`, `esc`."""
    view = replace(view, said="")
    if key == "q":
        return (replace(view, page=False), None) if view.page else (view, Quit.QUIT)
    if view.page:
        return _pressed_on_page(view, key, len(_page_lines(view, mappings)))
    names = [str(seen["name"]) for seen in ordered(view, mappings)]
    at = names.index(view.selected) if view.selected in names else 0
    if names and key in UP | DOWN:
        at = max(0, at - 1) if key in UP else min(len(names) - 1, at + 1)
        return replace(view, selected=names[at]), None
    if names and key in ENTER:
        return replace(view, selected=names[at], page=True, scroll=0), None
    if key == "s":
        orders = list(ORDERS)
        return replace(view, order=orders[(orders.index(view.order) + 1) % len(orders)]), None
    if key == "r":
        return replace(view, down=not view.down), None
    return (view, _lever(key, names[at])) if names else (view, None)


def _pressed_on_page(view: LiveView, key: str, lines: int) -> tuple[LiveView, Wish]:
    if key in BACK:
        return replace(view, page=False), None
    if key in UP | DOWN:
        scroll = view.scroll + (1 if key in DOWN else -1)
        return replace(view, scroll=max(0, min(lines - 1, scroll))), None
    return view, _lever(key, view.selected)


def _lever(key: str, mapping: str) -> Wish:
    return LeverWish(LEVERS[key], mapping) if key in LEVERS else None


# --- the screen -------------------------------------------------------------------------------------------------------


def screen(view: LiveView, mappings: Sequence[Seen], trouble: str, height: int, width: int) -> list[ScreenLine]:
    """At most `height` lines of `width` cells. `trouble`: why the daemon does not answer; empty when it does."""
    lines = _page(view, mappings, height) if view.page else _table(view, mappings, height)
    foot = trouble or view.said or KEYS
    lines = [*lines[: height - 1], *[ScreenLine("")] * (height - 1 - len(lines))]
    lines.append(ScreenLine(foot, Style.BAD if trouble else Style.FAINT))
    return [ScreenLine(cut(in_one_line(line.text), width), line.style) for line in lines[-height:]]


HEAD = ("MAPPING", "STATE", "FUNCTION", "DELIVERED/s", "FAILED/s", "IN FLIGHT", "LAG", "WHY")
COLUMN = {"name": 0, "state": 1, "delivered": 3, "failed": 4, "lag": 6}
"""The column that an order is about."""


def _table(view: LiveView, mappings: Sequence[Seen], height: int) -> list[ScreenLine]:
    if not mappings:
        return [
            ScreenLine("no mapping yet: `headrace init` writes a configuration, and the Lambda API takes them, too")
        ]
    shown = ordered(view, mappings)
    names = [str(seen["name"]) for seen in shown]
    at = names.index(view.selected) if view.selected in names else 0
    rows = [_row(seen) for seen in shown]
    mark = " v" if view.down else " ^"
    head = [name + mark if index == COLUMN[view.order] else name for index, name in enumerate(HEAD)]
    room = max(1, height - 2)
    first = min(max(0, at - room // 2), max(0, len(rows) - room))
    texts = columns([head, *rows])
    window = range(first, min(len(rows), first + room))
    styles = [Style.SELECTED if index == at else _style(shown[index]) for index in window]
    lines = [ScreenLine(texts[index + 1], style) for index, style in zip(window, styles, strict=True)]
    return [ScreenLine(texts[0], Style.HEAD), *lines]


def _style(seen: Seen) -> Style:
    if seen["state"] in ("failing", "waiting") or seen.get("trouble"):
        return Style.BAD
    return Style.FAINT if seen["state"] in ("paused", "disabled") else Style.PLAIN


def _row(seen: Seen) -> list[str]:
    flow = seen.get("flow") or {}
    return [
        str(seen["name"]),
        str(seen["state"]),
        str(seen["function"]),
        f"{_rate(seen, 'delivered'):.1f}",
        f"{_rate(seen, 'failed'):.1f}",
        str(len(flow.get("in_flight") or ())),
        lag_text(flow),
        " ".join(filter(None, (seen.get("reason"), seen.get("trouble")))),
    ]


def lag_text(flow: Mapping[str, Any]) -> str:
    """In records where the source says it, else in seconds."""
    if flow.get("lag_records") is not None:
        return str(flow["lag_records"])
    return "-" if flow.get("lag_seconds") is None else f"{flow['lag_seconds']:.1f} s"


def _page(view: LiveView, mappings: Sequence[Seen], height: int) -> list[ScreenLine]:
    lines = _page_lines(view, mappings)
    return lines[min(view.scroll, max(0, len(lines) - (height - 1))) :]


def _page_lines(view: LiveView, mappings: Sequence[Seen]) -> list[ScreenLine]:
    seen = next((each for each in mappings if each["name"] == view.selected), None)
    if seen is None:
        return [ScreenLine(f"{view.selected} is gone", Style.BAD)]
    flow = seen.get("flow") or {}
    lines = [ScreenLine(f"{seen['name']}: {seen['state']}", Style.HEAD)]
    facts = {"why": seen.get("reason"), "source": seen["source"], "function": seen["function"], "lag": lag_text(flow)}
    facts |= {"destination": " ".join(filter(None, (seen.get("destination"), seen.get("trouble"))))}
    facts["filters"] = _filters(flow)
    facts["last error"] = _error(flow.get("last_error"))
    lines += [ScreenLine(f"{name:<12}{text}") for name, text in facts.items() if text]
    lines += _rates(flow)
    lanes = [(each["lane"], each["position"], lag_text(each), _blocked(each)) for each in flow.get("lanes") or ()]
    lines += _part(("LANE", "POSITION", "LAG", ""), lanes)
    flights = [(*_batch(each), f"{each['seconds']:.1f} s", _hidden(each)) for each in flow.get("in_flight") or ()]
    lines += _part(("IN FLIGHT", "FIRST", "RECORDS", "ATTEMPT", "FOR", "HIDDEN FOR"), flights)
    retries = [
        (*_batch(each), f"{each['next_in']:.1f} s", _error(each["error"])) for each in flow.get("retrying") or ()
    ]
    lines += _part(("RETRYING", "FIRST", "RECORDS", "ATTEMPT", "NEXT IN", "ERROR"), retries)
    return lines


def _filters(flow: Mapping[str, Any]) -> str:
    if flow.get("refused_everything"):
        return "refused everything so far"
    return f"refused {flow['refused']:.1%}" if flow.get("refused") is not None else ""


def _blocked(lane: Mapping[str, Any]) -> str:
    return "blocked" if lane.get("blocked_since") else ""


def _hidden(flight: Mapping[str, Any]) -> str:
    """How long a queue hides it still."""
    return "-" if flight.get("visibility_left") is None else f"{flight['visibility_left']:.1f} s"


def _rates(flow: Mapping[str, Any]) -> list[ScreenLine]:
    rates = (flow.get("rates") or {}).items()
    return _part(
        ("A SECOND", "1s", "1m", "15m"),
        [(name, *(f"{rate[s]:.1f}" for s in ("1s", "1m", "15m"))) for name, rate in rates],
    )


def _error(error: Mapping[str, Any] | None) -> str:
    return f"{error['text']} ({error['kind']}, request {error['request_id']})" if error else ""


def _batch(each: Mapping[str, Any]) -> tuple[Any, ...]:
    return each["lane"], each["first"], each["records"], each["attempt"]


def _part(head: Sequence[str], rows: Sequence[Sequence[object]]) -> list[ScreenLine]:
    if not rows:
        return []
    texts = columns([list(head), *([str(cell) for cell in row] for row in rows)])
    return [ScreenLine(""), ScreenLine(texts[0], Style.HEAD), *map(ScreenLine, texts[1:])]
