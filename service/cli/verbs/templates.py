"""What the verbs share that take templates: the options, the loading, and the table that a start prints."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio

from ....config.errors import ConfigError, Problem
from ....config.loader import Config
from ....dispatch.kinds.pattern_check import check_patterns, pattern_notes
from ...templates.core.model import ObjectPlace
from ...templates.core.report import TemplateReport
from ...templates.loading import LoadedTemplate, LoadingTools, TemplateRequest, load
from ...wiring.exits import UsageError
from ...wiring.plugins import installed
from ...wiring.template_start import fetched, settled
from .configs import configs_among, flags_of
from .invoke import outside_tmp
from .tables import show, table, tell

TAKEN, NOT_TAKEN = ("TAKEN", "LOGICAL ID", "AT", "AS"), ("NOT TAKEN", "LOGICAL ID", "AT", "WHY")


def request_of(arguments: argparse.Namespace) -> TemplateRequest:
    """Raises UsageError for a pair that is none."""
    return TemplateRequest(
        stack=arguments.stack or "",
        config_env=arguments.config_env or "",
        account=arguments.account or "",
        parameters=dict(_pairs(arguments.parameter, "--parameter", "NAME=VALUE")),
        bindings=dict(_pairs(arguments.bind, "--bind", "LogicalId=ARN")),
        env_vars=arguments.env_vars or "",
        create_sources=getattr(arguments, "create_sources", False),
        without_layers=arguments.without_layers,
        strict=arguments.strict,
    )


def _pairs(given: Sequence[str] | None, option: str, form: str) -> Iterator[tuple[str, str]]:
    for each in given or ():
        key, found, value = each.partition("=")
        if not key or not found:
            raise UsageError(f"{option} {each}: write it as {option} {form}")
        yield key, value


def load_templates(
    templates: Sequence[Path],
    paths: Sequence[str | Path],
    arguments: argparse.Namespace,
    scratch: Callable[[Config], Path],
) -> LoadedTemplate:
    """The configuration of paths, of which some are templates. `scratch`: where unpacked code goes. Raises ConfigError
    and UsageError."""
    tools = LoadingTools(os.environ, flags_of(arguments), check_patterns, pattern_notes, _fetch, installed())
    request = request_of(arguments)
    loaded = load(templates, configs_among(paths, templates), request, tools, scratch)
    done = anyio.run(settled, loaded)
    if request.strict and len(done.report.taken.not_taken) > len(loaded.report.taken.not_taken):
        raise ConfigError([_problem(row) for row in done.report.not_taken_rows() if row[0] != "event"])
    return done


def _fetch(config: Config, needed: Collection[ObjectPlace], scratch: Path) -> Mapping[ObjectPlace, Path | str]:
    return anyio.run(fetched, config, needed, scratch)


def _problem(row: Sequence[str]) -> Problem:
    _, name, at, why = row
    file, _, number = at.rpartition(":")
    return Problem(why, name, file or at, int(number) if number.isdigit() else None)


@contextmanager
def passing() -> Iterator[Callable[[Config], Path]]:
    """A place for unpacked code that is gone at the end."""
    with TemporaryDirectory(prefix="headrace-", dir=outside_tmp()) as directory:
        yield lambda config: Path(directory)


def in_state(config: Config) -> Path:
    """The place for unpacked code that stays: the state directory."""
    state = config.settings.state
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        problem = Problem(f"cannot make {state}: {error.strerror or error}", "state", hint="name another with --state")
        raise ConfigError([problem]) from error
    return state.absolute()


def show_report(report: TemplateReport) -> None:
    """The table, on standard output; what is wrong with files on standard error."""
    for warning in report.warnings:
        tell(f"headrace: warning: {warning}")
    for heading in report.headings:
        show(heading)
    if rows := report.taken_rows():
        show("\n" + table(TAKEN, rows))
    if rows := report.not_taken_rows():
        show("\n" + table(NOT_TAKEN, rows))
    for note in report.notes():
        show(f"note: {note}")
    show("")
