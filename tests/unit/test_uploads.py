"""Code from S3: what is taken, piece by piece, and what is refused."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

from headrace.service.control.account_limits import UNZIPPED_MAX
from headrace.service.control.refusals import ApiError
from headrace.service.control.store.code import DIRECTORY
from headrace.service.control.store.uploads import CHUNK
from support.function_api import function_api, zipped
from support.scripted_client import ScriptedClient, refused

PLACE = {"S3Bucket": "bucket", "S3Key": "key"}
TOO_LARGE = "Unzipped size must be smaller than 262144000 bytes"


class Body:
    """An object's bytes, as a client streams them. `after`: what is raised behind them."""

    def __init__(self, data: bytes, after: Exception | None = None) -> None:
        self._data = io.BytesIO(data)
        self._after = after
        self.asked: list[int] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._data.close()

    async def read(self, size: int) -> bytes:
        self.asked.append(size)
        piece = self._data.read(size)
        if not piece and self._after is not None:
            raise self._after
        return piece


class OnlyS3:
    def __init__(self, body: Body, length: int | None = None) -> None:
        told = {} if length is None else {"ContentLength": length}
        self.client = ScriptedClient(get_object=[{"Body": body, **told}])

    async def get(self, service: str) -> Any:
        assert service == "s3"
        return self.client


def stored(size: int) -> bytes:
    """A zip that is as long as its content, and a little more."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as package:
        package.writestr("app.py", "def handler(event, context): return event\n")
        package.writestr("data", bytes(size))
    return buffer.getvalue()


def left(state: Path) -> list[str]:
    """What lies beside the packages of functions."""
    return [entry.name for entry in (state / DIRECTORY).iterdir() if entry.name.startswith(".new")]


@pytest.mark.semantics("FUNC-47")
async def test_code_from_s3_may_be_longer_than_code_in_a_request(tmp_path: Path) -> None:
    data = stored(52_428_801)
    body = Body(data)
    async with function_api(tmp_path, clients=OnlyS3(body, len(data))) as api:
        created = await api.create(Code=PLACE)
        assert created["CodeSize"] == len(data)
        runnable = api.plane.runnable("orders")
        assert runnable
        assert Path(runnable.code, "data").stat().st_size == 52_428_801
    assert max(body.asked) == CHUNK
    assert left(tmp_path) == []


@pytest.mark.semantics("FUNC-47")
async def test_an_object_that_is_too_long_for_any_package_is_not_read(tmp_path: Path) -> None:
    body = Body(b"")
    async with function_api(tmp_path, clients=OnlyS3(body, 2 * UNZIPPED_MAX)) as api:
        with pytest.raises(ApiError, match=TOO_LARGE):
            await api.create(Code=PLACE)
    assert body.asked == []


async def test_an_object_that_breaks_off_is_told_as_s3s_fault(tmp_path: Path) -> None:
    body = Body(zipped()[:10], refused("SlowDown", 503))
    async with function_api(tmp_path, clients=OnlyS3(body)) as api:
        with pytest.raises(ApiError, match=r"Error occurred while GetObject\. S3 Error Code: SlowDown\."):
            await api.create(Code=PLACE)
        assert left(tmp_path) == []
