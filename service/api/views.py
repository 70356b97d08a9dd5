"""What a daemon shows of itself, as what `orjson` writes: dictionaries, and the values of `telemetry` in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from itertools import islice
from typing import Any

from ...config.reasons import Reason
from ...config.version import version
from ..telemetry.view import FunctionView, MappingView, View


def status(view: View, configuration: Mapping[str, object] | None = None) -> dict[str, Any]:
    """All that is to be seen. `configuration`: what is known of its last reading, where it can be read again."""
    readiness = view.readiness()
    return {
        "version": version(),
        "ready": readiness.ready,
        "polling": readiness.polling,
        "reasons": [reason.text for reason in readiness.reasons],
        "configuration": configuration,
        "mappings": mappings(view),
        "functions": functions(view),
    }


REASONS = 20
"""Reasons at most that `daemon` shows why the daemon is not ready."""


def daemon(view: View) -> dict[str, Any]:
    """The daemon as a whole, in little."""
    readiness = view.readiness()
    return {
        "version": version(),
        "ready": readiness.ready,
        "polling": readiness.polling,
        "reasons": [reason.text for reason in islice(readiness.reasons, REASONS)],
    }


def mappings(view: View) -> list[dict[str, Any]]:
    return [mapping(each) for each in view.mappings()]


def mapping(seen: MappingView) -> dict[str, Any]:
    return _plain(seen, "reason", "trouble")


def functions(view: View) -> list[dict[str, Any]]:
    return [_plain(function, "cause") for function in view.functions()]


def _plain(seen: MappingView | FunctionView, *reasons: str) -> dict[str, Any]:
    """With each of its reasons as text, empty for none, and the code beside it."""
    plain = {field.name: getattr(seen, field.name) for field in fields(seen)}  # not deep: a thousand are asked for
    for name in reasons:
        reason: Reason | None = getattr(seen, name)
        plain |= {name: reason.text if reason else "", f"{name}_code": reason.code.value if reason else ""}
    return plain
