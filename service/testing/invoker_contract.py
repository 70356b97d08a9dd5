"""One suite for every invoker: what the dispatcher may rely on, whatever carries the invocation.

    class TestEcho(InvokerContract):
        @pytest.fixture
        def kit(self) -> InvokerKit:
            return InvokerKit("echo", opened)

The product's own invokers run it, and so do the tests of a plug-in. `opened` makes an invoker of a function that
behaves as `contract_function` does.
"""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import pytest

from ...dispatch.core.model import Attempt, Failure, FunctionFailed, Reply, Returned, Throttled, Unreachable
from ...dispatch.invokers.base import Invocation, Invoker, NotReady, Ready
from .contract_function import LIMIT, until_arrived

Opener = Callable[..., AbstractAsyncContextManager[Invoker]]
"""Opens an invoker; the keywords are those of `InvokerWanted`, without the directory."""


@dataclass(frozen=True, slots=True)
class InvokerWanted:
    """What a test wants of the function and its invoker."""

    directory: Path
    """Empty, and the test's own."""
    timeout: float = 20.0
    """The timeout of an invocation, in seconds."""
    concurrency: int = 4
    broken: bool = False
    """The function's init fails with an error that names the module `stock`."""
    gone: bool = False
    """There is nothing to start, or to connect to."""


@dataclass(frozen=True, slots=True)
class InvokerKit:
    """A way to make an invoker, and what is known of its kind."""

    name: str
    open: Callable[[Any], AbstractAsyncContextManager[Invoker]]
    """Opens the invoker that an `InvokerWanted` describes."""
    local: bool = False
    """The function ends with a cancelled invocation, and its request id is the one we gave."""
    throttles: bool = False
    """One invocation above the function's concurrency is refused."""
    paraphrases: bool = False
    """Says what AWS says, in other words."""

    def __str__(self) -> str:
        return self.name


EVENTS: tuple[Any, ...] = (
    pytest.param({"Records": [{"body": "x"}]}, id="records"),
    pytest.param({"text": "Grüße, 世界 \U0001f600 \u202eabc \u2028 \u0000 é é"}, id="unicode"),
    pytest.param({"number": 9007199254740991, "float": 0.5, "nested": [[[]]], "": None}, id="numbers"),
    pytest.param([], id="array"),
    pytest.param("", id="string"),
    pytest.param(0, id="zero"),
    pytest.param(None, id="null"),
    pytest.param(True, id="boolean"),
)


@pytest.mark.anyio
class InvokerContract:
    """A subclass gives the fixture `kit`."""

    @pytest.fixture
    def anyio_backend(self) -> str:
        return "asyncio"

    @pytest.fixture
    def opened(self, kit: InvokerKit, tmp_path: Path) -> Opener:
        """Makes the kit's invoker."""
        directory = tmp_path / "function"
        directory.mkdir()
        return lambda **wanted: kit.open(InvokerWanted(directory, **wanted))

    @pytest.fixture
    def meeting(self, tmp_path: Path) -> Iterator[Path]:
        """A directory in which invocations leave a file each; those that hang are let go when it vanishes."""
        directory = tmp_path / "meeting"
        directory.mkdir()
        yield directory
        shutil.rmtree(directory)

    # --- it answers -------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("event", EVENTS)
    async def test_the_event_arrives_and_the_response_comes_back(
        self, opened: Opener, kit: InvokerKit, event: object
    ) -> None:
        asked = invocation(event)
        async with opened() as invoker:
            reply = await invoker.invoke(asked)
        assert isinstance(reply, Returned)
        assert json.loads(reply.body) == event
        assert_sound(reply.attempt)
        assert not kit.local or reply.attempt.request_id == asked.request_id

    async def test_an_event_of_six_megabytes(self, opened: Opener) -> None:
        event = {"Records": ["x" * (6 * 1024 * 1024 - 100)]}
        async with opened() as invoker:
            reply = await invoker.invoke(invocation(event))
        assert isinstance(reply, Returned)
        assert json.loads(reply.body) == event

    async def test_one_invocation_after_another(self, opened: Opener) -> None:
        async with opened(concurrency=1) as invoker:
            for number in range(5):
                reply = await invoker.invoke(invocation(number))
                assert isinstance(reply, Returned)
                assert json.loads(reply.body) == number

    # --- the function fails -----------------------------------------------------------------------------------------

    async def test_an_error_of_the_handler(self, opened: Opener) -> None:
        async with opened() as invoker:
            reply = await failed(invoker, {"do": "fail"})
            assert reply.failure is Failure.ERROR
            assert json.loads(reply.body)["errorMessage"] == "no such order: 7"
            assert "no such order: 7" in reply.detail
            await assert_lives(invoker)

    async def test_a_timeout(self, opened: Opener, meeting: Path) -> None:
        async with opened(timeout=1.0) as invoker:
            reply = await failed(invoker, {"do": "hang", "directory": str(meeting)})
            assert reply.failure is Failure.TIMEOUT
            assert b"Task timed out after 1.00 seconds" in reply.body
            await assert_lives(invoker)

    async def test_the_process_ends_in_the_middle(self, opened: Opener, kit: InvokerKit) -> None:
        async with opened() as invoker:
            reply = await failed(invoker, {"do": "exit"})
            assert reply.failure is Failure.CRASH
            if not kit.paraphrases:
                error = json.loads(reply.body)
                assert error["errorType"] == "Runtime.ExitError"
                assert error["errorMessage"].endswith("Error: Runtime exited with error: exit status 3")
            await assert_lives(invoker)

    async def test_a_response_at_the_limit_and_one_byte_over(self, opened: Opener) -> None:
        async with opened() as invoker:
            largest = await invoker.invoke(invocation({"do": "big", "over": 0}))
            assert isinstance(largest, Returned)
            assert len(largest.body) == LIMIT
            reply = await failed(invoker, {"do": "big", "over": 1})
            assert reply.failure is Failure.OVERSIZED
            assert json.loads(reply.body)["errorType"] == "Function.ResponseSizeTooLarge"
            await assert_lives(invoker)

    # --- the function is not reached --------------------------------------------------------------------------------

    async def test_an_error_of_the_init_is_no_attempt(self, opened: Opener) -> None:
        async with opened(broken=True) as invoker:
            for _ in range(2):
                reply = await invoker.invoke(invocation({}))
                assert isinstance(reply, Unreachable)
                assert reply.down
                assert one_line(reply.cause.text)
                assert "stock" in str(reply.cause)
                assert reply.attempt.started <= reply.attempt.ended

    async def test_nothing_there_to_invoke(self, opened: Opener) -> None:
        async with opened(gone=True) as invoker:
            probed = await invoker.probe()
            assert isinstance(probed, NotReady)
            assert one_line(probed.cause.text)
            reply = await invoker.invoke(invocation({}))
            assert isinstance(reply, Unreachable)
            assert reply.down
            assert one_line(reply.cause.text)

    async def test_no_room(self, opened: Opener, kit: InvokerKit, meeting: Path) -> None:
        """An invoker that never refuses answers the second invocation like the first."""
        async with opened(concurrency=1) as invoker, anyio.create_task_group() as tasks:
            if kit.throttles:
                tasks.start_soon(invoker.invoke, invocation({"do": "hang", "directory": str(meeting)}))
                await until_arrived(meeting, 1)
            reply = await invoker.invoke(invocation({}))
            assert isinstance(reply, Throttled if kit.throttles else Returned)
            assert not isinstance(reply, Throttled) or one_line(reply.said)
            tasks.cancel_scope.cancel()

    # --- probe, concurrency, cancellation, end ----------------------------------------------------------------------

    async def test_a_probe_needs_no_event(self, opened: Opener) -> None:
        async with opened() as invoker:
            for _ in range(2):
                probed = await invoker.probe()
                assert isinstance(probed, Ready), probed
                assert probed.seconds >= 0
            await assert_lives(invoker)

    async def test_invocations_run_side_by_side(self, opened: Opener, meeting: Path) -> None:
        replies: list[Reply] = []
        async with opened(concurrency=4) as invoker:
            assert invoker.concurrency in (None, 4)

            async def invoke() -> None:
                replies.append(await invoker.invoke(invocation({"do": "meet", "directory": str(meeting), "count": 4})))

            async with anyio.create_task_group() as tasks:
                for _ in range(4):
                    tasks.start_soon(invoke)
        assert [json.loads(reply.body) for reply in replies if isinstance(reply, Returned)] == ["met"] * 4

    async def test_cancelling(self, opened: Opener, kit: InvokerKit, meeting: Path) -> None:
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

    async def test_closing(self, opened: Opener, meeting: Path) -> None:
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


# --- used by them -----------------------------------------------------------------------------------------------------


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


async def failed(invoker: Invoker, event: object) -> FunctionFailed:
    """The reply of an invocation that fails."""
    reply = await invoker.invoke(invocation(event))
    assert isinstance(reply, FunctionFailed), reply
    assert_sound(reply.attempt, error="Unhandled")
    assert one_line(reply.detail)
    return reply


async def assert_lives(invoker: Invoker) -> None:
    """The next invocation is none the worse for it."""
    assert isinstance(await invoker.invoke(invocation({"alive": True})), Returned)
