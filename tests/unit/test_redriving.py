"""Messages that are moved by hand, at a queue without StartMessageMoveTask: in which order, how many, until when."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import anyio
import pytest

from headrace.config.clients.aws import AwsSettings, Clients
from headrace.pollers.memory.queue import MemoryQueue
from headrace.service.wiring.redriving import BROKEN_OFF, Redriven, RedriveWish, Redriving
from support.sqs_stub import Stub, serving


@dataclass
class DeadLetters:
    stub: Stub
    dead: MemoryQueue
    orders: MemoryQueue
    clients: Clients

    async def moved(self, tell: Callable[[Redriven], None], stop: anyio.Event) -> Redriven:
        redriving = Redriving(self.clients, RedriveWish("dead", to="orders"), tell, stop)
        await redriving.open()
        return await redriving.run()

    @property
    def moves(self) -> list[str]:
        return [call for call in self.stub.calls if call.startswith(("SendMessage", "DeleteMessage"))]


@asynccontextmanager
async def dead_letters(number: int) -> AsyncIterator[DeadLetters]:
    async with serving() as stub:
        dead, orders = stub.create("dead"), stub.create("orders")
        for each in range(number):
            dead.send(str(each))
        async with Clients(AwsSettings(endpoint_url=stub.url, region="us-east-1")) as clients:
            yield DeadLetters(stub, dead, orders, clients)


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")


def bodies(queue: MemoryQueue) -> list[str]:
    return [message.body for message in queue.messages]


@pytest.mark.semantics("REDRIVE-03", "REDRIVE-04")
async def test_each_message_is_sent_before_it_is_deleted_and_what_comes_back_meanwhile_stays() -> None:
    async with dead_letters(12) as found:

        def tell(progress: Redriven) -> None:
            if progress.moved == 3:
                found.dead.send("it failed again")

        assert await found.moved(tell, anyio.Event()) == Redriven(12, 12)
        assert bodies(found.orders) == list(map(str, range(12)))
        assert bodies(found.dead) == ["it failed again"]
        assert found.moves == ["SendMessage orders", "DeleteMessage dead"] * 12


@pytest.mark.semantics("REDRIVE-05")
async def test_a_move_that_is_broken_off_shows_at_once_what_it_had_received() -> None:
    async with dead_letters(12) as found:
        stop = anyio.Event()

        def tell(progress: Redriven) -> None:
            if progress.moved == 3:
                stop.set()

        assert await found.moved(tell, stop) == Redriven(3, 12, BROKEN_OFF)
        assert bodies(found.orders) == ["0", "1", "2"]
        now = found.dead.clock.monotonic()
        assert [message.visible_at <= now for message in found.dead.messages] == [True] * 9
