"""When files that somebody writes are to be read again. Pure.

An editor writes in several steps, and a copy grows: what has changed is read once it looks the same twice in a row.
"""

from __future__ import annotations

from collections.abc import Hashable


class FileChanges:
    """`look` gets what is seen of the files, at each look."""

    def __init__(self, seen: Hashable) -> None:
        """`seen`: of the files as they were read."""
        self._read = seen
        self._last = seen

    def look(self, seen: Hashable) -> bool:
        """Whether they are to be read now."""
        still = seen == self._last
        self._last = seen
        if not still or seen == self._read:
            return False
        self.took(seen)
        return True

    def took(self, seen: Hashable) -> None:
        """They are read now, whoever asked for it."""
        self._read = seen
