"""Small line plots as SVG text. Pure; the same input gives the same text."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 720, 260
LEFT, RIGHT, TOP, BOTTOM = 64, 210, 30, 48
COLOURS = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#8c564b")


@dataclass(frozen=True, slots=True)
class Plot:
    """Series over the same places on the x axis; None where a series has nothing there."""

    title: str
    places: Sequence[str]
    series: Mapping[str, Sequence[float | None]]
    goals: Mapping[str, float]
    """By series: where its dashed line is."""
    logarithmic: bool = True


def svg(plot: Plot) -> str:
    """Raises ValueError where no series has a value."""
    values = [value for series in plot.series.values() for value in series if value is not None]
    scale = Scale([*values, *plot.goals.values()], plot.logarithmic)
    parts = [_text(LEFT, 18, plot.title, "start", 13)]
    parts += [_grid(tick, scale(tick)) for tick in _ticks([*values, *plot.goals.values()], plot.logarithmic)]
    parts += [_text(_x(at, plot), HEIGHT - BOTTOM + 18, place, "middle", 10) for at, place in enumerate(plot.places)]
    for number, (name, series) in enumerate(plot.series.items()):
        colour = COLOURS[number % len(COLOURS)]
        points = [(_x(at, plot), scale(value)) for at, value in enumerate(series) if value is not None]
        parts.append(_line(points, colour))
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in points]
        parts.append(_text(WIDTH - RIGHT + 16, TOP + 12 + 16 * number, _short(name), "start", 10, colour))
        if name in plot.goals:
            y = scale(plot.goals[name])
            parts.append(_line([(LEFT, y), (WIDTH - RIGHT, y)], colour, dashed=True))
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}">'
    return "\n".join([head, '<rect width="100%" height="100%" fill="white"/>', *parts, "</svg>", ""])


def _x(at: int, plot: Plot) -> float:
    room = WIDTH - LEFT - RIGHT
    return LEFT + room * (at + 0.5) / len(plot.places)


class Scale:
    """From a value to its place on the y axis."""

    def __init__(self, values: Sequence[float], logarithmic: bool) -> None:
        if not values:
            raise ValueError("a plot needs at least one value")
        self._log = logarithmic
        low, high = (min(values), max(values)) if logarithmic else (0.0, max(values))
        self._low, self._high = self._on(low), self._on(high)
        margin = (self._high - self._low) * 0.08 or 0.1
        self._low -= margin if logarithmic else 0.0
        self._high += margin

    def _on(self, value: float) -> float:
        return math.log10(max(value, 1e-9)) if self._log else value

    def __call__(self, value: float) -> float:
        share = (self._on(value) - self._low) / (self._high - self._low)
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)


def _ticks(values: Sequence[float], logarithmic: bool) -> Sequence[float]:
    """Round values between the least and the most."""
    low, high = min(values), max(values)
    if not logarithmic:
        step = 10 ** math.floor(math.log10(high)) if high > 0 else 1.0
        step = step / 2 if high / step < 3 else step
        return [step * at for at in range(int(high / step) + 1)]
    powers = range(math.floor(math.log10(max(low, 1e-9))), math.ceil(math.log10(max(high, 1e-9))) + 1)
    for steps in ((1, 2, 5), (1, 1.5, 2, 3, 4, 5, 7)):
        ticks = [step * 10.0**power for power in powers for step in steps if low <= step * 10.0**power <= high]
        if len(ticks) > 2:
            break
    return ticks


def _grid(tick: float, y: float) -> str:
    line = f'<line x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}" stroke="#ddd"/>'
    return line + _text(LEFT - 8, y + 4, f"{tick:g}", "end", 10)


def _line(points: Sequence[tuple[float, float]], colour: str, dashed: bool = False) -> str:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dash = ' stroke-dasharray="5 4" opacity="0.7"' if dashed else ""
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.5"{dash}/>'


def _text(x: float, y: float, text: str, anchor: str, size: int, colour: str = "#333") -> str:
    font = f'font-family="sans-serif" font-size="{size}" fill="{colour}" text-anchor="{anchor}"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {font}>{escape(text)}</text>'


def _short(name: str) -> str:
    return name if len(name) <= 36 else f"{name[:35]}…"
