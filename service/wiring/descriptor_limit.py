"""Raises the limit of file descriptors to what a configuration needs, as far as that is allowed."""

from __future__ import annotations

from collections.abc import Collection

from ...config import descriptors
from ...config.function import AnyFunction
from ..running.core.descriptor_need import needed
from ..telemetry.log import Action, Log


def raised(mappings: int, functions: Collection[AnyFunction], log: Log) -> None:
    """A warning says so where fewer are allowed."""
    wanted = needed(mappings, functions) + descriptors.RESERVED
    allowed = descriptors.raise_limit(wanted)
    if allowed < wanted:
        text = f"this configuration needs about {wanted} file descriptors, and this process may have {allowed}"
        advice = "raise the limit (ulimit -n, LimitNOFILE=, --ulimit nofile=)"
        log.warning(Action.DESCRIPTORS, f"{text}: {advice}", needed=wanted, allowed=allowed)
