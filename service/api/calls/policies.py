"""Permissions: add, get, remove."""

from __future__ import annotations

from collections.abc import Mapping

from ...control import policies
from ...control.store.function_plane import FunctionPlane
from ..wire.call import Answer, Call, Serve
from .naming import named


class PolicyCalls:
    def __init__(self, plane: FunctionPlane) -> None:
        self._plane = plane

    def calls(self) -> Mapping[str, Serve]:
        return {"AddPermission": self._add, "GetPolicy": self._get, "RemovePermission": self._remove}

    async def _add(self, call: Call) -> Answer:
        which = named(call, self._plane.here)
        output = await self._plane.change(
            which, lambda function, moment: policies.add(function, which, call.parameters, moment)
        )
        return Answer(output)

    async def _get(self, call: Call) -> Answer:
        which = named(call, self._plane.here)
        return Answer(policies.get(self._plane.find(which.name), which))

    async def _remove(self, call: Call) -> Answer:
        which = named(call, self._plane.here)
        policies.to_remove_from(self._plane.find(which.name), which)  # functions of the configuration file have none
        await self._plane.change(
            which, lambda function, moment: policies.remove(function, which, call.parameters, moment)
        )
        return Answer(status=204)
