"""The configuration at work, which a reload replaces while the daemon runs.

Functions and mappings are those that were read last; the settings stay those of the start. Who makes parts of a
configuration asks here each time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from ...config.errors import Problem
from ...config.function import AnyFunction
from ...config.loader import Config
from ...config.mapping import EventSourceMapping
from ...config.settings import Settings


class Configured(Protocol):
    """What parts are made of: a `Config`, or the one at work."""

    @property
    def settings(self) -> Settings: ...

    @property
    def functions(self) -> Mapping[str, AnyFunction]: ...

    @property
    def mappings(self) -> Mapping[str, EventSourceMapping]: ...

    def problem(self, path: str, what: str) -> Problem: ...


class LiveConfig:
    """A `Configured`."""

    def __init__(self, config: Config) -> None:
        self.now = config
        self._functions = dict(config.functions)

    def take(self, config: Config) -> None:
        """This is the one at work from now on, but for its settings."""
        self.now = replace(config, settings=self.now.settings)
        self._functions.clear()
        self._functions.update(config.functions)

    @property
    def settings(self) -> Settings:
        return self.now.settings

    @property
    def functions(self) -> Mapping[str, AnyFunction]:
        """Always this mapping, which changes."""
        return self._functions

    @property
    def mappings(self) -> Mapping[str, EventSourceMapping]:
        return self.now.mappings

    def directory(self, mapping: EventSourceMapping) -> Path:
        return self.now.directory(mapping)

    def problem(self, path: str, what: str) -> Problem:
        return self.now.problem(path, what)
