"""Log lines about filters: those that can match nothing, before any record comes; and those that refused each of the
first records of a mapping.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ...config.mapping import EventSourceMapping
from ...dispatch.core.model import Record
from ...dispatch.core.observer import Event, Fetched, Filtered, Invoking
from ...dispatch.kinds.pattern_check import pattern_notes
from ...dispatch.kinds.table import dispatch_of
from ...dispatch.patterns.explain import explain_record
from ...dispatch.patterns.filters import Pattern
from ...dispatch.patterns.formats import RecordFilter
from ...dispatch.patterns.operators import describe
from .core.first_records import ENOUGH, FirstRecords
from .log import Action, Log

LOOKED_AT = 20
"""The number of refused records that are explained: an explanation takes longer than a refusal."""


def say_filters(log: Log, mapping: EventSourceMapping) -> None:
    """A warning for each filter that can match nothing, and remarks on the others."""
    for index, pattern in enumerate(mapping.patterns):
        for note in pattern_notes(mapping.profile, pattern):
            say = log.warning if note.matches_nothing else log.info
            hint = f" ({note.hint})" if note.hint else ""
            text = f"{mapping.name}: filter {index + 1} {note.what}{hint}"
            say(Action.FILTER_UNMET, text, mapping=mapping.name, path=note.path or None)


class FilterWatch:
    """The observer of one mapping with filters."""

    def __init__(self, mapping: EventSourceMapping, log: Log) -> None:
        self.mapping = mapping
        self._log = log
        self._first = FirstRecords()

    def observe(self, event: Event) -> None:
        if self._first.decided:
            return
        match event:
            case Fetched(records=records):
                self._first.fetched(len(records))
            case Filtered(records=records):
                if self._first.refused(len(records)):
                    self._say(records)
            case Invoking():
                self._first.kept()

    def _say(self, records: Sequence[Record]) -> None:
        path, rule = self._usual(records[:LOOKED_AT])
        text = f"{self.mapping.name}: its filters refused each of the first {ENOUGH} records"
        text += f", most of them because {rule}" if rule else ""
        self._log.warning(Action.FILTER_UNMET, text, mapping=self.mapping.name, path=path or None)

    def _usual(self, records: Sequence[Record]) -> tuple[str, str]:
        """The field at which most of them were refused, and why, without any content of the records; both empty when no
        single field was the cause."""
        kind = dispatch_of(self.mapping)
        filters = RecordFilter.parse(kind.filters, self.mapping.patterns)
        found: Counter[tuple[str, str]] = Counter()
        for record in records:
            try:
                data = record.view if record.view is not None else kind.data(record.item)
            except (KeyError, TypeError, ValueError):
                continue
            for pattern, verdict in zip(filters.patterns, explain_record(filters, record.item, data), strict=True):
                if verdict.path:
                    found[verdict.path, _wanted(pattern, verdict.path)] += 1
        return found.most_common(1)[0][0] if found else ("", "")


def _wanted(pattern: Pattern, path: str) -> str:
    """The rule that they did not meet."""
    rules = [branch[path] for branch in pattern.branches if path in branch]
    if not rules:
        return f"{path} has another format than the filter expects"
    return f"they have no {path} that {' or '.join(dict.fromkeys(describe(rule) for rule in rules))}"
