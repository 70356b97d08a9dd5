"""`headrace run`: the daemon, with its configuration, its log and its exit code."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import anyio
import orjson

from ....config import descriptors
from ....config.core.stop_budget import PATIENCE
from ....config.loader import Config
from ....dispatch.core.observer import Observer
from ...running.dry_run import Verdict
from ...telemetry.log import Action, LibraryLines, Log
from ...telemetry.outputs import Outputs
from ...wiring import freed_memory, garbage
from ...wiring.daemon import Daemon
from ...wiring.descriptor_limit import raised
from ...wiring.exits import UsageError
from ...wiring.leaving import Leaving
from .configs import (
    NOTHING_NAMED,
    default,
    nothing_named,
    read_config,
    refuse_without_template,
    template_here,
    templates_among,
)
from .tables import show


def run(arguments: argparse.Namespace, observers: Sequence[Observer]) -> int:
    paths = arguments.config or default()
    with ExitStack() as stack:
        config = _of_templates(paths, arguments, stack) or read_config(paths, arguments)
        return _with_config(config, paths, arguments, observers)


def _of_templates(paths: Sequence[str | Path], arguments: argparse.Namespace, stack: ExitStack) -> Config | None:
    """The configuration of templates, once their table is told and their sources are made; None where there are
    none."""
    found = templates_among(paths)
    if not found:
        refuse_without_template(arguments)
        return None
    from . import templates

    scratch = stack.enter_context(templates.passing()) if arguments.dry_run else templates.in_state
    loaded = templates.load_templates(found, paths, arguments, scratch)
    templates.show_report(loaded.report)
    if arguments.create_sources and not loaded.config.settings.dry_run:
        from ...wiring.template_start import create_sources

        anyio.run(create_sources, loaded, show)
    return loaded.config


def read_again(paths: Sequence[str | Path], arguments: argparse.Namespace) -> Config:
    """Reads the configuration as at the start. Sources of templates are not created again."""
    if not (found := templates_among(paths)):
        return read_config(paths, arguments)
    from . import templates

    return templates.load_templates(found, paths, arguments, templates.in_state).config


def _with_config(
    config: Config, paths: Sequence[str | Path], arguments: argparse.Namespace, observers: Sequence[Observer]
) -> int:
    if not paths and (config.settings.dry_run or not config.settings.api.enabled):
        raise nothing_named()  # such a daemon would never have work
    if arguments.watch and (config.settings.dry_run or not paths):
        why = "a dry run ends with what it began with" if config.settings.dry_run else "no configuration was named"
        raise UsageError(f"--watch has nothing to watch: {why}")
    if arguments.fail_on_discard and config.settings.until_idle is None:
        raise UsageError("--fail-on-discard is about the exit code of a run with --until-idle, and it is not given")
    if arguments.output == "json" and not config.settings.dry_run:
        raise UsageError("--output is about the lines of a dry run; --log-format is about the log")
    outputs = Outputs.of_process(config.settings.log.level, config.settings.log.format)
    if not paths:
        text = f"{NOTHING_NAMED}: all settings have their defaults, and functions and mappings come through the API"
        outputs.log.info(Action.START, text)
        if not config.settings.take_over.enabled and (hint := template_here()):
            outputs.log.info(Action.START, hint)
    logging.basicConfig(handlers=[LibraryLines(outputs.log)], level=logging.WARNING, force=True)
    with _descriptors(config, outputs.log):
        return _run(config, paths, outputs, arguments, observers)


@contextmanager
def _descriptors(config: Config, log: Log) -> Iterator[None]:
    """Raises the limit to the needed number, where allowed; reserves a few descriptors for liveness checks."""
    raised(len(config.mappings), config.functions.values(), log)
    descriptors.reserve()
    try:
        yield
    finally:
        descriptors.release()


def _run(
    config: Config,
    paths: Sequence[str | Path],
    outputs: Outputs,
    arguments: argparse.Namespace,
    observers: Sequence[Observer],
) -> int:
    leaving = Leaving(outputs.flush)
    say = outputs.out.put
    show = _shown_as_json if arguments.output == "json" else _shown_as_row
    daemon = Daemon(
        config,
        outputs.log,
        observers=observers,
        out=say,
        show=lambda verdict: say(show(verdict)),
        leaving=leaving,
        read=partial(read_again, paths, arguments) if paths else None,
        watched=[Path(path) for path in paths] if arguments.watch else (),
    )
    garbage.seldom()
    freed_memory.stays_ours()
    try:
        return anyio.run(daemon.run)
    finally:
        outputs.flush(PATIENCE)  # within the stop's time; after that `Leaving` ends this too
        leaving.forget()


def _shown_as_row(verdict: Verdict) -> str:
    return f"{verdict.mapping}\t{verdict.id}\t{verdict.text}"


def _shown_as_json(verdict: Verdict) -> str:
    fields = {
        "mapping": verdict.mapping,
        "id": verdict.id,
        "fate": verdict.fate.kind.value,
        "reason": verdict.fate.reason.value if verdict.fate.reason else None,
        "function": verdict.function,
    }
    return orjson.dumps(fields).decode()
