"""Event source mappings: create, get, update, list, delete."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from ....config.errors import ConfigError
from ....config.mapping import EventSourceMapping
from ...control.advice import of_settings
from ...control.mappings import decisions
from ...control.mappings.answers import MappingProgress, Shown, shown
from ...control.mappings.model import Mapped, SourceLook
from ...control.paging import page
from ...control.refusals import invalid_parameter
from ...control.store.mapping_plane import MappingPlane
from ...control.tags import Change
from ..wire.call import Answer, Call, Serve

Tell = Callable[[EventSourceMapping], None]
"""Reports remarks on a mapping that was made or changed."""
Look = Callable[[EventSourceMapping], Awaitable[SourceLook]]
"""Checks whether a mapping's source exists. Raises ConfigError when it may not be called."""


class MappingCalls:
    """`progress` gives the last result of a mapping. This class also stores the mappings' tags."""

    def __init__(
        self,
        plane: MappingPlane,
        look: Look,
        progress: Callable[[EventSourceMapping], MappingProgress],
        tell: Tell = lambda mapping: None,
    ) -> None:
        self._plane = plane
        self._look = look
        self._progress = progress
        self._tell = tell

    def calls(self) -> Mapping[str, Serve]:
        return {
            "CreateEventSourceMapping": self._create,
            "GetEventSourceMapping": self._get,
            "ListEventSourceMappings": self._list,
            "UpdateEventSourceMapping": self._update,
            "DeleteEventSourceMapping": self._delete,
        }

    async def _create(self, call: Call) -> Answer:
        moment = self._plane.moment()
        config, _ = decisions.check_create(call.parameters, moment, self._plane.ground)
        seen = await self._seen(config)
        return self._told(await self._plane.create(call.parameters, seen, moment))

    async def _update(self, call: Call) -> Answer:
        moment = self._plane.moment()
        config, _ = decisions.check_update(self._plane.all, call.parameters, moment, self._plane.ground)
        seen = await self._seen(config) if config.profile.has_visibility else SourceLook()
        return self._told(await self._plane.update(call.parameters, seen, moment))

    def _told(self, mapped: Mapped) -> Answer:
        self._tell(mapped.config)
        return Answer(self._shown(mapped))

    async def _delete(self, call: Call) -> Answer:
        return Answer(self._shown(await self._plane.delete(call.parameters["UUID"])))

    async def _get(self, call: Call) -> Answer:
        return Answer(self._shown(decisions.get(self._plane.all, call.parameters["UUID"])))

    async def _list(self, call: Call) -> Answer:
        found = decisions.listed(self._plane.all, call.parameters)
        return Answer(page("EventSourceMappings", found, self._entry, call.parameters, decisions.PAGE_MAX))

    async def _seen(self, config: EventSourceMapping) -> SourceLook:
        """Raises ApiError for a source that may not be called at all."""
        try:
            return await self._look(config)
        except ConfigError as error:
            raise invalid_parameter(of_settings(error)) from error

    def _shown(self, mapped: Mapped, *, listed: bool = False) -> Shown:
        progress = self._progress(mapped.config)
        return shown(mapped, self._plane.ground.here, progress, listed=listed)

    def _entry(self, mapped: Mapped) -> Shown:
        return self._shown(mapped, listed=True)

    # --- tags ---------------------------------------------------------------------------------------------------------

    def tags(self, uuid: str) -> Mapping[str, str] | None:
        """None: there is no such mapping."""
        found = self._plane.all.get(uuid.lower())
        return decisions.tags_of(found) if found is not None else None

    async def tag(self, uuid: str, change: Change) -> None:
        """Change the mapping's tags; calls are serialised; durable when this returns. Raises ApiError."""
        await self._plane.tag(uuid, change)
