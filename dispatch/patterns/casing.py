"""Comparing without regard to case, character by character as EventBridge does. Used by the ignore-case operators.

Each character of the pattern stands for its own lower- and upper-case spelling. So `ß` also matches `SS`, while `ss`
does not match `ß`: the pattern is folded, the value is not.
"""

from __future__ import annotations

import re


class Folded:
    """A pattern text that compares without regard to case. ASCII texts, the usual ones, need no regex."""

    __slots__ = ("_ascii", "_backward", "_forward", "_length")

    def __init__(self, text: str) -> None:
        self._length = len(text)
        self._ascii = text.lower() if text.isascii() else None
        letters = "" if self._ascii is not None else text
        self._forward = re.compile("".join(_either(letter.lower(), letter.upper()) for letter in letters))
        # From its end a value is read backwards, or the regex would be tried at every place of a long value.
        backward = (_either(letter.lower()[::-1], letter.upper()[::-1]) for letter in reversed(letters))
        self._backward = re.compile("".join(backward))

    def equals(self, value: str) -> bool:
        if self._ascii is None:
            return self._forward.fullmatch(value) is not None
        return self._is_pattern(value)

    def starts(self, value: str) -> bool:
        if self._ascii is None:
            return self._forward.match(value) is not None
        return self._is_pattern(value[: self._length])

    def ends(self, value: str) -> bool:
        if self._ascii is None:
            return self._backward.match(value[-_LONGEST * self._length :][::-1]) is not None
        return self._is_pattern(value[max(0, len(value) - self._length) :])

    def _is_pattern(self, part: str) -> bool:
        # A non-ASCII letter may lower to an ASCII one (the Kelvin sign); it is no spelling of the pattern's letter.
        return part.isascii() and part.lower() == self._ascii


_LONGEST = 3
"""The most characters that one letter has in its other case."""


def _either(lower: str, upper: str) -> str:
    one, other = re.escape(lower), re.escape(upper)
    return one if one == other else f"(?:{one}|{other})"
