"""Looks for some texts and keys in JSON text, without parsing it. What they are, and why, `searches.py` says."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import AnyStr

Ranges = Sequence[tuple[float, float]]
Key = tuple[str, Ranges | None]
"""A key as it is written, and in which ranges, ends included, a number behind it counts; None: any value counts. No key
is given twice."""

ONE_BY_ONE = 2
"""Texts that are found faster one by one than together."""

FULL, GAIN, REST = 64, 3, 512
"""Looking for many things costs half a parse, and a refusal saves more than one. So such a scan has a credit: a record
that it refuses adds some, another one takes one away. Without credit it rests for so many records."""

_SPACE = r"[ \t\n\r]*"
_NUMBER = r"(-?[0-9][-+.0-9eE]*)"


class Scan:
    """Whether JSON text may hold one of the things sought. Where it has a backslash, it may.

    What it refuses holds none of them. How often it looks depends on how often that was of use.
    """

    def __init__(self, texts: Iterable[str], keys: Sequence[Key] = ()) -> None:
        self.texts = tuple(sorted(texts))
        self.keys = tuple(keys)
        quoted = [text for text in self.texts if text.startswith('"')]
        together = quoted if keys or len(quoted) > ONE_BY_ONE else []
        alone = [text for text in self.texts if text not in together]
        source = _source(together, keys)
        ranges = [ranges for _, ranges in keys if ranges is not None]
        self._in_text = _look("\\", alone, source, ranges)
        self._in_bytes = _look(b"\\", [text.encode() for text in alone], source.encode(), ranges)
        self._rests = bool(source)
        self._credit, self._rest = FULL, 0

    def refuses(self, data: object) -> bool:
        """Whether surely nothing sought is in these data. Data that are no text are for others to judge."""
        if self._rest:
            self._rest -= 1
            return False
        if isinstance(data, str):
            found = self._in_text(data)
        elif isinstance(data, bytes):
            found = self._in_bytes(data)
        else:
            return False
        if self._rests:
            self._learn(found)
        return not found

    def _learn(self, found: bool) -> None:
        if not found:
            if self._credit < FULL:
                self._credit += GAIN
        elif self._credit > 0:
            self._credit -= 1
        else:
            self._credit, self._rest = FULL // 2, REST


def _look(
    backslash: AnyStr, alone: Sequence[AnyStr], source: AnyStr, ranges: Sequence[Ranges]
) -> Callable[[AnyStr], bool]:
    """Whether data hold a backslash, one of some texts, or what a regular expression finds. Each group of that is a
    number with its ranges."""
    search = re.compile(source).search

    def in_some(data: AnyStr) -> bool:
        if backslash in data:
            return True
        for text in alone:  # noqa: SIM110 - any() over a generator costs as much as a text
            if text in data:
                return True
        return False

    def in_all(data: AnyStr) -> bool:
        if in_some(data):
            return True
        match = search(data)
        while match is not None:
            group = match.lastindex
            if group is None or _counts(match[group], ranges[group - 1]):
                return True
            match = search(data, match.start() + 1)
        return False

    return in_all if source else in_some


def _counts(number: str | bytes, ranges: Ranges) -> bool:
    """What is no number is in no JSON: that is for others to judge."""
    try:
        value = float(number)
    except ValueError:
        return True
    for low, high in ranges:  # noqa: SIM110 - as above
        if low <= value <= high:
            return True
    return False


def _source(texts: Sequence[str], keys: Sequence[Key]) -> str:
    """Texts stand before keys: where both fit, there is no more to ask. One level of alternatives is the fastest."""
    behind_quote = [re.escape(text[1:]) for text in texts]
    for key, ranges in keys:
        value = "" if ranges is None else rf"{_SPACE}(?:{_NUMBER}|\[)"
        behind_quote.append(f'{re.escape(key)}"{_SPACE}:{value}')
    return f'"(?:{"|".join(behind_quote)})' if behind_quote else ""
