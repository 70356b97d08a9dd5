"""A small function, what it is invoked with, and what was seen of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from headrace.dispatch.invokers.local.spec import Logging

JSON_LOG = Logging(format="JSON", application_level="INFO", system_level="INFO")


@dataclass(frozen=True, slots=True)
class Case:
    """`files` are the function's, by name; those of `layer` are below `/opt`."""

    name: str
    files: Mapping[str, str]
    handler: str = "app.handler"
    events: tuple[Any, ...] = ({},)
    layer: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    logging: Logging = field(default_factory=Logging)
    timeout: float = 30.0
    context: str = ""
    """The client's context, as JSON."""
    quick: bool = False
    """Held against what was recorded by each `make test`."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Why some are seen otherwise under AWS's public client; a case of it may be seen alike on some versions."""

    reason: str
    cases: tuple[str, ...]
    generation: str = ""
    """The only one in which they are; empty for any."""
    always: bool = True
    """Not a race that may end either way."""

    def concerns(self, case: Case, generation: str) -> bool:
        return case.name in self.cases and self.generation in ("", generation)


Seen = dict[str, Any]
"""`replies`, one for each event, and the records of `log`, `stdout` and `stderr`; what differs from run to run is
replaced."""
