"""What signals do: before there is a loop, to a daemon that starts, to one that stops."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from signal import SIGHUP, SIGINT, SIGTERM, Signals

import anyio
import pytest

from headrace.service.wiring import signals
from headrace.service.wiring.signals import install, watched


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    before = {each: signal.getsignal(each) for each in signals.STOPPING}
    yield
    for each, handler in before.items():
        signal.signal(each, handler)


@pytest.mark.semantics("CLI-10", "CLI-31")
@pytest.mark.parametrize(
    ("received", "told"),
    [
        ((SIGTERM,), ["stop SIGTERM"]),
        ((SIGHUP,), ["stop SIGHUP"]),
        ((SIGTERM, SIGINT), ["stop SIGTERM", "end SIGINT"]),
        ((SIGINT, SIGTERM), ["stop SIGINT", "end SIGTERM"]),
        ((SIGHUP, SIGTERM), ["stop SIGHUP", "end SIGTERM"]),
        ((SIGHUP, SIGHUP), ["stop SIGHUP"]),
        ((SIGTERM, SIGHUP), ["stop SIGTERM"]),
    ],
)
async def test_the_first_signal_stops_and_another_one_ends_unless_a_terminal_closed(
    received: tuple[Signals, ...], told: list[str]
) -> None:
    said: list[str] = []
    with watched(
        lambda each: said.append(f"stop {each.name}"), lambda number: said.append(f"end {Signals(number).name}")
    ):
        for each in received:
            signal.raise_signal(each)
            await anyio.sleep(0.05)
    assert said == told


@pytest.mark.parametrize("each", signals.STOPPING)
@pytest.mark.semantics("CLI-31", "CLI-32")
def test_a_signal_before_there_is_a_loop_ends_with_a_line_and_0(
    each: Signals, capfd: pytest.CaptureFixture[str]
) -> None:
    codes: list[int] = []
    install(codes.append)
    signal.raise_signal(each)
    assert codes == [0]
    assert capfd.readouterr().err == f"headrace: {each.name}: stopped, nothing was running\n"


@pytest.mark.semantics("CLI-31")
async def test_a_hang_up_that_nohup_ignores_stays_ignored() -> None:
    signal.signal(SIGHUP, signal.SIG_IGN)
    install()
    with watched(lambda each: pytest.fail(each.name), lambda number: pytest.fail(str(number))):
        signal.raise_signal(SIGHUP)
        await anyio.sleep(0.05)
    assert signal.getsignal(SIGHUP) is signal.SIG_IGN


async def test_what_heard_signals_before_hears_them_again_afterwards() -> None:
    install()
    before = signal.getsignal(SIGTERM)
    with watched(lambda each: None, lambda number: None):
        pass
    assert signal.getsignal(SIGTERM) is before
