"""How much room a text takes on a terminal, and texts under each other. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, takewhile
from unicodedata import combining, east_asian_width

from ...telemetry.core.terminal import in_one_line

WIDEST = 40
"""Cells of a column, the last one excepted."""


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Each row as a line, its cells under each other."""
    shown = [[in_one_line(cell) for cell in row] for row in rows]
    last = len(shown[0]) - 1
    widths = [min(WIDEST, max(cells(row[at]) for row in shown)) for at in range(last)]
    return [
        "  ".join([*(padded(cut(row[at], width), width) for at, width in enumerate(widths)), row[last]]).rstrip()
        for row in shown
    ]


def cells(text: str) -> int:
    """How many cells of a terminal a text takes."""
    return sum(map(_width, text))


def _width(character: str) -> int:
    if combining(character):
        return 0
    return 2 if east_asian_width(character) in "WF" else 1


def cut(text: str, width: int) -> str:
    """Cuts a text to the room; the last cell says that there is more."""
    if cells(text) <= width:
        return text
    whole = takewhile(lambda used: used < width, accumulate(map(_width, text)))
    return text[: sum(1 for _ in whole)] + ("~" if width > 0 else "")


def padded(text: str, width: int) -> str:
    return text + " " * (width - cells(text))
