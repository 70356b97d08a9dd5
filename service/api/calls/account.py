"""The account's settings, and the functions' settings of recursion and runtime updates."""

from __future__ import annotations

from collections.abc import Mapping

from ...control import account_limits, recursion_and_runtime
from ...control.store.function_plane import FunctionPlane
from ...control.store.layer_plane import LayerPlane
from ..wire.call import Answer, Call, Serve
from .naming import named


class AccountCalls:
    def __init__(self, plane: FunctionPlane, layers: LayerPlane) -> None:
        self._plane = plane
        self._layers = layers

    def calls(self) -> Mapping[str, Serve]:
        return {
            "GetAccountSettings": self._settings,
            "PutFunctionRecursionConfig": self._put_recursion,
            "GetFunctionRecursionConfig": self._recursion,
            "PutRuntimeManagementConfig": self._put_runtime,
            "GetRuntimeManagementConfig": self._runtime,
        }

    async def _settings(self, call: Call) -> Answer:
        return Answer(account_limits.account(self._plane.all().values(), self._layers.packages()))

    async def _put_recursion(self, call: Call) -> Answer:
        which, loop = named(call, self._plane.here), call.parameters["RecursiveLoop"]
        output = await self._plane.change(
            which, lambda function, moment: recursion_and_runtime.put_recursion(function, which, loop)
        )
        return Answer(output)

    async def _recursion(self, call: Call) -> Answer:
        which = named(call, self._plane.here)
        return Answer(recursion_and_runtime.recursion(self._plane.find(which.name), which))

    async def _put_runtime(self, call: Call) -> Answer:
        which, request = named(call, self._plane.here), call.parameters
        output = await self._plane.change(
            which, lambda function, moment: recursion_and_runtime.put_runtime(function, which, request)
        )
        return Answer(output)

    async def _runtime(self, call: Call) -> Answer:
        which = named(call, self._plane.here)
        return Answer(recursion_and_runtime.runtime(self._plane.find(which.name), which))
