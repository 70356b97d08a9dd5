"""Processes that a test answers for, wherever they hang: by a variable that only they have in their environment."""

from __future__ import annotations

from pathlib import Path


def marked(mark: str) -> list[int]:
    """The processes that have `MARK` with this value."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if f"MARK={mark}".encode() in path.read_bytes():
                found.append(int(path.parent.name))
        except OSError:
            continue  # it ended while we looked, or is not ours
    return found
