"""Plain tables and JSON for standard output. A leaf."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence


def show(text: str) -> None:
    print(text, flush=True)


def show_json(value: object) -> None:
    show(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Columns as wide as they must be, two blanks between them; the last one is not filled up."""
    lines = [tuple(head), *(tuple(str(cell) for cell in row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )
