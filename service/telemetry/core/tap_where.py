"""Which records somebody who looks wants to see: those with a text in them, or those that a filter pattern takes. Pure.

    element of the event ──► judge ──► True | False | Unjudged: why nobody can say it

A record is judged as the tap has it: as its element of the Lambda event, in JSON. A filter of the mapping may have seen
more than that. A record of which too little is there is told as unjudged, and never as one that does not match.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeAlias

import orjson

from ....dispatch.kinds.profile import DispatchKind
from ....dispatch.kinds.table import FILTERS
from ....dispatch.patterns.errors import PatternError
from ....dispatch.patterns.formats import Data, RecordFilter

PATTERN = "{"
"""The first character of a pattern. A text with another one is searched for as it is."""


@dataclass(frozen=True, slots=True)
class Unjudged:
    """Nobody can say whether it is wanted."""

    why: str
    """The end of a sentence about several records."""


Verdict: TypeAlias = bool | Unjudged
Judge = Callable[[bytes], Verdict]
"""For a record's element of the event."""
KindOf = Callable[[str], DispatchKind | None]
"""The kind of a mapping's source, by the mapping's name; None for a mapping that is not there."""

GONE = Unjudged("a filter refused them before this tap was there, and what they held is gone")
OTHER_MAPPING = Unjudged("their mapping is gone, or has another kind of source than it had")
UNDECODED = Unjudged("a schema registry decoded their data for filters alone, and the event has them as they came")

_NOTHING = (b"", b"{}")
"""The elements of records whose sheet let go of what they were made of."""


class Where(Protocol):
    def judge_of(self, mapping: str) -> Judge:
        """What judges the records of a mapping."""
        ...


class TextWhere:
    """Records in whose JSON a text stands; all of them for an empty one."""

    def __init__(self, text: str = "") -> None:
        self._text = text.encode(errors="replace")

    def judge_of(self, mapping: str) -> Judge:
        return self._judge

    def _judge(self, element: bytes) -> Verdict:
        if self._text and element in _NOTHING:
            return GONE
        return self._text in element


class PatternWhere:
    """Records that a filter pattern takes, by the rules of their mapping's kind of source."""

    def __init__(self, pattern: str, kinds: Sequence[DispatchKind], kind_of: KindOf) -> None:
        """`kinds`: those whose records may come. Raises PatternError for a pattern that is right for none of them."""
        self._kind_of = kind_of
        self._filters: dict[str, RecordFilter | Unjudged] = {}
        refusals = [refusal for kind in kinds if (refusal := self._add(kind, pattern)) is not None]
        if len(refusals) == len(kinds):
            raise refusals[0]

    def _add(self, kind: DispatchKind, pattern: str) -> PatternError | None:
        name = kind.filters.name
        try:
            self._filters[name] = RecordFilter.parse(kind.filters, [pattern])
        except PatternError as error:
            self._filters[name] = Unjudged(f"the pattern is wrong for a source of {name}: {error.problems[0].reason}")
            return error
        return None

    def judge_of(self, mapping: str) -> Judge:
        kind = self._kind_of(mapping)
        tested = self._filters.get(kind.filters.name) if kind else None
        if kind is None or tested is None:
            return lambda element: OTHER_MAPPING
        if isinstance(tested, Unjudged):
            return lambda element: tested
        return partial(_judged, kind, tested)


def where_of(text: str, mapping: str, kind_of: KindOf) -> Where:
    """What `--where` says. `mapping`: the only one whose records may come; empty for all. May take long for a large
    pattern. Raises PatternError."""
    if not text.startswith(PATTERN):
        return TextWhere(text)
    only = kind_of(mapping) if mapping else None
    return PatternWhere(text, list(FILTERS.values()) if only is None else [only], kind_of)


class _Undecoded(Exception):
    """A pattern asks for data that the element does not hold."""


def _judged(kind: DispatchKind, tested: RecordFilter, element: bytes) -> Verdict:
    if element in _NOTHING:
        return GONE
    item = _parsed(element)
    try:
        return tested.keeps(item, partial(_data, kind, item))
    except _Undecoded:
        return UNDECODED
    except (KeyError, TypeError, ValueError):
        return Unjudged(f"they do not have the form of records of {kind.filters.name}")


def _data(kind: DispatchKind, item: dict[str, Any]) -> Data:
    if kind.undecoded(item):
        raise _Undecoded
    return kind.data(item)


def _parsed(element: bytes) -> Any:
    try:
        return orjson.loads(element)
    except ValueError:  # a lone surrogate, a number beyond a double: the standard library wrote it, and reads it
        return json.loads(element)
