"""The queries of `examples/monitoring`: what its dashboard and its alerts ask Prometheus."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

EXAMPLE = Path(__file__).parents[2] / "examples" / "monitoring"
VARIABLES = {"$mapping": ".*", "$__rate_interval": "30s"}


def dashboard() -> Mapping[str, Any]:
    found: dict[str, Any] = json.loads((EXAMPLE / "dashboard.json").read_text())
    return found


def rules() -> list[dict[str, Any]]:
    """The alerts."""
    groups = yaml.safe_load((EXAMPLE / "alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def panels() -> dict[str, str]:
    """The queries of the dashboard, by panel and letter, with Grafana's variables filled in."""
    found = {
        f"{panel['title']} {target['refId']}": str(target["expr"])
        for panel in dashboard()["panels"]
        for target in panel["targets"]
    }
    for name, value in VARIABLES.items():
        found = {key: query.replace(name, value) for key, query in found.items()}
    return found


def alerts() -> dict[str, str]:
    return {rule["alert"]: str(rule["expr"]) for rule in rules()}
