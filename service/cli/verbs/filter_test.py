"""`headrace filter test`: shows whether a filter keeps a record, and why."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ....config.errors import ConfigError, Problem
from ....config.user_text import NotText, text_of, typed
from ....dispatch.core.observer import Observer
from ....dispatch.kinds.profile import DispatchKind, Item
from ....dispatch.kinds.table import FILTERS, KINDS, dispatch_of
from ....dispatch.patterns.errors import PatternError
from ....dispatch.patterns.explain import Explanation, explain_record
from ....dispatch.patterns.formats import Data, RecordFilter
from ...wiring.exits import Exit, UsageError
from .configs import load_config
from .tables import show, show_json

AT = "@"


@dataclass(frozen=True, slots=True)
class Candidate:
    """One record to be tried."""

    name: str
    metadata: Mapping[str, object]
    data: Data


def run(arguments: argparse.Namespace, observers: Sequence[Observer]) -> int:
    kind, tested = _filter(arguments)
    candidates = candidates_of(read_text(arguments.record or "-"), kind, as_body=arguments.body)
    verdicts = [
        (one, tested.keeps(one.metadata, one.data), explain_record(tested, one.metadata, one.data))
        for one in candidates
    ]
    if arguments.output == "json":
        show_json([_as_json(*verdict) for verdict in verdicts])
    else:
        for verdict in verdicts:
            _show(*verdict)
    return Exit.OK if all(kept for _, kept, _ in verdicts) else Exit.FAILURE


def read_text(name: str) -> str:
    """A file's text, or standard input's for `-`. Raises UsageError."""
    try:
        return text_of(sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes())
    except OSError as error:
        raise UsageError(f"cannot read {name}: {error.strerror}") from error
    except NotText as fault:
        raise UsageError(f"{'standard input' if name == '-' else name} {fault}") from fault


def typed_text(word: str, what: str) -> str:
    """Raises UsageError for an argument that is no text."""
    try:
        return typed(word)
    except NotText as fault:
        raise UsageError(f"{what} {fault}") from fault


# --- which filter ---------------------------------------------------------------------------------------------------


def _filter(arguments: argparse.Namespace) -> tuple[DispatchKind, RecordFilter]:
    if arguments.pattern:
        if arguments.mapping:
            raise UsageError("give --pattern or --mapping, not both")
        kind = FILTERS[arguments.source]
        return kind, _parsed(kind, [_pattern(text) for text in arguments.pattern])
    config = load_config(arguments.config or (), arguments)
    name = arguments.mapping or _only(list(config.mappings))
    if name not in config.mappings:
        raise UsageError(f"there is no mapping {name!r}; there are {', '.join(config.mappings) or 'none'}")
    mapping = config.mappings[name]
    kind = dispatch_of(mapping)
    return kind, _parsed(kind, mapping.patterns)


def _only(names: Sequence[str]) -> str:
    if len(names) != 1:
        raise UsageError(f"say which mapping with --mapping: {', '.join(names) or 'the configuration has none'}")
    return names[0]


def _pattern(text: str) -> str:
    return read_text(text.removeprefix(AT)) if text.startswith(AT) else typed_text(text, "the pattern")


def _parsed(kind: DispatchKind, patterns: Sequence[object]) -> RecordFilter:
    try:
        return RecordFilter.parse(kind.filters, patterns)
    except PatternError as error:
        raise ConfigError(
            [Problem(each.reason, f"pattern{each.path}", hint=each.hint) for each in error.problems]
        ) from error


# --- which records --------------------------------------------------------------------------------------------------


def candidates_of(text: str, kind: DispatchKind, *, as_body: bool) -> list[Candidate]:
    """The records that a text holds: an event's, one record, or a record's data alone."""
    records = None if as_body else _records(_json(text))
    if records is None:
        return [Candidate("the body", {}, text.removesuffix("\n"))]
    return [_candidate(record, kind) for record in records]


def _json(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _records(value: object) -> list[Item] | None:
    """The records of an event of any source, or a single record; None for anything else."""
    for kind in KINDS:
        if (records := kind.unpack(value)) is not None:
            return records
    return [value] if isinstance(value, dict) and any(kind.is_item(value) for kind in KINDS) else None


def _candidate(record: Item, kind: DispatchKind) -> Candidate:
    try:
        data, name = kind.data(record), kind.called(record)
    except (KeyError, TypeError) as error:
        raise UsageError(f"this is no record of {kind.filters.name}: {error}") from error
    except ValueError as error:
        raise UsageError(f"the record's data are not base64: {error}") from error
    return Candidate("the record" if name is None else str(name), record, data)


# --- the verdict ----------------------------------------------------------------------------------------------------


def _show(one: Candidate, kept: bool, explanations: Sequence[Explanation]) -> None:
    show(f"{'KEPT' if kept else 'FILTERED'}\t{one.name}")
    if not explanations:
        show("  there is no filter")
    for index, explanation in enumerate(explanations):
        show(f"  filter {index}: {'yes' if explanation.matched else 'no'}: {explanation.reason}")


def _as_json(one: Candidate, kept: bool, explanations: Sequence[Explanation]) -> dict[str, object]:
    filters = [{"matched": each.matched, "reason": each.reason, "path": each.path} for each in explanations]
    return {"record": one.name, "kept": kept, "filters": filters}
