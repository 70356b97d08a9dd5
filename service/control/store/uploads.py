"""The code of a request: in the request, or an object in S3; held until its function is stored."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any, Protocol

import anyio

from ....config.clients import faults
from ....config.durable.faults import StoreUnavailable
from ....config.errors import ConfigError
from .. import hot_reload
from ..account_limits import UNZIPPED_MAX
from ..advice import of_settings
from ..model import Package
from ..refusals import ApiError, invalid_parameter, service
from .code import CodeStore, whole
from .packages import unzips_to_too_much

CHUNK = 1 << 20
LONGEST = UNZIPPED_MAX + (32 << 20)
"""Bytes of an object that could still be a package: a zip of files that are not compressed is longer than they are."""
KNOWN = {
    "NoSuchBucket": "The specified bucket does not exist",
    "NoSuchKey": "The specified key does not exist.",
}
"""S3's texts, because emulators use their own."""


class S3Clients(Protocol):
    """Provides the client for S3."""

    async def get(self, service: str) -> Any: ...


class Uploads:
    def __init__(self, code: CodeStore, clients: S3Clients, *, hot_reload: bool = False) -> None:
        """`hot_reload`: whether a request may name a directory of this machine."""
        self._code = code
        self._clients = clients
        self._hot_reload = hot_reload

    @asynccontextmanager
    async def package(self, source: Mapping[str, Any]) -> AsyncIterator[Package]:
        """The package of `ZipFile`, or of `S3Bucket` and `S3Key`; held while the body runs. Raises ApiError."""
        if hot_reload.is_asked(source):
            path = Path(hot_reload.directory(source, allowed=self._hot_reload))
            if not await anyio.Path(path).is_dir():
                raise invalid_parameter(f"S3Bucket={hot_reload.BUCKET}: there is no directory {path} on this machine.")
            yield self.in_place(path)
            return
        pieces = whole(source["ZipFile"]) if "ZipFile" in source else self._object(source)
        async with self.stored(pieces, source.get("SourceKMSKeyArn", "")) as package:
            yield package

    def in_place(self, directory: Path) -> Package:
        """A directory that is run as it stands."""
        return hot_reload.package(os.path.normpath(directory))

    def is_lost(self, package: Package) -> bool:
        """Whether a stored package is not on the disk any more."""
        return not package.directory and package.sha256 in self._code.lost

    def holding(self, package: Package) -> AbstractContextManager[None]:
        """A stored package is not deleted while the body runs."""
        return nullcontext() if package.directory else self._code.held(package.sha256)

    @asynccontextmanager
    async def stored(self, pieces: AsyncGenerator[bytes], kms_key: str = "") -> AsyncIterator[Package]:
        """The package that comes in pieces; held while the body runs. Raises ApiError."""
        try:
            async with self._code.adding(pieces, kms_key) as package:
                yield package
        except StoreUnavailable as error:
            raise service(str(error)) from error

    async def _object(self, source: Mapping[str, Any]) -> AsyncGenerator[bytes]:
        """The object's bytes in pieces, so that few are in memory at a time. Raises ApiError."""
        version = {"VersionId": source["S3ObjectVersion"]} if "S3ObjectVersion" in source else {}
        try:
            client = await self._clients.get("s3")
            found = await client.get_object(Bucket=source["S3Bucket"], Key=source["S3Key"], **version)
            if found.get("ContentLength", 0) > LONGEST:
                raise unzips_to_too_much()
            async for piece in _read(found):
                yield piece
        except ConfigError as error:
            raise invalid_parameter(f"the code cannot be fetched from S3: {of_settings(error)}") from error
        except Exception as error:
            if not faults.foreign(error):
                raise
            raise _unreachable(error) from error


async def _read(found: Mapping[str, Any]) -> AsyncGenerator[bytes]:
    size = 0
    async with found["Body"] as body:
        while piece := await body.read(CHUNK):
            size += len(piece)
            if size > LONGEST:
                raise unzips_to_too_much()
            yield piece


def _unreachable(error: Exception) -> ApiError:
    """The error in AWS's words; where AWS has none, with the obstacle."""
    code = faults.code(error) or type(error).__name__
    text = KNOWN.get(code) or str(faults.translate(error))
    return invalid_parameter(f"Error occurred while GetObject. S3 Error Code: {code}. S3 Error Message: {text}")
