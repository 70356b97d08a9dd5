"""The fake: a coroutine that fails in every way a function can, on virtual time."""

from __future__ import annotations

import json
from typing import Any

import anyio
import pytest

from headrace.config.clock import LoopClock
from headrace.dispatch.core.model import Attempt, Failure, FunctionFailed, Reply, Returned, Throttled, Unreachable
from headrace.dispatch.invokers.base import Invocation, NotReady, Ready
from headrace.dispatch.invokers.callable import CallableInvoker, Function
from support.reasons import no_start
from support.virtual_time import EPOCH, VirtualLoop

ASKED = Invocation(b'{"a": 1}', "request-1")


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": VirtualLoop}


def invoker(function: Function, **more: Any) -> CallableInvoker:
    return CallableInvoker(function, clock=LoopClock(EPOCH), **more)


async def echo(invocation: Invocation) -> bytes:
    await anyio.sleep(1)
    return invocation.payload


async def test_time_is_the_loops() -> None:
    reply = await invoker(echo).invoke(ASKED)
    assert reply == Returned(Attempt("request-1", EPOCH, EPOCH + 1, 200, "$LATEST"), ASKED.payload)


async def test_a_timeout_is_exact() -> None:
    async def forever(invocation: Invocation) -> bytes:
        await anyio.sleep_forever()
        raise AssertionError

    reply = await invoker(forever, timeout=900).invoke(ASKED)
    assert isinstance(reply, FunctionFailed)
    assert reply.failure is Failure.TIMEOUT
    assert reply.attempt.ended - reply.attempt.started == 900
    assert b"Task timed out after 900.00 seconds" in reply.body


async def test_without_a_timeout_it_takes_as_long_as_it_likes() -> None:
    async def slow(invocation: Invocation) -> bytes:
        await anyio.sleep(80_000)
        return b"null"

    assert isinstance(await invoker(slow, timeout=None).invoke(ASKED), Returned)


async def test_a_reply_stands_as_it_is() -> None:
    reply: Reply = Throttled(Attempt("x", 0, 0, 429), 2.0, "CallerRateLimitExceeded")

    async def throttled(invocation: Invocation) -> Reply:
        return reply

    assert await invoker(throttled).invoke(ASKED) is reply


async def test_an_exception_is_a_function_error_in_pythons_words() -> None:
    async def wrong(invocation: Invocation) -> bytes:
        raise KeyError("a\nb")

    reply = await invoker(wrong).invoke(ASKED)
    assert isinstance(reply, FunctionFailed)
    error = json.loads(reply.body)
    assert list(error) == ["errorMessage", "errorType", "requestId", "stackTrace"]
    assert error["errorType"] == "KeyError"
    assert error["requestId"] == "request-1"
    assert "wrong" in error["stackTrace"][-1]
    assert reply.attempt.function_error == "Unhandled"


@pytest.mark.parametrize(
    ("code", "words"),
    [(0, b"without providing a reason"), (None, b"without providing"), (3, b"status 3"), ("x", b"status 1")],
)
async def test_leaving_the_process_is_a_crash(code: int | str | None, words: bytes) -> None:
    async def leaving(invocation: Invocation) -> bytes:
        raise SystemExit(code)

    reply = await invoker(leaving).invoke(ASKED)
    assert isinstance(reply, FunctionFailed)
    assert reply.failure is Failure.CRASH
    assert words in reply.body


async def test_one_above_the_concurrency_is_throttled() -> None:
    subject = invoker(echo, concurrency=2)
    replies: list[Reply] = []

    async def invoke() -> None:
        replies.append(await subject.invoke(ASKED))

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(invoke)
    assert sorted(type(reply).__name__ for reply in replies) == ["Returned", "Returned", "Throttled"]
    assert isinstance(await subject.invoke(ASKED), Returned)


async def test_broken_and_mended() -> None:
    subject = invoker(echo)
    subject.break_down("no module named stock")
    assert await subject.probe() == NotReady(no_start("no module named stock"))
    reply = await subject.invoke(ASKED)
    assert isinstance(reply, Unreachable)
    assert reply.down
    assert str(reply.cause) == "no module named stock"
    subject.mend()
    assert await subject.probe() == Ready()
    assert isinstance(await subject.invoke(ASKED), Returned)


async def test_a_scripted_probe() -> None:
    script: list[Ready | NotReady] = [NotReady(no_start("not yet")), Ready(2.0)]

    async def probe() -> Ready | NotReady:
        await anyio.sleep(5)
        return script.pop(0)

    subject = invoker(echo, probe=probe)
    assert await subject.probe() == NotReady(no_start("not yet"))
    assert await subject.probe() == Ready(2.0)
    assert anyio.current_time() == 10


async def test_closing_ends_what_runs() -> None:
    subject = invoker(echo, concurrency=None)
    replies: list[Reply] = []

    async def invoke() -> None:
        replies.append(await subject.invoke(ASKED))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(invoke)
        await anyio.sleep(0.5)
        await subject.aclose()
    await subject.aclose()
    await invoke()
    assert [type(reply) for reply in replies] == [Unreachable, Unreachable]
    assert anyio.current_time() == 0.5
