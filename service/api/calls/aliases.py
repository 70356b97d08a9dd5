"""Aliases: create, get, update, list, delete."""

from __future__ import annotations

from collections.abc import Mapping

from ...control import aliases
from ...control.paging import page
from ...control.store.function_plane import FunctionPlane
from ..wire.call import Answer, Call, Serve
from .naming import named


class AliasCalls:
    def __init__(self, plane: FunctionPlane) -> None:
        self._plane = plane

    def calls(self) -> Mapping[str, Serve]:
        return {
            "CreateAlias": self._create,
            "GetAlias": self._get,
            "UpdateAlias": self._update,
            "ListAliases": self._list,
            "DeleteAlias": self._delete,
        }

    async def _create(self, call: Call) -> Answer:
        which = named(call, self._plane.here)
        output = await self._plane.change(
            which, lambda function, moment: aliases.create(function, which, call.parameters, moment)
        )
        return Answer(output)

    async def _get(self, call: Call) -> Answer:
        which = named(call, self._plane.here)
        return Answer(aliases.get(self._plane.find(which.name), which, call.parameters["Name"]))

    async def _update(self, call: Call) -> Answer:
        which = named(call, self._plane.here)
        output = await self._plane.change(
            which, lambda function, moment: aliases.update(function, which, call.parameters, moment)
        )
        return Answer(output)

    async def _list(self, call: Call) -> Answer:
        which = named(call, self._plane.here)
        version = call.parameters.get("FunctionVersion")
        every = {each["Name"]: each for each in aliases.all_of(self._plane.find(which.name), which, version)}
        return Answer(page("Aliases", every, lambda alias: alias, call.parameters))

    async def _delete(self, call: Call) -> Answer:
        which = named(call, self._plane.here)
        name = call.parameters["Name"]
        await self._plane.change(which, lambda function, moment: aliases.delete(function, which, name))
        return Answer(status=204)
