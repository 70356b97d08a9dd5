"""Versions: publish and list."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...control import answers, versions
from ...control.model import Version, not_found
from ...control.paging import numbered, page
from ...control.store.function_plane import FunctionPlane
from ..wire.call import Answer, Call, Serve
from .naming import named


class VersionCalls:
    def __init__(self, plane: FunctionPlane) -> None:
        self._plane = plane

    def calls(self) -> Mapping[str, Serve]:
        return {"PublishVersion": self._publish, "ListVersionsByFunction": self._list}

    async def _publish(self, call: Call) -> Answer:
        which = named(call, self._plane.here)
        output = await self._plane.change(
            which, lambda function, moment: versions.publish(function, which, call.parameters, moment)
        )
        return Answer(output)

    async def _list(self, call: Call) -> Answer:
        which = named(call, self._plane.here)
        function = self._plane.find(which.name)
        if function is None:
            raise not_found(which.arn)

        def show(version: Version) -> Mapping[str, Any]:
            return answers.listed(function, version, answers.qualified(function, version))

        every = {numbered(version.number): version for version in (function.latest, *function.versions)}
        return Answer(page("Versions", every, show, call.parameters))
