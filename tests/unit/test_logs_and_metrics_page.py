"""docs/logs-and-metrics.md against the code: each action and each metric has its row, and each row has its code."""

from __future__ import annotations

import re
from pathlib import Path

from headrace.service.telemetry.log import Action
from support.documented_metrics import families

PAGE = (Path(__file__).parents[2] / "docs" / "logs-and-metrics.md").read_text()
ROWS = re.compile(r"^\| ((?:`[^`|]+`(?:, )?)+) \|", re.MULTILINE)


def named() -> set[str]:
    """What the first columns of the page's tables name, without labels."""
    return {name.partition("{")[0] for row in ROWS.findall(PAGE) for name in re.findall(r"`([^`]+)`", row)}


def test_each_action_has_its_row() -> None:
    assert {action.value for action in Action} - named() == set()


def test_each_metric_has_its_row_and_each_row_its_metric() -> None:
    rows = {name for name in named() if name.startswith("headrace_")}
    assert rows == families()
