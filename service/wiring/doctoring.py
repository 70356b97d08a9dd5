"""The looks of `headrace doctor` from inside of a daemon: for `GET /v1/doctor`.

The configuration is the one at work, with the mappings of the API and of an emulator. Each look has clients of its own,
which end with it. One runs at a time, and has LONGEST; the records go on meanwhile.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import anyio
import anyio.to_thread

from ...config.errors import ConfigError
from ...config.loader import Config
from ...config.mapping import EventSourceMapping
from ..control.refusals import conflict, service
from ..running.core.health import DaemonFact, HealthFacts, examine_health, worst
from .health_facts import HealthFactsGathering
from .live_config import LiveConfig

LONGEST = 60.0
"""Seconds for all that is looked at."""


class KnownMappings(Protocol):
    """The mappings of a daemon."""

    def listed(self) -> Sequence[str]: ...

    def config(self, name: str) -> EventSourceMapping | None: ...


class Doctoring:
    """Looks for what is wrong, one look at a time. `url`: the address at which the daemon was asked."""

    def __init__(self, live: LiveConfig, running: KnownMappings, url: str, longest: float = LONGEST) -> None:
        self._live = live
        self._running = running
        self._url = url
        self._longest = longest
        self._is_looking = False

    async def examine(self, status: Mapping[str, Any]) -> dict[str, Any]:
        """The findings, and the worst verdict among them. `status`: mappings and functions, as `/status` has them.
        Raises ApiError while another one looks, and when it takes too long."""
        if self._is_looking:
            raise conflict("a doctor is looking already: ask again when it has ended")
        self._is_looking = True
        try:
            facts = await self._gathered()
        finally:
            self._is_looking = False
        findings = examine_health(replace(facts, daemon=DaemonFact(self._url, answers=True, status=dict(status))))
        return {"worst": worst(findings).value, "findings": [each.as_json() for each in findings]}

    async def _gathered(self) -> HealthFacts:
        scratch = await anyio.to_thread.run_sync(tempfile.mkdtemp, "", "headrace-")
        try:
            with anyio.fail_after(self._longest):
                return await HealthFactsGathering(self._config, Path(scratch)).gather()
        except TimeoutError as error:
            raise service(f"the doctor did not end within {self._longest:g} seconds") from error
        except ConfigError as error:
            raise conflict(str(error)) from error
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(_remove, scratch)

    @property
    def _config(self) -> Config:
        known = ((name, self._running.config(name)) for name in self._running.listed())
        return replace(self._live.now, mappings={name: mapping for name, mapping in known if mapping is not None})


def _remove(directory: str) -> None:
    shutil.rmtree(directory, ignore_errors=True)
