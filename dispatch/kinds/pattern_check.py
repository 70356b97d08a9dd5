"""Reports errors in filter patterns, and remarks on valid ones: for code that reads mappings and may not import the
pattern engine. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...config.kinds.profile import SourceKind
from ..patterns.errors import PatternError
from ..patterns.formats import RecordFilter
from ..patterns.reach import besides, unmet
from .table import dispatch_kind


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault of a pattern in the form that `config.loader` expects."""

    path: str
    what: str
    hint: str


def check_patterns(kind: SourceKind, patterns: Sequence[object]) -> Sequence[Fault]:
    """Compile the patterns and say everything that is wrong with them."""
    try:
        RecordFilter.parse(dispatch_kind(kind).filters, patterns)
    except PatternError as error:
        # The loader gives one pattern at a time and knows which; the path shall begin inside it.
        return [
            Fault("$" + problem.path.removeprefix("$").removeprefix("[0]"), problem.reason, problem.hint)
            for problem in error.problems
        ]
    return []


@dataclass(frozen=True, slots=True)
class PatternNote:
    """A remark on a valid pattern."""

    path: str
    """The dotted path of the field in the record; empty for the pattern as a whole."""
    what: str
    hint: str = ""
    matches_nothing: bool = False
    """Whether no record of the source can pass. If false, the note is only informative."""


def pattern_notes(kind: SourceKind, pattern: object) -> Sequence[PatternNote]:
    """The notes on one pattern; none for a pattern that is refused."""
    found = dispatch_kind(kind)
    try:
        (parsed,) = RecordFilter.parse(found.filters, [pattern]).patterns
    except PatternError:
        return []
    why = unmet(parsed, found.filters, found.shape, found.impossible)
    if why is not None:
        what = f"can match nothing, so no record passes it: {why.what}"
        return [PatternNote(why.path, what, why.hint, matches_nothing=True)]
    if others := besides(parsed, found.filters, found.shape):
        key, named = found.filters.key, ", ".join(others)
        what = f"looks at {named}; AWS's documentation shows filters of this source on {key} alone"
        return [PatternNote("", what, "it works here, but may not work on AWS")]
    return []
