"""`headrace filter test`: shows whether a filter keeps a record, and why."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from ....config.errors import ConfigError, Problem
from ....config.user_text import NotText, text_of, typed
from ....dispatch.core.observer import Observer
from ....dispatch.kinds.profile import DispatchKind
from ....dispatch.kinds.table import FILTERS, dispatch_of
from ....dispatch.kinds.trials import Candidate, NoRecord, Trial, candidates_of, tried
from ....dispatch.patterns.errors import PatternError
from ....dispatch.patterns.formats import RecordFilter
from ...wiring.exits import Exit, UsageError
from .configs import load_config
from .tables import show, show_json

AT = "@"
PATTERN_SOURCE = "sqs"
"""The kind whose rules apply to `--pattern`, unless `--source` names another one."""


def run(arguments: argparse.Namespace, observers: Sequence[Observer]) -> int:
    kind, tested = _filter(arguments)
    trials = [tried(tested, one) for one in _candidates(arguments, kind)]
    if arguments.output == "json":
        show_json([trial.as_json() for trial in trials])
    else:
        for trial in trials:
            _show(trial)
    return Exit.OK if all(trial.kept for trial in trials) else Exit.FAILURE


def _candidates(arguments: argparse.Namespace, kind: DispatchKind) -> list[Candidate]:
    try:
        return candidates_of(read_text(arguments.record or "-"), kind, as_body=arguments.body)
    except NoRecord as refused:
        raise UsageError(str(refused)) from refused


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
        kind = FILTERS[arguments.source or PATTERN_SOURCE]
        return kind, _parsed(kind, [_pattern(text) for text in arguments.pattern])
    if arguments.source:
        raise UsageError("--source goes with --pattern: a mapping's own source says which rules apply")
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


# --- the verdict ----------------------------------------------------------------------------------------------------


def _show(trial: Trial) -> None:
    show(f"{'KEPT' if trial.kept else 'FILTERED'}\t{trial.name}")
    if not trial.filters:
        show("  there is no filter")
    for index, explanation in enumerate(trial.filters):
        show(f"  filter {index}: {'yes' if explanation.matched else 'no'}: {explanation.reason}")
