"""One suite for every invoker: what the dispatcher may rely on, whatever carries the invocation."""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import anyio
import pytest

from headrace.dispatch.core.model import Attempt, Failure, FunctionFailed, Reply, Returned, Throttled, Unreachable
from headrace.dispatch.invokers.base import Invocation, Invoker, NotReady, Ready
from support import invoker_kits
from support.invoker_kits import Kit, Wanted, until_arrived

ALL = (
    invoker_kits.CALLABLE,
    invoker_kits.REMOTE,
    invoker_kits.MINISTACK,
    invoker_kits.HTTP,
    invoker_kits.PYTHON,
    invoker_kits.NODE,
    invoker_kits.BOOTSTRAP,
    invoker_kits.COMMAND,
    invoker_kits.JAVA,
)


def parameters(kits: Iterable[Kit]) -> list[Any]:
    return [pytest.param(kit, id=kit.name, marks=[pytest.mark.needs(*kit.needs)] if kit.needs else []) for kit in kits]


each_kit = pytest.mark.parametrize("kit", parameters(ALL))

Open = Callable[..., AbstractAsyncContextManager[Invoker]]


@pytest.fixture
def opened(kit: Kit, tmp_path: Path, request: pytest.FixtureRequest) -> Open:
    """Makes the kit's invoker; the keywords are those of `Wanted`."""
    directory = tmp_path / "function"
    directory.mkdir()
    endpoint = request.getfixturevalue(kit.server).endpoint_url if kit.server else ""
    return lambda **wanted: kit.open(Wanted(directory, endpoint=endpoint, **wanted))


@pytest.fixture
def meeting(tmp_path: Path) -> Iterator[Path]:
    """A directory in which invocations leave a file each; those that hang are let go when it vanishes."""
    directory = tmp_path / "meeting"
    directory.mkdir()
    yield directory
    shutil.rmtree(directory)


def invocation(event: object) -> Invocation:
    return Invocation(json.dumps(event, ensure_ascii=False).encode(), str(uuid.uuid4()), mapping="mapping")


def one_line(text: str) -> bool:
    return bool(text.strip()) and "\n" not in text


def assert_sound(attempt: Attempt, *, status: int | None = 200, error: str | None = None) -> None:
    assert attempt.request_id
    assert attempt.started <= attempt.ended
    assert attempt.status == status
    assert attempt.function_error == error
    if status == 200:
        assert attempt.executed_version == "$LATEST"


# --- it answers -----------------------------------------------------------------------------------------------------


@pytest.mark.semantics("INVOKE-01")
@each_kit
@pytest.mark.parametrize(
    "event",
    [
        {"Records": [{"body": "x"}]},
        {"text": "Grüße, 世界 \U0001f600 \u202eabc \u2028 \u0000 é é"},
        {"number": 9007199254740991, "float": 0.5, "nested": [[[]]], "": None},
        [],
        "",
        0,
        None,
        True,
    ],
    ids=["records", "unicode", "numbers", "array", "string", "zero", "null", "boolean"],
)
async def test_the_event_arrives_and_the_response_comes_back(opened: Open, kit: Kit, event: object) -> None:
    asked = invocation(event)
    async with opened() as invoker:
        reply = await invoker.invoke(asked)
    assert isinstance(reply, Returned)
    assert json.loads(reply.body) == event
    assert_sound(reply.attempt)
    assert not kit.local or reply.attempt.request_id == asked.request_id


@pytest.mark.semantics("INVOKE-02")
@each_kit
async def test_an_event_of_six_megabytes(opened: Open) -> None:
    event = {"Records": ["x" * (6 * 1024 * 1024 - 100)]}
    async with opened() as invoker:
        reply = await invoker.invoke(invocation(event))
    assert isinstance(reply, Returned)
    assert json.loads(reply.body) == event


@each_kit
async def test_one_invocation_after_another(opened: Open) -> None:
    async with opened(concurrency=1) as invoker:
        for number in range(5):
            reply = await invoker.invoke(invocation(number))
            assert isinstance(reply, Returned)
            assert json.loads(reply.body) == number


# --- the function fails ---------------------------------------------------------------------------------------------


async def failed(invoker: Invoker, event: object) -> FunctionFailed:
    reply = await invoker.invoke(invocation(event))
    assert isinstance(reply, FunctionFailed), reply
    assert_sound(reply.attempt, error="Unhandled")
    assert one_line(reply.detail)
    return reply


async def assert_lives(invoker: Invoker) -> None:
    """The next invocation is none the worse for it."""
    assert isinstance(await invoker.invoke(invocation({"alive": True})), Returned)


@pytest.mark.semantics("INVOKE-03")
@each_kit
async def test_an_error_of_the_handler(opened: Open) -> None:
    async with opened() as invoker:
        reply = await failed(invoker, {"do": "fail"})
        assert reply.failure is Failure.ERROR
        assert json.loads(reply.body)["errorMessage"] == "no such order: 7"
        assert "no such order: 7" in reply.detail
        await assert_lives(invoker)


@pytest.mark.semantics("INVOKE-04")
@each_kit
async def test_a_timeout(opened: Open, meeting: Path) -> None:
    async with opened(timeout=1.0) as invoker:
        reply = await failed(invoker, {"do": "hang", "directory": str(meeting)})
        assert reply.failure is Failure.TIMEOUT
        assert b"Task timed out after 1.00 seconds" in reply.body
        await assert_lives(invoker)


@pytest.mark.semantics("INVOKE-05")
@each_kit
async def test_the_process_ends_in_the_middle(opened: Open, kit: Kit) -> None:
    async with opened() as invoker:
        reply = await failed(invoker, {"do": "exit"})
        assert reply.failure is Failure.CRASH
        if not kit.paraphrases:
            error = json.loads(reply.body)
            assert error["errorType"] == "Runtime.ExitError"
            assert error["errorMessage"].endswith("Error: Runtime exited with error: exit status 3")
        await assert_lives(invoker)


@pytest.mark.semantics("INVOKE-06")
@each_kit
async def test_a_response_at_the_limit_and_one_byte_over(opened: Open) -> None:
    async with opened() as invoker:
        largest = await invoker.invoke(invocation({"do": "big", "over": 0}))
        assert isinstance(largest, Returned)
        assert len(largest.body) == invoker_kits.LIMIT
        reply = await failed(invoker, {"do": "big", "over": 1})
        assert reply.failure is Failure.OVERSIZED
        assert json.loads(reply.body)["errorType"] == "Function.ResponseSizeTooLarge"
        await assert_lives(invoker)


# --- the function is not reached ------------------------------------------------------------------------------------


@pytest.mark.semantics("INVOKE-07")
@each_kit
async def test_an_error_of_the_init_is_no_attempt(opened: Open) -> None:
    async with opened(broken=True) as invoker:
        for _ in range(2):
            reply = await invoker.invoke(invocation({}))
            assert isinstance(reply, Unreachable)
            assert reply.down
            assert one_line(reply.cause.text)
            assert "stock" in str(reply.cause)
            assert reply.attempt.started <= reply.attempt.ended


@pytest.mark.semantics("INVOKE-08")
@each_kit
async def test_nothing_there_to_invoke(opened: Open) -> None:
    async with opened(gone=True) as invoker:
        probed = await invoker.probe()
        assert isinstance(probed, NotReady)
        assert one_line(probed.cause.text)
        reply = await invoker.invoke(invocation({}))
        assert isinstance(reply, Unreachable)
        assert reply.down
        assert one_line(reply.cause.text)


@pytest.mark.semantics("INVOKE-09")
@pytest.mark.parametrize("kit", parameters(kit for kit in ALL if kit.throttles))
async def test_no_room(opened: Open, meeting: Path) -> None:
    async with opened(concurrency=1) as invoker, anyio.create_task_group() as tasks:
        tasks.start_soon(invoker.invoke, invocation({"do": "hang", "directory": str(meeting)}))
        await until_arrived(meeting, 1)
        reply = await invoker.invoke(invocation({}))
        assert isinstance(reply, Throttled)
        assert one_line(reply.said)
        tasks.cancel_scope.cancel()


# --- probe, concurrency, cancellation, end --------------------------------------------------------------------------


@each_kit
async def test_a_probe_needs_no_event(opened: Open) -> None:
    async with opened() as invoker:
        for _ in range(2):
            probed = await invoker.probe()
            assert isinstance(probed, Ready), probed
            assert probed.seconds >= 0
        await assert_lives(invoker)


@each_kit
async def test_invocations_run_side_by_side(opened: Open, meeting: Path) -> None:
    replies: list[Reply] = []
    async with opened(concurrency=4) as invoker:
        assert invoker.concurrency in (None, 4)

        async def invoke() -> None:
            replies.append(await invoker.invoke(invocation({"do": "meet", "directory": str(meeting), "count": 4})))

        async with anyio.create_task_group() as tasks:
            for _ in range(4):
                tasks.start_soon(invoke)
    assert [json.loads(reply.body) for reply in replies if isinstance(reply, Returned)] == ["met"] * 4


@each_kit
async def test_cancelling(opened: Open, kit: Kit, meeting: Path) -> None:
    async with opened() as invoker:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(invoker.invoke, invocation({"do": "hang", "directory": str(meeting)}))
            await until_arrived(meeting, 1)
            tasks.cancel_scope.cancel()
        assert invoker.ends_on_cancel is kit.local
        (pid,) = [int(name) for name in os.listdir(meeting)]
        if kit.local and pid != os.getpid():
            with pytest.raises(ProcessLookupError):
                os.kill(pid, 0)
        await assert_lives(invoker)


@each_kit
async def test_closing(opened: Open, meeting: Path) -> None:
    replies: list[Reply] = []
    async with opened() as invoker:
        await assert_lives(invoker)

        async def invoke(event: Any) -> None:
            replies.append(await invoker.invoke(invocation(event)))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(invoke, {"do": "hang", "directory": str(meeting)})
            await until_arrived(meeting, 1)
            await invoker.aclose()
        await invoker.aclose()
        await invoke({})
    for reply in replies:
        assert isinstance(reply, Unreachable)
        assert one_line(reply.cause.text)
    assert len(replies) == 2
