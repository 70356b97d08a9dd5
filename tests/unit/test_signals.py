"""What signals do: before there is a loop, to a daemon that starts, to one that stops."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from signal import SIGHUP, SIGINT, SIGTERM, Signals

import anyio
import pytest

from headrace.service.wiring import signals
from headrace.service.wiring.signals import Terminal, install, watched


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    before = {each: signal.getsignal(each) for each in signals.STOPPING}
    yield
    signals._Hangups.terminal, signals._Hangups.early = None, False
    for each, handler in before.items():
        signal.signal(each, handler)


class Window:
    """A terminal's window, which somebody closes."""

    def __init__(self, *, there: bool) -> None:
        self.there = there

    def is_there(self) -> bool:
        return self.there


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
    window = Window(there=True)
    install(is_there=window.is_there)
    window.there = False
    assert await heard(received) == told


@pytest.mark.semantics("RELOAD-02")
@pytest.mark.parametrize("there", [True, False])
async def test_a_hang_up_reloads_while_the_terminal_is_as_it_was(there: bool) -> None:
    install(is_there=Window(there=there).is_there)
    assert await heard((SIGHUP, SIGHUP, SIGTERM, SIGHUP)) == ["reload", "reload", "stop SIGTERM", "reload"]


@pytest.mark.semantics("CLI-31")
async def test_a_shell_that_tells_its_jobs_before_the_terminal_closes_stops_them_nevertheless(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(signals, "LOOK_AGAIN", 0.01)
    window = Window(there=True)
    install(is_there=window.is_there)
    said: list[str] = []
    reloaded, stopped = anyio.Event(), anyio.Event()

    def stop(each: Signals) -> None:
        said.append(each.name)
        stopped.set()

    def reload() -> None:
        said.append("reload")
        reloaded.set()

    with watched(stop, lambda number: pytest.fail(str(number)), reload):
        signal.raise_signal(SIGHUP)
        await reloaded.wait()
        window.there = False
        await stopped.wait()
    assert said == ["reload", "SIGHUP"]


async def heard(received: tuple[Signals, ...]) -> list[str]:
    """What comes of these signals, one after the other."""
    said: list[str] = []
    with watched(
        lambda each: said.append(f"stop {each.name}"),
        lambda number: said.append(f"end {Signals(number).name}"),
        lambda: said.append("reload"),
    ):
        for each in received:
            signal.raise_signal(each)
            await anyio.sleep(0.05)
    return said


@pytest.mark.parametrize("each", signals.STOPPING)
@pytest.mark.semantics("CLI-31", "CLI-32")
def test_a_signal_before_there_is_a_loop_ends_with_a_line_and_0(
    each: Signals, capfd: pytest.CaptureFixture[str]
) -> None:
    codes: list[int] = []
    window = Window(there=True)
    install(codes.append, window.is_there)
    window.there = False
    signal.raise_signal(each)
    assert codes == [0]
    assert capfd.readouterr().err == f"headrace: {each.name}: stopped, nothing was running\n"


@pytest.mark.semantics("RELOAD-02")
async def test_a_reload_that_comes_before_there_is_a_loop_is_not_lost() -> None:
    install(is_there=Window(there=True).is_there)
    signal.raise_signal(SIGHUP)
    assert await heard(()) == ["reload"]
    assert await heard(()) == []


def test_what_never_had_a_terminal_loses_none() -> None:
    assert not Terminal(lambda: False).closed


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
