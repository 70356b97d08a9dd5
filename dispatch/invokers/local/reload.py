"""Whether a function's code has changed: a cheap look at names, sizes and times, at most once a second."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import anyio.to_thread

SKIPPED = frozenset({"__pycache__", ".git", ".venv", "node_modules", ".pytest_cache", ".mypy_cache", ".ruff_cache"})
"""Directories that change without the code changing, or are too large to look at."""
FRESH_FOR = 1.0
"""Seconds for which a look is good, unless somebody asks for other ones."""


def fingerprint(directories: tuple[Path, ...]) -> int:
    """Another number as soon as a file was added, removed or written."""
    return hash(tuple(sorted(entry for directory in directories for entry in _entries(str(directory)))))


def _entries(directory: str) -> Iterator[tuple[str, int, int]]:
    try:
        found = list(os.scandir(directory))
    except OSError:
        return
    for entry in found:
        if entry.name in SKIPPED:
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _entries(entry.path)
        elif not entry.name.endswith(".pyc"):
            try:
                seen = entry.stat()
            except OSError:
                continue  # it went away while we looked
            yield entry.path, seen.st_size, seen.st_mtime_ns


class CodeWatch:
    """Remembers what the code looked like, and says when it looks different."""

    def __init__(self, directories: tuple[Path, ...], *, enabled: bool, fresh_for: float = FRESH_FOR) -> None:
        self._directories = directories
        self._enabled = enabled
        self._fresh_for = fresh_for
        self._seen: int | None = None
        self._looked_at = float("-inf")

    def due(self, now: float) -> bool:
        """Whether it is time for a look. `now` is monotonic."""
        return self._enabled and now - self._looked_at >= self._fresh_for

    async def changed(self, now: float) -> bool:
        """Look if it is time, and return whether the code differs from the last look. The look is taken in a thread,
        because a large directory would block the event loop."""
        if not self.due(now):
            return False
        self._looked_at = now
        seen = await anyio.to_thread.run_sync(fingerprint, self._directories)
        before, self._seen = self._seen, seen
        return before is not None and before != seen
