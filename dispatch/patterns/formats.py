"""Which records a mapping's filters keep: patterns and the format of a record's data together. Used by the feeds.

A pattern's rules on the data field expect plain text (`"body": ["x"]`) or JSON (`"body": {"type": ["x"]}`), and data
are JSON when they parse to an object or an array, plain text otherwise. When the two differ, each source has its own
way (https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html), which its `FilterRules` say:

    as a rule       the filter does not take the record
    only_json       rules for plain text are refused when the mapping is made; others: not taken
    ignores_unfit   the filter's rules on the data are ignored, its other rules decide; but whether there are data
                    (`exists`) is asked of a record too that has none

Formats are judged for each filter by itself, and inside one with `$or` for each of its alternatives.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import NoReturn

import orjson

from .compile import Matcher, compile_branches
from .document import depth
from .errors import PatternError, PatternProblem, member
from .filters import Pattern, RuleShape, at_filter, parse_all, shape_of
from .operators import Exists
from .pattern_limits import MAX_RECORD_DEPTH
from .scans import Scan
from .searches import search
from .tree import Branch


@dataclass(frozen=True, slots=True)
class FilterRules:
    """How the filters of one kind of source look into its records."""

    name: str
    """The name by which people choose it: `headrace filter test --source`."""
    key: str
    """The field in which patterns find the data of a record."""
    only_json: bool = False
    """The data are JSON or nothing: a pattern that wants plain text is refused."""
    apart: bool = True
    """The data are decoded and read apart from the record; else they stand in it as they are."""
    ignores_unfit: bool = False
    """Rules on data of another format do not count; else the filter does not take the record."""


Fields = Mapping[str, object]
Data = str | bytes | None
"""A record's data, decoded from base64; None when there are none (a Kafka tombstone)."""


class DataFormat(Enum):
    """The format of a record's data."""

    PLAIN = "plain"
    JSON = "json"
    OPAQUE = "opaque"
    """Bytes that are no UTF-8 text."""
    ABSENT = "absent"


class RecordFilter:
    """The filters of one mapping. Its verdicts never change; safe to share between feeds.

    Data are parsed at most once per record, and only when a filter looks into them. The filter that took a record is
    the first that is asked about the next one.
    """

    def __init__(self, rules: FilterRules, patterns: Iterable[Pattern]) -> None:
        """Raises PatternError for patterns that this source does not take."""
        self.rules = rules
        self.patterns = tuple(patterns)
        found = problems(rules, self.patterns)
        if found:
            raise PatternError(found)
        self._key = rules.key
        self._reads_data = rules.apart and any(pattern.touches(self._key) for pattern in self.patterns)
        self._reads_metadata = any(
            not (path == self._key or path.startswith(f"{self._key}."))
            for pattern in self.patterns
            for branch in pattern.branches
            for path in branch
        )
        self._matchers = {form: _matchers(rules, self.patterns, form) for form in DataFormat}
        self._json = self._matchers[DataFormat.JSON]
        if not self._reads_metadata and rules.apart:
            self._json = _matchers_of_data(rules, self.patterns)
        self._scan = _scan(rules, self.patterns)

    @classmethod
    def parse(cls, rules: FilterRules, sources: Iterable[object]) -> RecordFilter:
        """Filters from their JSON texts or parsed objects. Raises PatternError with the problems of all of them."""
        return cls(rules, parse_all(sources))

    def keeps(self, metadata: Fields | Callable[[], Fields], data: Data | Callable[[], Data] = None) -> bool:
        """Whether the function shall get this record.

        `metadata` are the record's other fields as in the Lambda event; where the data are not apart, all of them, and
        no data. Either may be a function, called only when needed: decoding base64 is not free.
        """
        if not self._reads_data:
            return not self.patterns or _any(self._json, _as_dict(metadata() if callable(metadata) else metadata))
        if callable(data):
            data = data()
        if self._scan is not None and self._scan.refuses(data):
            return False
        form, view = read(data)
        matchers = self._json
        if self._reads_metadata or form is not _JSON:
            view = _viewed(metadata() if callable(metadata) else metadata, self._key, form, view)
            matchers = self._matchers[form]
        for matches in matchers:
            if matches(view):
                if matches is not matchers[0] and matchers is self._json:
                    self._json = (matches, *(other for other in matchers if other is not matches))
                return True
        return False

    def refuses_unparsed(self, data: Data) -> bool:
        """Whether a search in the data as they are written says that no filter takes them."""
        return self._scan is not None and self._scan.refuses(data)

    def view(self, metadata: Mapping[str, object], data: Data | Callable[[], Data] = None) -> dict[str, object]:
        """The object that the patterns are matched against, for explanations."""
        if not self.rules.apart:
            return dict(metadata)
        form, value = read(data() if callable(data) else data)
        return _viewed(metadata, self._key, form, value)


def _viewed(metadata: Mapping[str, object], key: str, form: DataFormat, value: object) -> dict[str, object]:
    """The record with its data decoded, or without the field where there are none."""
    if form is DataFormat.ABSENT:
        return {name: member for name, member in metadata.items() if name != key}
    return {**metadata, key: value}


def problems(rules: FilterRules, patterns: Iterable[Pattern]) -> list[PatternProblem]:
    """The faults that a source finds in well-formed patterns."""
    key = rules.key
    if not rules.only_json:
        return []
    return [
        at_filter(
            index,
            PatternProblem(
                member("$", key),
                f'"{key}" must be an object',
                f'for this source only JSON rules can read the data, e.g. {{"{key}": {{"type": ["x"]}}}}',
            ),
        )
        for index, pattern in enumerate(patterns)
        if pattern.shape(key) in (RuleShape.PLAIN, RuleShape.BOTH)
    ]


def read(data: Data) -> tuple[DataFormat, object]:
    """A record's data as far as they can be read: a JSON object or array, a text, or nothing."""
    try:
        value = orjson.loads(data)  # type: ignore[arg-type]
    except orjson.JSONDecodeError:
        return _read_again(data)
    return (_JSON, value) if isinstance(value, _STRUCTURES) else _read_text(data)


_JSON = DataFormat.JSON
_STRUCTURES = (dict, list)


def _read_text(data: Data) -> tuple[DataFormat, object]:
    if data is None:
        return DataFormat.ABSENT, None
    if isinstance(data, str):
        return DataFormat.PLAIN, data
    try:
        return DataFormat.PLAIN, data.decode()
    except UnicodeDecodeError:
        return DataFormat.OPAQUE, None


def _read_again(data: Data) -> tuple[DataFormat, object]:
    """What orjson refuses may still be JSON: lone surrogates, numbers beyond a double. Depth stays bounded as there."""
    form, text = _read_text(data)
    if not isinstance(text, str) or text.lstrip()[:1] not in ("{", "["):
        return form, text
    try:
        value = json.loads(text, parse_int=_number, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return DataFormat.PLAIN, text
    return (DataFormat.PLAIN, text) if depth(text) > MAX_RECORD_DEPTH else (DataFormat.JSON, value)


def _number(text: str) -> float:
    return int(text) if len(text) < 19 else float(text)


def _refuse(text: str) -> NoReturn:
    raise ValueError(text)


def _matchers(rules: FilterRules, patterns: Iterable[Pattern], form: DataFormat) -> tuple[Matcher, ...]:
    """The rest of each pattern for data of one format."""
    found: list[Matcher] = []
    for pattern in patterns:
        kept = tuple(left for branch in pattern.branches if (left := left_of(rules, branch, form)) is not None)
        if kept == pattern.branches:
            found.append(pattern.compiled.matches)
        elif kept:
            found.append(compile_branches(kept).matches)
    return tuple(found)


def _matchers_of_data(rules: FilterRules, patterns: Iterable[Pattern]) -> tuple[Matcher, ...]:
    """For JSON data and patterns without other rules: matchers of the data alone, which need no view around them."""
    key = f"{rules.key}."
    found: list[Matcher] = []
    for pattern in patterns:
        kept = [left for branch in pattern.branches if (left := left_of(rules, branch, DataFormat.JSON)) is not None]
        if kept:
            inner = ({path.removeprefix(key): rule for path, rule in branch.items()} for branch in kept)
            found.append(compile_branches(inner, arrays=True).matches)
    return tuple(found)


def _scan(rules: FilterRules, patterns: Iterable[Pattern]) -> Scan | None:
    """The search for what all JSON data hold that a filter takes; None where a filter may take other data."""
    if not rules.apart or rules.ignores_unfit:
        return None
    branches = [branch for pattern in patterns for branch in pattern.branches]
    if any(shape_of(branch, rules.key) is not RuleShape.JSON for branch in branches):
        return None
    below = f"{rules.key}."
    return search(
        {path.removeprefix(below): rule for path, rule in branch.items() if path.startswith(below)}
        for branch in branches
    )


def left_of(rules: FilterRules, branch: Branch, form: DataFormat) -> Branch | None:
    """The rest of a branch for data of one format: all of it, its rules on other fields, or nothing."""
    key = rules.key
    shape = shape_of(branch, key)
    if shape is RuleShape.NONE or (shape, form) in _FITTING:
        return branch
    if not rules.ignores_unfit:
        return None
    left = {path: rule for path, rule in branch.items() if path != key and not path.startswith(f"{key}.")}
    if form is DataFormat.ABSENT and any(isinstance(operator, Exists) for operator in branch.get(key, ())):
        left[key] = branch[key]
    return left


_FITTING = frozenset([(RuleShape.PLAIN, DataFormat.PLAIN), (RuleShape.JSON, DataFormat.JSON)])


def _any(matchers: tuple[Matcher, ...], view: object) -> bool:
    return any(matches(view) for matches in matchers)


def _as_dict(metadata: Mapping[str, object]) -> dict[str, object]:
    return metadata if isinstance(metadata, dict) else dict(metadata)
