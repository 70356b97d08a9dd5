"""`headrace run`: the daemon, with its configuration, its log and its exit code."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence

import anyio
import orjson

from ....dispatch.core.observer import Observer
from ...running.dry_run import Verdict
from ...telemetry.log import Action, LibraryLines, open_log
from ...wiring.daemon import Daemon, say
from .configs import NOTHING_NAMED, default, nothing_named, read_config


def run(arguments: argparse.Namespace, observers: Sequence[Observer]) -> int:
    paths = arguments.config or default()
    config = read_config(paths, arguments)
    if not paths and (config.settings.dry_run or not config.settings.api.enabled):
        raise nothing_named()  # nothing could ever come
    log = open_log(config.settings.log.level, config.settings.log.format)
    if not paths:
        log.info(Action.START, f"{NOTHING_NAMED}: all settings are the defaults, and all else comes through the API")
    logging.basicConfig(handlers=[LibraryLines(log)], level=logging.WARNING, force=True)
    show = _show_json if arguments.output == "json" else _show_table
    daemon = Daemon(config, log, observers=observers, show=show)
    return anyio.run(daemon.run)


def _show_table(verdict: Verdict) -> None:
    say(f"{verdict.mapping}\t{verdict.id}\t{verdict.text}")


def _show_json(verdict: Verdict) -> None:
    say(
        orjson.dumps(
            {
                "mapping": verdict.mapping,
                "id": verdict.id,
                "fate": verdict.fate.kind.value,
                "reason": verdict.fate.reason.value if verdict.fate.reason else None,
                "function": verdict.function,
            }
        ).decode()
    )
