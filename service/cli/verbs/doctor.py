"""`headrace doctor`: what is wrong here, and what to do; beside a running daemon and without one."""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from ....config.errors import HeadraceError
from ....config.loader import Config
from ...running.core.health import DaemonFact, HealthFacts, HealthFinding, HealthVerdict, examine_health, worst
from ...wiring.exits import Exit
from ...wiring.health_facts import HealthFactsGathering
from .asking import base_of, fetch
from .configs import default, read_config
from .invoke import outside_tmp
from .tables import show, show_json

if TYPE_CHECKING:
    from ....dispatch.core.observer import Observer

MARKS = {HealthVerdict.GOOD: "ok", HealthVerdict.DOUBT: "look", HealthVerdict.BAD: "BAD"}


def run(arguments: argparse.Namespace, observers: Sequence[Observer]) -> int:
    config = read_config(arguments.config or default(), arguments)
    with tempfile.TemporaryDirectory(prefix="headrace-", dir=outside_tmp()) as scratch:
        facts = anyio.run(_gathered, config, Path(scratch))
    findings = examine_health(replace(facts, daemon=daemon_of(base_of(arguments.url))))
    if arguments.json:
        show_json([finding.as_json() for finding in findings])
    else:
        _show(findings, everything=arguments.all)
    return Exit.FAILURE if worst(findings) is HealthVerdict.BAD else Exit.OK


async def _gathered(config: Config, scratch: Path) -> HealthFacts:
    return await HealthFactsGathering(config, scratch).gather()


def daemon_of(url: str) -> DaemonFact:
    try:
        _, found = fetch(f"{url}/status")
    except HeadraceError:
        return DaemonFact(url, answers=False)
    answers = isinstance(found, dict) and "mappings" in found
    return DaemonFact(url, answers, found if answers else {})


def _show(findings: Sequence[HealthFinding], *, everything: bool) -> None:
    """What is bad, what is doubtful, then how much is good."""
    for verdict in (HealthVerdict.BAD, HealthVerdict.DOUBT, HealthVerdict.GOOD):
        for finding in findings:
            if finding.verdict is verdict and (everything or verdict is not HealthVerdict.GOOD):
                _show_one(finding)
    number = Counter(finding.verdict for finding in findings)
    good, doubt, bad = (number[each] for each in (HealthVerdict.GOOD, HealthVerdict.DOUBT, HealthVerdict.BAD))
    show(f"{good} good, {doubt} to look at, {bad} bad")


def _show_one(finding: HealthFinding) -> None:
    name = f" {finding.name}" if finding.name else ""
    show(f"{MARKS[finding.verdict]:<5}{finding.about}{name}: {finding.text}")
    if finding.advice:
        show(f"     {finding.advice}")
