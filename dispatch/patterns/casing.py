"""Comparing without regard to case, character by character as EventBridge does. Used by the ignore-case operators.

Each character of the pattern stands for its own lower- and upper-case spelling. So `ß` also matches `SS`, while `ss`
does not match `ß`: the pattern is folded, the value is not.
"""

from __future__ import annotations

import re


class Folded:
    """A pattern text that compares without regard to case. ASCII texts, the usual ones, never reach the regex."""

    __slots__ = ("_ascii", "_end", "_length", "_start")

    def __init__(self, text: str) -> None:
        self._ascii = text.lower() if text.isascii() else None
        self._length = len(text)
        letters = "".join(_either(letter) for letter in text)
        self._start = re.compile(letters)
        self._end = re.compile(f"(?:{letters})\\Z")

    def equals(self, value: str) -> bool:
        if self._ascii is None:
            return self._start.fullmatch(value) is not None
        return self._is_pattern(value)

    def starts(self, value: str) -> bool:
        if self._ascii is None:
            return self._start.match(value) is not None
        return self._is_pattern(value[: self._length])

    def ends(self, value: str) -> bool:
        if self._ascii is None:
            return self._end.search(value) is not None
        return self._is_pattern(value[max(0, len(value) - self._length) :])

    def _is_pattern(self, part: str) -> bool:
        # A non-ASCII letter may lower to an ASCII one (the Kelvin sign); it is no spelling of the pattern's letter.
        return part.isascii() and part.lower() == self._ascii


def _either(letter: str) -> str:
    lower, upper = re.escape(letter.lower()), re.escape(letter.upper())
    return lower if lower == upper else f"(?:{lower}|{upper})"
