"""Code of a plug-in is kept apart: whatever it does, the daemon sees a function or a destination that fails."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import anyio
import pytest

from headrace.config.clock import SystemClock
from headrace.config.errors import SourceError, SourceMissing
from headrace.config.reasons import ReasonCode
from headrace.dispatch.core.model import Attempt, Failure, FunctionFailed, Returned, Throttled, Unreachable
from headrace.dispatch.invokers.base import Invocation, NotReady, Ready, cannot_start
from headrace.dispatch.plugins.guarded_destination import GuardedDestination
from headrace.dispatch.plugins.guarded_invoker import GuardedInvoker
from headrace.service.testing.destination_contract import report

EVENT = Invocation(b"{}", "11111111-1111-4111-8111-111111111111")
ATTEMPT = Attempt(EVENT.request_id, 1.0, 2.0, 200, "$LATEST")
Act = Callable[[], Awaitable[Any]]


async def good() -> Returned:
    return Returned(ATTEMPT, b"null")


async def ready() -> Ready:
    return Ready()


class Written:
    """An invoker of a plug-in, out of what its calls do."""

    concurrency: Any = 7
    ends_on_cancel: Any = True

    def __init__(self, invoke: Act = good, probe: Act = ready) -> None:
        self._invoke, self._probe = invoke, probe
        self.closed = 0

    async def probe(self) -> Any:
        return await self._probe()

    async def invoke(self, invocation: Invocation) -> Any:
        return await self._invoke()

    async def aclose(self) -> None:
        self.closed += 1


def guarded(make: Any, **settings: Any) -> GuardedInvoker:
    given = {"timeout": 0.1, "margin": 0.0, "patience": 5.0, "grace": 0.05, **settings}
    return GuardedInvoker(make, title="plug-in 'bad' (bad 1.0)", clock=SystemClock(), **given)


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """What blocked threads wait for; set at the end, so that none is left."""
    event = threading.Event()
    yield event
    event.set()


def raising(error: BaseException) -> Act:
    async def act() -> None:
        raise error

    return act


def answering(value: object) -> Act:
    async def act() -> object:
        return value

    return act


# --- invoke -----------------------------------------------------------------------------------------------------------


@pytest.mark.semantics("PLUG-05")
@pytest.mark.parametrize(
    ("act", "failure", "said"),
    [
        (raising(KeyError("order")), Failure.ERROR, "KeyError: 'order'"),
        (raising(SystemExit(3)), Failure.CRASH, "Runtime exited with error: exit status 3"),
        (raising(SystemExit("bye")), Failure.CRASH, "exit status 1"),
        (raising(KeyboardInterrupt()), Failure.ERROR, "raised KeyboardInterrupt"),
        (raising(asyncio.CancelledError()), Failure.ERROR, "raised CancelledError"),
        (anyio.sleep_forever, Failure.TIMEOUT, "longer than 0.1 s"),
        (answering(None), Failure.ERROR, "its invoke gave 'NoneType', which is not what the protocol says"),
        (answering(b"{}"), Failure.ERROR, "gave 'bytes'"),
        (answering(Returned(ATTEMPT, "text")), Failure.ERROR, "gave 'Returned'"),  # type: ignore[arg-type]
        (answering(Returned(None, b"")), Failure.ERROR, "gave 'Returned'"),  # type: ignore[arg-type]
        (answering(Returned(Attempt(1, 1.0, 2.0), b"")), Failure.ERROR, "gave"),  # type: ignore[arg-type]
        (answering(Returned(Attempt("r", "now", 2.0), b"")), Failure.ERROR, "gave"),  # type: ignore[arg-type]
        (answering(FunctionFailed(ATTEMPT, "error", "")), Failure.ERROR, "gave"),  # type: ignore[arg-type]
        (answering(Unreachable(ATTEMPT, "down")), Failure.ERROR, "gave"),  # type: ignore[arg-type]
        (answering(Throttled(ATTEMPT, "soon")), Failure.ERROR, "gave"),  # type: ignore[arg-type]
        (answering(Returned(ATTEMPT, b"x" * (6 * 1024 * 1024 + 101))), Failure.OVERSIZED, "larger than 6 MB"),
    ],
)
async def test_what_an_invocation_of_a_plugin_must_not_do_is_the_error_of_its_function(
    act: Act, failure: Failure, said: str
) -> None:
    invoker = guarded(lambda: Written(act))
    reply = await invoker.invoke(EVENT)
    assert isinstance(reply, FunctionFailed)
    assert reply.failure is failure
    assert said in reply.detail
    assert (reply.attempt.request_id, reply.attempt.function_error) == (EVENT.request_id, "Unhandled")
    await invoker.aclose()


@pytest.mark.semantics("PLUG-06")
async def test_a_plugin_that_blocks_its_thread_blocks_no_other(gate: threading.Event) -> None:
    async def blocks() -> None:
        gate.wait()

    stuck, sound = guarded(lambda: Written(blocks), patience=0.05), guarded(lambda: Written())
    reply = await stuck.invoke(EVENT)
    assert isinstance(reply, FunctionFailed)
    assert reply.failure is Failure.TIMEOUT
    assert not stuck.ends_on_cancel
    assert isinstance(await sound.invoke(EVENT), Returned)
    assert isinstance(await stuck.probe(), NotReady)
    await stuck.aclose()
    await sound.aclose()


async def test_a_function_of_a_plugin_that_is_no_coroutine_is_told() -> None:
    class Plain(Written):
        def invoke(self, invocation: Invocation) -> Any:
            return Returned(ATTEMPT, b"")

    reply = await guarded(Plain).invoke(EVENT)
    assert isinstance(reply, FunctionFailed)
    assert "TypeError" in reply.detail


@pytest.mark.parametrize("reply", [Throttled(ATTEMPT, 1.0), Unreachable(ATTEMPT, cannot_start("x"), down=True)])
async def test_a_reply_of_the_protocol_goes_through(reply: Throttled | Unreachable) -> None:
    invoker = guarded(lambda: Written(answering(reply)))
    assert await invoker.invoke(EVENT) == reply
    await invoker.aclose()


async def test_a_cancelled_invocation_ends_in_the_plugin() -> None:
    ended = anyio.Event()
    began, loop = asyncio.Event(), asyncio.get_running_loop()

    async def act() -> None:
        loop.call_soon_threadsafe(began.set)
        try:
            await anyio.sleep_forever()
        finally:
            loop.call_soon_threadsafe(ended.set)

    invoker = guarded(lambda: Written(act), timeout=60.0)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(invoker.invoke, EVENT)
        await began.wait()
        tasks.cancel_scope.cancel()
    await ended.wait()
    assert invoker.ends_on_cancel
    await invoker.aclose()


# --- making, probing, closing -----------------------------------------------------------------------------------------


@pytest.mark.semantics("PLUG-04")
@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: 1 / 0, "the making of the invoker raised ZeroDivisionError"),
        (lambda: None, "gave 'NoneType', which is not what the protocol says"),
        (lambda: object(), "gave 'object'"),
        (lambda: Written(probe=raising(OSError("no such host"))), "the probe raised OSError: no such host"),
        (lambda: Written(probe=answering(True)), "the probe gave 'bool'"),
        (lambda: Written(probe=answering(Ready("soon"))), "gave 'Ready'"),  # type: ignore[arg-type]
        (lambda: Written(probe=answering(NotReady("no"))), "gave 'NotReady'"),  # type: ignore[arg-type]
        (cannot_start("its import raised ImportError"), "its import raised ImportError"),
    ],
)
async def test_a_plugin_that_fails_before_an_invocation_is_a_function_that_cannot_start(make: Any, said: str) -> None:
    invoker = guarded(make)
    probed = await invoker.probe()
    assert isinstance(probed, NotReady)
    assert probed.cause.code is ReasonCode.FUNCTION_CANNOT_START
    assert said in probed.cause.text
    await invoker.aclose()


async def test_a_probe_that_hangs_has_an_end() -> None:
    invoker = guarded(lambda: Written(probe=anyio.sleep_forever), patience=0.05)
    probed = await invoker.probe()
    assert isinstance(probed, NotReady)
    assert "did not end within 0.05 s" in probed.cause.text


async def test_an_invoker_that_could_not_be_made_is_made_again() -> None:
    makes = iter([RuntimeError("not yet"), None])

    def make() -> Written:
        if error := next(makes):
            raise error
        return Written()

    invoker = guarded(make)
    reply = await invoker.invoke(EVENT)
    assert isinstance(reply, Unreachable)
    assert reply.down
    assert isinstance(await invoker.probe(), Ready)
    assert isinstance(await invoker.invoke(EVENT), Returned)
    await invoker.aclose()


@pytest.mark.parametrize(("said", "expected"), [(7, 7), (None, None), ("many", 4), (True, 4), (0, 4), (-1, 4)])
async def test_the_concurrency_that_a_plugin_says(said: Any, expected: int | None) -> None:
    class Says(Written):
        concurrency = said

    invoker = guarded(Says)
    await invoker.start()
    assert invoker.concurrency == expected
    assert guarded(Says, concurrency=2).concurrency == 2


async def test_a_plugin_that_says_nothing_of_itself() -> None:
    class Silent(Written):
        @property
        def concurrency(self) -> Any:
            raise OSError

        ends_on_cancel = "yes"

    invoker = guarded(Silent)
    assert (invoker.concurrency, invoker.ends_on_cancel) == (4, False)
    await invoker.start()
    assert (invoker.concurrency, invoker.ends_on_cancel) == (4, False)


async def test_closing_closes_once_and_later_calls_are_answered() -> None:
    made = Written()
    invoker = guarded(lambda: made)
    await invoker.start()
    await invoker.aclose()
    await invoker.aclose()
    reply = await invoker.invoke(EVENT)
    assert made.closed == 1
    assert isinstance(reply, Unreachable)
    assert reply.cause.code is ReasonCode.STOPPING


# --- destinations -----------------------------------------------------------------------------------------------------


class Place:
    """A destination of a plug-in, out of what its write does."""

    arn = "notes"

    def __init__(self, write: Callable[[Any], Awaitable[Any]]) -> None:
        self._write = write

    async def probe(self) -> None:
        """It is there."""

    async def write(self, given: Any) -> None:
        await self._write(given)

    async def aclose(self) -> None:
        """Nothing to close."""


def place(make: Any, limit: float = 5.0) -> GuardedDestination:
    return GuardedDestination(make, title="plug-in 'bad' (bad 1.0)", address="plugin://bad", limit=limit)


async def missing(given: object) -> None:
    raise SourceMissing("failure destination plugin://bad: no such table; create it")


async def broken(given: object) -> None:
    raise LookupError("row")


async def hangs(given: object) -> None:
    await anyio.sleep_forever()


@pytest.mark.semantics("PLUG-07")
@pytest.mark.parametrize(
    ("make", "code", "said"),
    [
        (lambda: Place(missing), ReasonCode.MISSING, "no such table; create it"),
        (lambda: Place(broken), ReasonCode.UNAVAILABLE, "plug-in 'bad' (bad 1.0): the write raised LookupError: row"),
        (lambda: Place(hangs), ReasonCode.UNAVAILABLE, "the write did not end within 0.05 s"),
        (lambda: 1 / 0, ReasonCode.UNAVAILABLE, "the making of the destination raised ZeroDivisionError"),
        (lambda: None, ReasonCode.UNAVAILABLE, "gave 'NoneType', which is no destination"),
        (cannot_start("its import raised X"), ReasonCode.FUNCTION_CANNOT_START, "plugin://bad: its import raised X"),
    ],
)
async def test_what_a_destination_of_a_plugin_must_not_do_is_a_failure_of_the_destination(
    make: Any, code: ReasonCode, said: str
) -> None:
    destination = place(make, 0.05)
    with pytest.raises(SourceError, match=r"^failure destination") as raised:
        await destination.write(report())
    assert raised.value.reason.code is code
    assert said in raised.value.reason.text
    await destination.aclose()


async def test_a_destination_of_a_plugin_gets_the_report_with_its_event() -> None:
    got: list[bytes] = []

    async def write(given: Any) -> None:
        got.append(given.event)

    destination, given = place(lambda: Place(write)), report()
    await destination.write(given)
    await destination.probe()
    await destination.aclose()
    assert got == [given.event]
