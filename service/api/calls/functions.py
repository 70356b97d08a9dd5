"""Functions: create, get, update, list, delete."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from ...control import answers, functions
from ...control.catalogue import Runnable
from ...control.model import Function, Version, asked
from ...control.paging import numbered, page
from ...control.refusals import invalid_parameter
from ...control.store.attachments import Attachments
from ...control.store.function_plane import FunctionPlane
from ...control.store.networks import Networks
from ...control.store.uploads import Uploads
from ..code_downloads import Downloads
from ..wire.call import Answer, Call, Serve
from .naming import named


class FunctionCalls:
    def __init__(
        self,
        plane: FunctionPlane,
        uploads: Uploads,
        downloads: Downloads,
        networks: Networks,
        attachments: Attachments,
        obstacle: Callable[[Runnable], Awaitable[str]],
        patience: float = 0.0,
    ) -> None:
        """`obstacle`: why a function cannot be started on this machine; empty when it can be started. `patience`:
        seconds that a look at a function waits for what is under way. Tools sleep for seconds after a look that shows
        Pending or InProgress, which here are over in half a second."""
        self._patience = patience
        self._plane = plane
        self._uploads = uploads
        self._downloads = downloads
        self._networks = networks
        self._attachments = attachments
        self._obstacle = obstacle

    def calls(self) -> Mapping[str, Serve]:
        return {
            "CreateFunction": self._create,
            "GetFunction": self._get,
            "GetFunctionConfiguration": self._get_configuration,
            "GetFunctionCodeSigningConfig": self._code_signing,
            "ListFunctions": self._list,
            "UpdateFunctionCode": self._update_code,
            "UpdateFunctionConfiguration": self._update_configuration,
            "DeleteFunction": self._delete,
        }

    async def _create(self, call: Call) -> Answer:
        request, which = call.parameters, named(call, self._plane.here)
        self._plane.refuse_filed(which)
        functions.check_create(self._plane.find(which.name), which, request)
        placed = await self._networks.placed(request)
        async with self._uploads.package(request["Code"]) as package, self._attachments.of(request) as layers:
            output = await self._plane.change(
                which,
                lambda function, moment: functions.create(function, which, placed, package, moment, layers),
                self._check_startable,
            )
        return Answer(output)

    async def _check_startable(self, before: Function | None, after: Function) -> None:
        """Raises ApiError now, so that the failure does not come with the first event."""
        fresh = after.latest
        if before is not None and _startable(before.latest) == _startable(fresh):
            return
        if reason := await self._obstacle(self._plane.latest(after)):
            raise invalid_parameter(f"Function {after.name} cannot be run on this machine: {reason}")

    async def _get(self, call: Call) -> Answer:
        which = named(call, self._plane.here)
        await self._plane.settled(which.name, self._patience)
        function, version = asked(self._plane.find(which.name), which)
        return Answer(answers.whole(function, version, which.qualified, self._code(function, version, call.host)))

    def _code(self, function: Function, version: Version, host: str) -> Mapping[str, str]:
        """Nothing for a function of the configuration file: its code is no package."""
        if self._plane.is_filed(function.name):
            return {}
        code = {"RepositoryType": "S3", "Location": self._downloads.location(version.package, host)}
        return {**code, "SourceKMSKeyArn": version.package.kms_key} if version.package.kms_key else code

    async def _get_configuration(self, call: Call) -> Answer:
        which = named(call, self._plane.here)
        await self._plane.settled(which.name, self._patience)
        function, version = asked(self._plane.find(which.name), which)
        return Answer(answers.configuration(function, version, which.qualified))

    async def _code_signing(self, call: Call) -> Answer:
        which = named(call, self._plane.here)
        return Answer(functions.code_signing(self._plane.find(which.name), which))

    async def _list(self, call: Call) -> Answer:
        every = self._plane.all()
        if call.parameters.get("FunctionVersion") != "ALL":
            return Answer(page("Functions", every, _unqualified, call.parameters))
        versions = {
            f"{name} {numbered(version.number)}": (function, version)
            for name, function in every.items()
            for version in (function.latest, *function.versions)
        }
        return Answer(page("Functions", versions, _qualified, call.parameters))

    async def _update_code(self, call: Call) -> Answer:
        request, which = call.parameters, named(call, self._plane.here)
        self._plane.refuse_filed(which)
        functions.check_update_code(self._plane.find(which.name), which, request)
        async with self._uploads.package(request) as package:
            output = await self._plane.change(
                which,
                lambda function, moment: functions.update_code(function, which, request, package, moment),
                self._check_startable,
            )
        return Answer(output)

    async def _update_configuration(self, call: Call) -> Answer:
        which = named(call, self._plane.here)
        self._plane.refuse_filed(which)
        before = functions.check_update_configuration(self._plane.find(which.name), which, call.parameters)
        request = await self._networks.placed(call.parameters)
        async with self._attachments.of(request, before) as layers:
            output = await self._plane.change(
                which,
                lambda function, moment: functions.update_configuration(function, which, request, moment, layers),
                self._check_startable,
            )
        return Answer(output)

    async def _delete(self, call: Call) -> Answer:
        which = named(call, self._plane.here)
        await self._plane.change(which, lambda function, moment: functions.delete(function, which))
        return Answer(status=204)


def _startable(version: Version) -> tuple[Any, ...]:
    """What decides whether it can be started on this machine."""
    return version.package, version.layers, version.configuration["Runtime"]


def _unqualified(function: Function) -> Mapping[str, Any]:
    return answers.listed(function, function.latest, function.arn)


def _qualified(each: tuple[Function, Version]) -> Mapping[str, Any]:
    function, version = each
    return answers.listed(function, version, answers.qualified(function, version))
