"""Event-invoke configurations: put, update, get, list, delete."""

from __future__ import annotations

from collections.abc import Mapping

from ...control import event_invokes
from ...control.paging import page
from ...control.store.function_plane import FunctionPlane
from ..wire.call import Answer, Call, Serve
from .naming import named


class EventInvokeConfigCalls:
    def __init__(self, plane: FunctionPlane) -> None:
        self._plane = plane

    def calls(self) -> Mapping[str, Serve]:
        return {
            "PutFunctionEventInvokeConfig": self._put,
            "UpdateFunctionEventInvokeConfig": self._update,
            "GetFunctionEventInvokeConfig": self._get,
            "ListFunctionEventInvokeConfigs": self._list,
            "DeleteFunctionEventInvokeConfig": self._delete,
        }

    async def _put(self, call: Call) -> Answer:
        which, request, there = named(call, self._plane.here), call.parameters, self._plane.is_there
        return Answer(
            await self._plane.change(
                which, lambda function, moment: event_invokes.put(function, which, request, there, moment)
            )
        )

    async def _update(self, call: Call) -> Answer:
        which, request, there = named(call, self._plane.here), call.parameters, self._plane.is_there
        return Answer(
            await self._plane.change(
                which, lambda function, moment: event_invokes.update(function, which, request, there, moment)
            )
        )

    async def _get(self, call: Call) -> Answer:
        which = named(call, self._plane.here)
        return Answer(event_invokes.get(self._plane.find(which.name), which))

    async def _list(self, call: Call) -> Answer:
        which = named(call, self._plane.here)
        every = {each["FunctionArn"]: each for each in event_invokes.all_of(self._plane.find(which.name), which)}
        return Answer(page("FunctionEventInvokeConfigs", every, lambda each: each, call.parameters))

    async def _delete(self, call: Call) -> Answer:
        which = named(call, self._plane.here)
        await self._plane.change(which, lambda function, moment: event_invokes.delete(function, which))
        return Answer(status=204)
