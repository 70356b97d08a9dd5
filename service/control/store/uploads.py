"""The code of a request: in the request, or an object in S3; held until its function is stored."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Protocol

from ....config.clients import faults
from ....config.durable.faults import StoreUnavailable
from ....config.errors import ConfigError
from ..advice import of_settings
from ..limits import UNZIPPED_MAX
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
    def __init__(self, code: CodeStore, clients: S3Clients) -> None:
        self._code = code
        self._clients = clients

    @asynccontextmanager
    async def package(self, source: Mapping[str, Any]) -> AsyncIterator[Package]:
        """The package of `ZipFile`, or of `S3Bucket` and `S3Key`; held while the body runs. Raises ApiError."""
        pieces = whole(source["ZipFile"]) if "ZipFile" in source else self._object(source)
        try:
            async with self._code.adding(pieces, source.get("SourceKMSKeyArn", "")) as package:
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
