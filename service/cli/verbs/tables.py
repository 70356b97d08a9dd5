"""Plain tables and JSON for standard output, and messages for standard error. A leaf."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import TextIO

from ...telemetry.core.terminal import visible


def show(text: str) -> None:
    print(for_stream(sys.stdout, text), flush=True)


def tell(text: str) -> None:
    """On standard error."""
    print(for_stream(sys.stderr, text), file=sys.stderr, flush=True)


def for_stream(stream: TextIO, text: str) -> str:
    """A file or a program gets the text unchanged; for a terminal, control characters are escaped."""
    return visible(text) if stream.isatty() else text


def show_json(value: object) -> None:
    show(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Columns with the needed width, two blanks between them; the last column has no padding."""
    lines = [tuple(head), *(tuple(str(cell) for cell in row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )
