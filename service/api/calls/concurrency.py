"""Reserved concurrency: put, get, delete."""

from __future__ import annotations

from collections.abc import Mapping

import anyio

from ...control import account_limits
from ...control.store.function_plane import FunctionPlane
from ..wire.call import Answer, Call, Serve
from .naming import named


class ConcurrencyCalls:
    def __init__(self, plane: FunctionPlane) -> None:
        self._plane = plane
        self._reserving = anyio.Lock()
        """Reservations belong to one account, so calls on all functions are serialised."""

    def calls(self) -> Mapping[str, Serve]:
        return {
            "PutFunctionConcurrency": self._put,
            "GetFunctionConcurrency": self._get,
            "DeleteFunctionConcurrency": self._delete,
        }

    async def _put(self, call: Call) -> Answer:
        which = named(call, self._plane.here)
        number = call.parameters["ReservedConcurrentExecutions"]
        async with self._reserving:
            others = sum(each.reserved or 0 for name, each in self._plane.all().items() if name != which.name)
            output = await self._plane.change(
                which, lambda function, moment: account_limits.reserve(function, which, number, others)
            )
        return Answer(output)

    async def _get(self, call: Call) -> Answer:
        which = named(call, self._plane.here)
        return Answer(account_limits.reserved(self._plane.find(which.name), which))

    async def _delete(self, call: Call) -> Answer:
        which = named(call, self._plane.here)
        await self._plane.change(which, lambda function, moment: account_limits.free(function, which))
        return Answer(status=204)
