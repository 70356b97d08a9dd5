"""What a caller of the loader says about filter patterns: the loader's layer may not know the pattern engine."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from .kinds.profile import SourceKind

_STEP = re.compile(r'\.([^.\[\]]+)|\[(\d+)\]|\["((?:[^"\\]|\\.)*)"\]')


class PatternFault(Protocol):
    """What is wrong with a filter pattern; `path` points inside it: `$.body.type[1].prefix`."""

    @property
    def path(self) -> str: ...
    @property
    def what(self) -> str: ...
    @property
    def hint(self) -> str: ...


CheckPatterns = Callable[[SourceKind, Sequence[object]], Sequence[PatternFault]]
"""Compiles patterns (JSON texts or structures) and says what is wrong with them. Given by the caller, because this
layer may not know the pattern engine. Called with one pattern at a time."""


class ToldOfPattern(PatternFault, Protocol):
    """A remark on a valid pattern; `path` is the dotted path of a field of the record, or empty."""

    @property
    def matches_nothing(self) -> bool: ...


PatternNotes = Callable[[SourceKind, object], Sequence[ToldOfPattern]]
"""Returns the remarks on a pattern. Given by the caller, as `CheckPatterns`."""


def steps(path: str) -> Iterable[str | int]:
    """The keys of a path inside a pattern: `$.body["a b"][0]`."""
    for key, index, quoted in _STEP.findall(path):
        yield int(index) if index else key or quoted
