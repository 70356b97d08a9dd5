"""The emulator's functions as functions of our Lambda API, for `take_over.functions: local`: package, layers and
configuration.

    GetFunction ──► the same as our copy, by its tag? ──► else Code.Location ──► stored and run as what the API made

A function that has the name already and is no copy is the user's own, and runs in its place.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import aiohttp
import anyio

from ...config.clients import faults
from ...config.errors import SourceMissing, SourceUnavailable
from ...config.reasons import Reason
from ..control import functions
from ..control.catalogue import Runnable
from ..control.mappings.answers import Shown
from ..control.mappings.taking_over import function_of, not_ours
from ..control.model import Function
from ..control.names import Named
from ..control.refusals import ApiError, invalid_parameter
from ..control.store.attachments import Attachments
from ..control.store.function_plane import FunctionPlane
from ..control.store.uploads import LONGEST, Uploads

COPY = "headrace:copy-of"
"""The tag of a copy: what it is a copy of, as a fingerprint."""
PATIENCE = 30.0
"""Seconds for a package."""
_COPIED = ("Role", "Runtime", "Handler", "Description", "Timeout", "MemorySize")
"""What is taken over of a configuration besides its variables and its layers."""


def is_own(function: Function | None) -> bool:
    """Whether this is a function that the user gave us, and no copy."""
    return function is not None and COPY not in function.tags


class LocalCopies:
    """`client`: of the emulator's Lambda API. `obstacle`: why a function cannot be started on this machine."""

    def __init__(
        self,
        client: Any,
        plane: FunctionPlane,
        uploads: Uploads,
        attachments: Attachments,
        obstacle: Callable[[Runnable], Awaitable[str]],
    ) -> None:
        self._client = client
        self._plane = plane
        self._uploads = uploads
        self._attachments = attachments
        self._obstacle = obstacle

    async def prepare(self, shown: Shown) -> Reason | None:
        """The mapping's function is here, and as the emulator has it now. A reason where that cannot be. Raises
        SourceUnavailable for an emulator that does not answer."""
        name, _ = function_of(shown)
        if is_own(self._plane.find(name)):
            return None
        try:
            with anyio.fail_after(PATIENCE), faults.translating(f"get function {name}"):
                found = await self._client.get_function(FunctionName=name)
            return await self._copied(name, found)
        except SourceMissing:
            return not_ours(f"function {name} does not exist there")
        except TimeoutError as error:
            raise SourceUnavailable(f"get function {name}: no answer within {PATIENCE:g} seconds") from error
        except ApiError as error:
            return not_ours(f"function {name} cannot be run here: {error.message}")

    async def _copied(self, name: str, found: Mapping[str, Any]) -> Reason | None:
        configuration = found["Configuration"]
        if configuration.get("PackageType", "Zip") != "Zip":
            return not_ours(f"function {name} is a container image")
        request = _request(name, configuration)
        before = self._plane.find(name)
        if before is None or before.tags.get(COPY) != request["Tags"][COPY]:
            await self._store(name, request, str((found.get("Code") or {}).get("Location") or ""))
        return None

    async def _store(self, name: str, request: Mapping[str, Any], location: str) -> None:
        which = Named(name, "", self._plane.here.arn(name))
        zipped = {"ZipFile": await _fetched(location)}
        async with self._uploads.package(zipped) as package, self._attachments.of(request) as layers:
            await self._plane.change(
                which,
                lambda before, moment: functions.create(None, which, request, package, moment, layers),
                self._check_startable,
            )

    async def _check_startable(self, before: Function | None, after: Function) -> None:
        if reason := await self._obstacle(self._plane.latest(after)):
            raise invalid_parameter(reason)


def _request(name: str, configuration: Mapping[str, Any]) -> dict[str, Any]:
    """The creation of a copy."""
    copied = {key: configuration[key] for key in _COPIED if configuration.get(key)}
    layers = [each["Arn"] for each in configuration.get("Layers") or ()]
    copied |= {"Layers": layers} if layers else {}
    variables = (configuration.get("Environment") or {}).get("Variables") or {}
    text = json.dumps([configuration.get("CodeSha256"), copied, variables], sort_keys=True)
    tags = {COPY: hashlib.sha256(text.encode()).hexdigest()}
    return {
        "FunctionName": name,
        **copied,
        "Code": {"ZipFile": b""},
        "Environment": {"Variables": dict(variables)},
        "Tags": tags,
    }


async def _fetched(location: str) -> bytes:
    """The zip. Raises SourceUnavailable."""
    timeout = aiohttp.ClientTimeout(total=PATIENCE)
    try:
        async with aiohttp.ClientSession(timeout=timeout) as session, session.get(location) as answer:
            answer.raise_for_status()
            return await answer.content.read(LONGEST) if answer.content_length is None else await answer.read()
    except (aiohttp.ClientError, ValueError, TimeoutError) as error:
        raise SourceUnavailable(f"the package at {location}: {error or type(error).__name__}") from error
