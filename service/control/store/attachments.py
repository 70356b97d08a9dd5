"""The content of the layers that a request names; held until its function is stored.

    the path that the settings name ──► a version that is here ──► what the function has already ──► the upstream

A layer of another account is not here, as a rule: AWS would fetch it from there.
"""

from __future__ import annotations

import zipfile
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

import anyio
import anyio.to_thread

from .. import attached
from ..attached import Attached, Layers
from ..model import Function, Package
from ..refusals import ApiError, access_denied, invalid_parameter
from .layer_plane import LayerPlane
from .uploads import CHUNK, Uploads


class LayerSource(Protocol):
    """Where layers may be that are not here."""

    def fetched(self, arn: str) -> AbstractAsyncContextManager[AsyncGenerator[bytes] | None]:
        """The zip of a layer's version, in pieces; None where the source does not have it. Raises ApiError when it
        cannot be asked."""
        ...


class Attachments:
    def __init__(
        self,
        layers: LayerPlane,
        uploads: Uploads,
        given: Mapping[str, Path] | None = None,
        upstream: LayerSource | None = None,
        *,
        theirs: bool = False,
    ) -> None:
        """`given`: directories and zips by the ARN of a layer's version, or of a layer for all its versions. `theirs`:
        the ARNs are of the upstream's layers, whatever is here under the same ARN."""
        self._layers = layers
        self._uploads = uploads
        self._given = given or {}
        self._upstream = upstream
        self._theirs = theirs

    @asynccontextmanager
    async def of(self, request: Mapping[str, Any], before: Function | None = None) -> AsyncIterator[Layers | None]:
        """The layers of a request on a function, None where it names none; held while the body runs. Raises
        ApiError."""
        if "Layers" not in request:
            yield None
            return
        arns: Sequence[str] = request["Layers"]
        had = {each.arn: each.package for each in attached.of(before.latest)} if before else {}
        async with AsyncExitStack() as stack:
            yield tuple([Attached(arn, await self._content(arn, had, stack)) for arn in arns])

    async def _content(self, arn: str, had: Mapping[str, Package], stack: AsyncExitStack) -> Package:
        if (path := self._path(arn)) is not None:
            return await stack.enter_async_context(self._of_path(arn, path))
        return self._kept(arn, had, stack) or await self._of_upstream(arn, stack)

    def _kept(self, arn: str, had: Mapping[str, Package], stack: AsyncExitStack) -> Package | None:
        """Held in the step in which it is found: nobody deletes it in between. Raises ApiError for lost content."""
        version = None if self._theirs else self._layers.version(arn)
        package = version.package if version else had.get(arn) if self._is_foreign(arn) else None
        if package is not None and self._uploads.is_lost(package):
            raise invalid_parameter(f"The content of the layer {arn} is lost: publish it again.")
        if package is not None:
            stack.enter_context(self._uploads.holding(package))
        return package

    def _path(self, arn: str) -> Path | None:
        return self._given.get(arn) or self._given.get(arn.rpartition(":")[0])

    def _is_foreign(self, arn: str) -> bool:
        return arn.split(":")[4] != self._layers.here.account

    @asynccontextmanager
    async def _of_path(self, arn: str, path: Path) -> AsyncIterator[Package]:
        """A directory is used as it stands, a zip is copied."""
        if await anyio.Path(path).is_dir():
            yield self._uploads.in_place(path)
            return
        if not await anyio.to_thread.run_sync(zipfile.is_zipfile, path):
            raise invalid_parameter(
                f"The layer {arn} is {path} by the setting 'layers', which is neither a directory nor a zip: "
                "the operator of Headrace can correct the setting, or put it there."
            )
        async with self._uploads.stored(_read(path)) as package:
            yield package

    async def _of_upstream(self, arn: str, stack: AsyncExitStack) -> Package:
        if self._upstream is not None:
            pieces = await stack.enter_async_context(self._upstream.fetched(arn))
            if pieces is not None:
                return await stack.enter_async_context(self._uploads.stored(pieces))
        if not self._is_foreign(arn):
            raise invalid_parameter(f"Layer version {arn} does not exist.")
        raise self._not_here(arn)

    def _not_here(self, arn: str) -> ApiError:
        upstream = "api.upstream does not have it either" if self._upstream else "no api.upstream is set"
        return access_denied(
            f"The layer {arn} is of another account: its content is not here, and {upstream}. The operator of Headrace "
            f"can name a directory or a zip with its content: layers: {{{arn!r}: PATH}}. (aws lambda "
            "get-layer-version-by-arn gives the address of the zip.)"
        )


async def _read(path: Path) -> AsyncGenerator[bytes]:
    async with await anyio.open_file(path, "rb") as opened:
        while piece := await opened.read(CHUNK):
            yield piece
