"""Pauses: mappings that somebody told to wait, over restarts too. A pause is operation, not definition: the mapping
stays what it is to the API and to its file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import anyio

from ...config.mapping import EventSourceMapping
from ..control.refusals import ApiError, conflict, no_such_resource
from ..control.store.document_store import Documents
from ..telemetry.log import Action, Log
from .mappings import RunningMappings

KIND = "pause"
"""The kind of their documents, which have the mapping's UUID as key."""


class Pauses:
    """`changed` hears the UUID of a mapping that is to be as its pause says."""

    def __init__(
        self,
        documents: Documents,
        plant: RunningMappings,
        changed: Callable[[str], None],
        log: Log,
    ) -> None:
        self._documents = documents
        self._plant = plant
        self._changed = changed
        self._log = log
        self._turn = anyio.Lock()

    async def pause(self, name: str) -> None:
        """Let the mapping stop as with a stop of the daemon: what is in flight ends first, which is not waited for.
        Raises ApiError for a mapping that is not there, StoreUnavailable where that cannot be kept, and then nothing
        changed."""
        async with self._turn:
            config = self._of(name)
            if name in self._plant.paused:
                return
            await self._documents.write({(KIND, config.uuid): {}}, then=lambda: self._plant.paused.add(name))
            self._log.info(Action.STATE, f"{name} is paused", mapping=name, state="paused")
            self._changed(config.uuid)

    async def resume(self, name: str) -> None:
        """Let it go on. Raises as `pause` does."""
        async with self._turn:
            config = self._of(name)
            if name not in self._plant.paused:
                return
            gone = [(KIND, config.uuid)]
            await self._documents.write({}, gone, then=lambda: self._plant.paused.discard(name))
            self._log.info(Action.STATE, f"{name} goes on", mapping=name, state="resumed")
            self._changed(config.uuid)

    async def retry(self, name: str) -> None:
        """Invoke now what waits for its next attempt. Raises ApiError for a mapping that is not there or has none that
        waits."""
        config = self._of(name)
        work = self._plant.work(config.name)
        batches = work.supervisor.hasten() if work else 0
        if not batches:
            raise conflict(
                f"no batch of {name} waits for its next attempt here; a message that failed waits in its queue, until "
                "its visibility timeout is over"
            )
        self._log.info(Action.RETRY, f"{name} tries again now, as somebody asked", mapping=name)

    def config(self, name: str) -> EventSourceMapping | None:
        """The mapping of this name, at work or not."""
        return self._plant.config(name)

    def _of(self, name: str) -> EventSourceMapping:
        config = self._plant.config(name)
        if config is None:
            raise unknown_mapping(name)
        return config


def unknown_mapping(name: str) -> ApiError:
    return no_such_resource(f"there is no mapping {name[:200]!r}; `headrace status` lists them")


def paused_of(documents: Documents, names: Mapping[str, str]) -> set[str]:
    """Names of the mappings that are paused. `names`: of each UUID."""
    return {names[uuid] for uuid in documents.all(KIND) if uuid in names}
