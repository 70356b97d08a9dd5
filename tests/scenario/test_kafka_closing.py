"""The end of a client whose broker is silent: aiokafka says good-bye for as long as a request may take, and longer."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from penstock.config.clients.kafka import closed
from penstock.config.clients.kafka.closing import CLOSING
from support.virtual_time import VirtualLoop


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": VirtualLoop}


class Client:
    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.ended = False

    async def stop(self) -> None:
        await anyio.sleep(self._seconds)
        self.ended = True


@pytest.mark.semantics("KAFKA-31")
async def test_a_client_that_does_not_end_is_not_waited_for_and_ends_by_itself() -> None:
    client = Client(20)
    began = anyio.current_time()
    await closed(client.stop())
    assert anyio.current_time() == began + CLOSING
    assert not client.ended
    await anyio.sleep(20)
    assert client.ended


@pytest.mark.semantics("KAFKA-31")
async def test_the_end_of_a_client_is_not_cut_off() -> None:
    client = Client(2)
    with anyio.CancelScope() as scope:
        scope.cancel()
        await closed(client.stop())
    assert client.ended


async def test_what_is_wrong_with_the_end_is_raised() -> None:
    async def broken() -> None:
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        await closed(broken())
