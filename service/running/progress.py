"""The observer that knows the last result of each mapping, for the API's answers."""

from __future__ import annotations

from collections.abc import Callable

from ...config.mapping import EventSourceMapping
from ...config.reasons import Reason
from ...dispatch.core.observer import Event
from ..control.mappings import results
from ..control.mappings.answers import NO_PROGRESS, MappingProgress


class Progresses:
    """The results by the mapping's name. `waits_for` gives the reason why a mapping does not poll."""

    def __init__(self) -> None:
        self._results: dict[str, str] = {}
        self._waits_for: Callable[[str], Reason | None] = lambda name: None

    def look_at(self, waits_for: Callable[[str], Reason | None]) -> None:
        self._waits_for = waits_for

    def observe(self, event: Event) -> None:
        found = results.after(event)
        if found is not None:
            mapping, result = found
            self._results[mapping] = result

    def forget(self, mapping: str) -> None:
        """The mapping is gone."""
        self._results.pop(mapping, None)

    def of(self, mapping: EventSourceMapping) -> MappingProgress:
        api = mapping.profile.api
        if not api.shows_result:
            return NO_PROGRESS
        result = self._results.get(mapping.name, "")
        waits_for = self._waits_for(mapping.name) if api.shows_trouble and mapping.enabled else None
        trouble = results.trouble_of(waits_for.code) if waits_for else None
        return MappingProgress(trouble.result or result, trouble.code) if trouble else MappingProgress(result)
