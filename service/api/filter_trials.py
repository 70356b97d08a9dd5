"""`POST /v1/filter`: whether a filter keeps a record, and why; with the code that the feeds use.

`GET /v1/explain` says the same of a record that is remembered.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from ...config.mapping import EventSourceMapping
from ...dispatch.kinds.pattern_check import pattern_notes
from ...dispatch.kinds.profile import DispatchKind
from ...dispatch.kinds.table import FILTERS, dispatch_of
from ...dispatch.kinds.trials import NoRecord, candidates_of, tried
from ...dispatch.patterns.errors import PatternError, PatternProblem
from ...dispatch.patterns.formats import RecordFilter
from ..control.refusals import invalid_parameter, no_such_resource

MOST_PATTERNS = 10
"""Patterns of a trial: as many as a mapping may have with AWS's raised quota; https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html"""

ConfigOf = Callable[[str], EventSourceMapping | None]
"""The mapping of this name, at work or not."""


def answer(body: bytes, config_of: ConfigOf) -> dict[str, Any]:
    """For a body with `mapping` or `source`, `patterns` (else the mapping's), and `record`, a text or a structure. May
    take long for a large record. Raises ApiError for a body that is none of this."""
    asked = _asked(body)
    kind, patterns = _filter(asked, config_of)
    shown = {"source": kind.filters.name, "patterns": [_structure(each) for each in patterns]}
    try:
        tested = RecordFilter.parse(kind.filters, patterns)
    except PatternError as error:
        return {**shown, "problems": [_problem(each) for each in error.problems], "notes": [], "trials": []}
    notes = [
        {"filter": index, "what": note.what, "hint": note.hint, "path": note.path, "fatal": note.matches_nothing}
        for index, pattern in enumerate(patterns)
        for note in pattern_notes(kind.kind, pattern)
    ]
    return {**shown, "problems": [], "notes": notes, "trials": _trials(asked, kind, tested)}


def of_mapping(config: EventSourceMapping, record: bytes) -> list[dict[str, object]]:
    """What each filter of a mapping says of a record that it fetched, an element of the event as JSON; empty where it
    has none. May take long for a large record."""
    kind = dispatch_of(config)
    tested = RecordFilter.parse(kind.filters, config.patterns)
    try:
        (one,) = candidates_of(record.decode(), kind, as_body=False)
    except NoRecord:  # a schema decoded it into something else
        return []
    return [each.as_json() for each in tried(tested, one).filters]


def _asked(body: bytes) -> dict[str, Any]:
    try:
        asked = orjson.loads(body)
    except ValueError as fault:
        raise invalid_parameter(f"the body is not JSON: {fault}") from fault
    if not isinstance(asked, dict):
        raise invalid_parameter("the body is an object with `mapping` or `source`, `patterns` and `record`")
    return asked


def _filter(asked: Mapping[str, Any], config_of: ConfigOf) -> tuple[DispatchKind, list[object]]:
    name, source, given = asked.get("mapping"), asked.get("source"), asked.get("patterns")
    if given is not None and not (isinstance(given, list) and len(given) <= MOST_PATTERNS):
        raise invalid_parameter(f"patterns is a list of {MOST_PATTERNS} at most")
    if isinstance(name, str) and name:
        mapping = config_of(name)
        if mapping is None:
            raise no_such_resource(f"there is no mapping {name[:200]!r}; `headrace status` lists them")
        return dispatch_of(mapping), list(mapping.patterns) if given is None else given
    kind = FILTERS.get(source) if isinstance(source, str) else None
    if kind is None:
        raise invalid_parameter(f"name a mapping, or a source: {', '.join(FILTERS)}")
    return kind, given or []


def _trials(asked: Mapping[str, Any], kind: DispatchKind, tested: RecordFilter) -> list[dict[str, object]]:
    record = asked.get("record")
    if record is None:
        return []
    text = record if isinstance(record, str) else json.dumps(record)
    try:
        candidates = candidates_of(text, kind, as_body=bool(asked.get("as_body")))
        return [tried(tested, one).as_json() for one in candidates]
    except NoRecord as refused:
        raise invalid_parameter(str(refused)) from refused


def _structure(pattern: object) -> object:
    """A pattern of a text as what it says, where it is JSON."""
    if not isinstance(pattern, str):
        return pattern
    try:
        return orjson.loads(pattern)
    except ValueError:
        return pattern


def _problem(problem: PatternProblem) -> dict[str, str]:
    return {"path": problem.path, "reason": problem.reason, "hint": problem.hint}
