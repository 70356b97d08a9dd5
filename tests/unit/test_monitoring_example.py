"""The dashboard and the alerts of examples/monitoring against the metrics and verbs that there are. A real Prometheus
runs their queries in tests/page."""

from __future__ import annotations

import re
from typing import Any

import pytest

from headrace.service.cli.main import parse
from support import monitoring
from support.documented_metrics import families

METRIC = re.compile(r"headrace_\w+")
OF_HISTOGRAMS = re.compile(r"_(bucket|sum|count)$")
VERB = re.compile(r"`headrace ([^`]+)`")


@pytest.mark.parametrize(("name", "query"), (monitoring.panels() | monitoring.alerts()).items())
def test_a_query_asks_for_metrics_that_there_are(name: str, query: str) -> None:
    known, asked = families(), set(METRIC.findall(query))
    assert asked
    assert {each for each in asked if OF_HISTOGRAMS.sub("", each) not in known and each not in known} == set()


@pytest.mark.parametrize("rule", monitoring.rules(), ids=lambda rule: rule["alert"])
def test_an_alert_says_what_to_do_in_verbs_that_there_are(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert rule["annotations"]["summary"]
    for command in VERB.findall(rule["annotations"]["description"]):
        words = re.sub(r"\{\{.*?\}\}", "orders", command).split()
        assert parse(words).verb == words[0]


def test_panels_have_names_and_places_of_their_own() -> None:
    found = monitoring.dashboard()["panels"]
    assert len({panel["id"] for panel in found}) == len({panel["title"] for panel in found}) == len(found)
    cells = [
        (x, y)
        for panel in found
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
