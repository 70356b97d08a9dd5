"""Says what is wrong with filter patterns: for the configuration, which may not know the pattern engine. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...config.kinds.profile import SourceKind
from ..patterns.errors import PatternError
from ..patterns.formats import RecordFilter
from .table import dispatch_kind


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a pattern, as `config.loader` wants to hear it."""

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
