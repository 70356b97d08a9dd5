"""The doctor inside of a daemon: one looks at a time, and not for ever."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest
from anyio.abc import SocketStream
from anyio.lowlevel import checkpoint

from headrace.config.loader import load
from headrace.config.mapping import EventSourceMapping
from headrace.service.control.refusals import ApiError
from headrace.service.wiring.doctoring import Doctoring
from headrace.service.wiring.live_config import LiveConfig
from support import daemons


class Known:
    """Mappings of the API, beside those of a file."""

    def __init__(self, *mappings: EventSourceMapping) -> None:
        self._mappings = {mapping.name: mapping for mapping in mappings}

    def listed(self) -> tuple[str, ...]:
        return tuple(self._mappings)

    def config(self, name: str) -> EventSourceMapping | None:
        return self._mappings.get(name)


@asynccontextmanager
async def silent() -> AsyncIterator[str]:
    """An endpoint that takes calls and answers none."""

    async def take(stream: SocketStream) -> None:
        async with stream:
            await anyio.sleep_forever()

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(anyio.abc.SocketAttribute.local_port)
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, take)
        yield f"http://127.0.0.1:{port}"
        tasks.cancel_scope.cancel()


def doctor(directory: Path, endpoint: str, monkeypatch: pytest.MonkeyPatch, longest: float = 60.0) -> Doctoring:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    queue = "arn:aws:sqs:us-east-1:000000000000:orders"
    file = daemons.write_config(directory, endpoint, "http://127.0.0.1:9/", {"m": {"source": queue}})
    config = load([str(file)], environ={})
    return Doctoring(LiveConfig(config), Known(*config.mappings.values()), "http://127.0.0.1:9470", longest)


@pytest.mark.semantics("DOCTOR-05")
async def test_a_second_doctor_is_refused_until_the_first_has_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with silent() as endpoint:
        asked = doctor(tmp_path, endpoint, monkeypatch)
        for _ in range(2):  # it does not stay refused
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(asked.examine, {})
                await checkpoint()
                with pytest.raises(ApiError, match="is looking already"):
                    await asked.examine({})
                tasks.cancel_scope.cancel()


@pytest.mark.semantics("DOCTOR-05")
async def test_a_doctor_ends_although_nothing_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with silent() as endpoint:
        with pytest.raises(ApiError, match=r"did not end within 0\.1 seconds"):
            await doctor(tmp_path, endpoint, monkeypatch, longest=0.1).examine({})
