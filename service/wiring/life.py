"""A daemon's life: start, `Ready.`, run, stop in phases, exit code. Knows the parts only by their protocols.

starting --> ready --> stopping: no fetch | invocations end or are ended | settled | functions closed --> exit
                           ^ signal, idle, time over
"""

from __future__ import annotations

import math
import socket
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import anyio

from ...config.clock import Clock
from ...config.core.stop_budget import NEVER, StopBudget, StopTimes
from ...config.fields.spoken import counted
from ...config.settings import Settings
from ..api.code_downloads import CodeDownloads
from ..api.lambda_api import LambdaApi
from ..api.server import address_of, serving
from ..api.steering import Steering
from ..running.mappings import RunningMappings
from ..telemetry.log import Action, Log
from . import garbage
from .exits import Exit
from .idle import IdlePace, IdleWatch

Leave = Callable[[float, Callable[[], int], Callable[[], object]], object]
"""The signature of `leaving.Leaving.after`."""


WOULD = {
    "delivered": "would_deliver",
    "filtered": "would_filter",
    "discarded": "would_discard",
    "invocations": "would_invoke",
}
"""The fates of an account, and their names in a dry run."""


@dataclass(frozen=True, slots=True)
class Outside:
    """The daemon's connections to its environment."""

    log: Log
    out: Callable[[str], object]
    """Writes a line to standard output."""
    listener: socket.socket | None
    """None: nothing is served."""
    scrape: Callable[[], Awaitable[bytes]]
    """The metrics as text."""
    beside: Callable[[], Coroutine[Any, Any, None]]
    """Runs beside the mappings; may end at any time."""
    api: LambdaApi | None = None
    """None: there is no Lambda API."""
    code: CodeDownloads | None = None
    """Serves the packages of its functions."""
    steering: Steering | None = None
    """What becomes of records, and the levers."""
    leave: Leave = lambda seconds, code, say: None
    """Ends the process after so many seconds, whatever still runs."""
    rest: Callable[[], object] = garbage.leave_alone
    """Called when the daemon is ready."""


class Life:
    """Runs the mappings once."""

    def __init__(self, plant: RunningMappings, settings: Settings, outside: Outside, clock: Clock) -> None:
        self._plant = plant
        self._settings = settings
        self._outside = outside
        self._log = outside.log
        self._clock = clock
        self._stop_wanted = anyio.Event()
        self._exit = Exit.OK
        self.times: StopTimes = NEVER
        """The deadlines of a stop, once it has begun."""

    def stop(self) -> None:
        """Begin to stop; `run` returns when it is done."""
        self._stop_wanted.set()

    async def run(self) -> Exit:
        async with AsyncExitStack() as stack:
            outside = self._outside
            if outside.listener is not None:
                await stack.enter_async_context(
                    serving(
                        outside.listener,
                        self._plant,
                        outside.scrape,
                        outside.api,
                        outside.code,
                        steering=outside.steering,
                    )
                )
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._plant.run)
                tasks.start_soon(self._announce)
                tasks.start_soon(self._outside.beside)
                if self._settings.until_idle is not None:
                    tasks.start_soon(self._until_idle, self._settings.until_idle)
                await self._stop_wanted.wait()
                await self._stop()
                tasks.cancel_scope.cancel()
        self._say_account()
        return self._exit

    async def _announce(self) -> None:
        """`Ready.`, once, when every mapping polls or can say what it waits for."""
        while True:
            changed = self._plant.changes.next()
            readiness = self._plant.readiness()
            if readiness.ready:
                break
            await changed.wait()
        self._outside.rest()
        self._log.info(Action.READY, "ready", waiting=[reason.text for reason in readiness.reasons] or None)
        self._outside.out("Ready.")

    @property
    def url(self) -> str:
        """The URL of what is served; empty where nothing is served."""
        listener = self._outside.listener
        return f"http://{address_of(listener)}" if listener else ""

    def idle_watch(self, pace: IdlePace) -> IdleWatch:
        """Detects when nothing is left to do."""
        return IdleWatch(self._plant.watched, self._clock, pace)

    async def _until_idle(self, limit: float) -> None:
        watch = IdleWatch(self._plant.watched, self._clock)
        with anyio.move_on_after(None if math.isinf(limit) else limit):
            await watch.wait()
            self._idle()
            return
        self._exit = Exit.NOT_IDLE
        for reason in watch.reasons():
            self._log.error(Action.NOT_IDLE, f"not idle after {limit:g} s: {reason}")
        self.stop()

    def _idle(self) -> None:
        discarded = self._plant.account.discarded
        self._log.info(Action.IDLE, "idle: nothing is left to do")
        if discarded and self._settings.fail_on_discard:
            self._log.error(Action.DISCARD, f"{counted(discarded, 'record')} discarded")
            self._exit = Exit.DISCARDED
        self.stop()

    # --- the end ----------------------------------------------------------------------------------------------------

    async def _stop(self) -> None:
        """First the daemon becomes not ready, so that clients send nothing more; then all mappings stop at once, then
        their resources."""
        budget = StopBudget.of_daemon(self._settings.stop_timeout)
        times = self.times = budget.begin(self._clock.monotonic())
        self._outside.leave(budget.last_resort, lambda: self._exit, lambda: self._say_left(budget.whole))
        self._log.info(Action.STOP, f"stopping within {budget.whole:g} s")
        with anyio.CancelScope(deadline=times.settle):
            await self._plant.stop(times)
        with anyio.CancelScope(shield=True, deadline=times.close):
            await self._plant.fleet.aclose()
        with anyio.CancelScope(shield=True, deadline=times.send):
            await self._plant.stop_last(times)

    def _say_left(self, seconds: float) -> None:
        text = (
            f"not everything ended within {seconds:g} s: Headrace exits nevertheless; records without a fate come again"
        )
        self._log.warning(Action.STOP, text)

    def _say_account(self) -> None:
        for mapping, counts in self._plant.account.counts.items():
            if counts.fetched:
                fields = self._plant.account.as_json(mapping)
                if self._settings.dry_run:
                    fields = {WOULD.get(name, name): number for name, number in fields.items()}
                text = ", ".join(f"{name.replace('_', ' ')} {number}" for name, number in fields.items() if number)
                self._log.info(Action.ACCOUNT, f"{mapping}: {text}", mapping=mapping, **fields)
