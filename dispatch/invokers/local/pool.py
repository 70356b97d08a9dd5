"""`LocalInvoker`: the warm environments of one function. Takes an idle one or starts one; what broke is replaced.

An error of an init says nothing of the records: it is Unreachable, and closes the function's gate. AWS would count it
as a function error; for a queue that would mean that a missing package sends every message to the dead-letter queue.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from functools import partial
from typing import Any

import anyio
import anyio.to_thread
import orjson

from ....config import descriptors
from ....config.clock import Clock
from ...core.model import Attempt, Failure, FunctionFailed, Reply, Returned, Throttled, Unreachable
from ...core.observer import EnvironmentsEnded, EnvironmentStarted, Observer
from ...turns import turn
from ..base import CLOSED, Invocation, NotReady, Ready, cannot_start
from ..core import answers
from ..tracing import new_trace
from . import temporary
from .core.platform_log import Ended
from .core.warm import Warm
from .launch import plan
from .reaper import Reaper
from .reload import CodeWatch
from .runtime_api import Handed, RuntimeAnswer
from .spec import FunctionSpec
from .start_command import Command, LaunchRefused
from .worker import Exited, InitFailed, TimedOut, Worker, describe_exit

OK = 200
THROTTLED = 429
HARD_WORK = 2.0
"""Seconds for which an init counts as hard work; after that it waits for something, and others may start."""


class LocalInvoker:
    """Invokes a function in processes on this machine.

    `inits` bounds how many environments start at a time over all functions: starting is hard work for the processor.
    `warm` bounds how many of them stay without being in use, over all functions too; None for no bound.
    """

    ends_on_cancel = True

    def __init__(
        self,
        spec: FunctionSpec,
        *,
        clock: Clock,
        observer: Observer,
        reaper: Reaper,
        inits: anyio.CapacityLimiter,
        warm: Warm | None = None,
    ) -> None:
        self._spec = spec
        self._clock = clock
        self._observer = observer
        self._reaper = reaper
        self._inits = inits
        self._warm = Warm() if warm is None else warm
        self._idle: list[Worker] = []
        self._all: set[Worker] = set()
        self._told: set[Worker] = set()
        """Those of them that were reported as started."""
        self._busy = 0
        self._command: Command | LaunchRefused | None = None
        self._watch = CodeWatch((spec.code, *spec.layers), enabled=spec.reload, fresh_for=spec.reload_after)
        self._generation = 0
        self._closed = False
        self._swept = False
        self._alarm: asyncio.TimerHandle | None = None
        """Rings when the first idle environment may have been idle for too long."""
        self._ending: set[asyncio.Task[None]] = set()

    @property
    def concurrency(self) -> int:
        return self._spec.concurrency

    @property
    def timeout(self) -> float | None:
        return self._spec.timeout

    async def probe(self) -> Ready | NotReady:
        """An init without an event; the environment stays for the first invocation, unless many functions wait so."""
        await self._refresh()
        if self._closed:
            return NotReady(CLOSED)
        if any(worker.alive for worker in self._idle):
            return Ready()
        started, generation = self._clock.monotonic(), self._generation
        worker = await self._start()
        if isinstance(worker, InitFailed):
            return NotReady(worker.cause)
        await self._return(worker, generation)
        return Ready(self._clock.monotonic() - started)

    async def invoke(self, invocation: Invocation) -> Reply:
        started = self._clock.wall()
        await self._refresh()
        if (refusal := self._admit(invocation, started)) is not None:
            return refusal
        try:
            return await self._invoke(invocation, started)
        finally:
            self._busy -= 1

    def _admit(self, invocation: Invocation, started: float) -> Reply | None:
        """Why it is not invoked; None takes one of the places, in the step in which one is free."""
        if self._closed:
            return self._stopping(invocation, started)
        if self._busy >= self._spec.concurrency:
            reason = "ReservedFunctionConcurrentInvocationLimitExceeded"
            return Throttled(self._attempt(invocation, started, THROTTLED), reason=reason)
        self._busy += 1
        return None

    def _stopping(self, invocation: Invocation, started: float) -> Unreachable:
        return Unreachable(self._attempt(invocation, started, None), CLOSED, down=True)

    async def aclose(self) -> None:
        self._closed = True
        if self._alarm is not None:
            self._alarm.cancel()
        for worker in self._idle:
            self._warm.remove(worker)
        async with anyio.create_task_group() as tasks:
            for worker in tuple(self._all):
                tasks.start_soon(worker.end)
            for ending in tuple(self._ending):
                tasks.start_soon(asyncio.wait, [ending])
        self._idle.clear()
        self._all.clear()
        self._tell_ended(*self._told)

    # --- environments -----------------------------------------------------------------------------------------------

    async def _invoke(self, invocation: Invocation, started: float) -> Reply:
        generation = self._generation
        worker = await self._take() or await self._start()
        if isinstance(worker, InitFailed):
            if self._closed:
                return self._stopping(invocation, started)
            attempt = self._attempt(invocation, started, OK, error=True)
            return Unreachable(attempt, worker.cause, True, self._init_body(worker, attempt))
        try:
            return await self._with_worker(worker, invocation, started)
        finally:
            if not self._kept(worker, generation):
                await self._drop(worker)

    async def _take(self) -> Worker | None:
        """The environment that was used last, if it still lives."""
        while self._idle:
            worker = self._taken()
            if worker.alive and not self._too_old(worker):
                return worker
            await self._drop(worker)
        return None

    def _taken(self) -> Worker:
        """In use from here on: no other invocation takes it, and `Warm` does not end it."""
        worker = self._idle.pop()
        self._warm.remove(worker)
        return worker

    async def _start(self) -> Worker | InitFailed:
        """A new environment, or why there is none."""
        try:
            async with turn(self._inits, HARD_WORK):
                started = await self._planned()
        except OSError as error:
            text = f"this machine cannot start it ({error}): look for free space, permissions and limits"
            started = InitFailed(cannot_start(descriptors.advice() if descriptors.spent(error) else text))
        if isinstance(started, InitFailed):
            self._command = None  # a .venv or an interpreter may come to where it was missed
        return started

    async def _planned(self) -> Worker | InitFailed:
        command = self._command if self._command is not None else await plan(self._spec)
        if isinstance(command, LaunchRefused):
            return InitFailed(command.reason, entrypoint=command.entrypoint_error)
        self._command = command
        if not self._swept:
            await anyio.to_thread.run_sync(temporary.sweep, self._spec.scratch)
            self._swept = True
        worker = self._made()
        return InitFailed(CLOSED) if worker is None else await self._started(worker, command)

    def _made(self) -> Worker | None:
        """An environment that `aclose` ends; none once that was called."""
        if self._closed:
            return None
        worker = Worker(self._spec, self._reaper, self._observer, self._clock)
        self._all.add(worker)
        return worker

    async def _started(self, worker: Worker, command: Command) -> Worker | InitFailed:
        worker.say_init_start(command.runtime)
        began = self._clock.monotonic()
        limit = None if self._spec.timeout is None else self._spec.init_timeout
        try:
            failed = await worker.start(command, limit)
        except BaseException:
            self._all.discard(worker)
            raise
        if failed is None:
            worker.say_init_done()
            self._tell_started(worker, self._clock.monotonic() - began)
            return worker
        self._all.discard(worker)
        return self._init_failed(worker, failed, self._clock.monotonic() - began)

    def _init_failed(self, worker: Worker, failed: InitFailed, seconds: float) -> InitFailed:
        if self._closed:
            return replace(failed, cause=CLOSED)  # we ended it ourselves
        kind, message = answers.error_text(failed.body)
        worker.say_init_failed(
            seconds, "timeout" if isinstance(failed.ended, TimedOut) else "error", kind or failed.kind
        )
        if not failed.body:
            return replace(failed, cause=cannot_start(f"{failed.cause}; see its log and correct the function"))
        said = answers.one_line(f"{kind}: {message}" if kind else message or failed.cause.text)
        place = answers.error_place(failed.body)
        return replace(failed, cause=cannot_start(f"{said} ({place})" if place else said))

    def _init_body(self, failed: InitFailed, attempt: Attempt) -> bytes:
        """The failed init as the caller of Invoke would see it."""
        if failed.body:
            return failed.body
        if failed.entrypoint:
            text = f"RequestId: {attempt.request_id} Error: {failed.entrypoint}"
            return orjson.dumps({"errorType": "Runtime.InvalidEntrypoint", "errorMessage": text})
        match failed.ended:
            case Exited(status=status):
                return answers.ended(attempt, status, describe_exit(status)).body
            case TimedOut():
                return answers.timed_out(attempt, self._spec.init_timeout).body
            case None:
                return b""

    async def _return(self, worker: Worker, generation: int) -> None:
        if not self._kept(worker, generation):
            await self._drop(worker)

    def _kept(self, worker: Worker, generation: int) -> bool:
        """Whether it is idle now, for the next invocation: its code is current, and the pool is open."""
        if not worker.warm or generation != self._generation or self._closed:
            return False
        self._idle.append(worker)
        self._set_alarm()
        self._warm.add(worker, partial(self._make_room, worker), used=worker.init_seconds is None)
        return True

    def _make_room(self, worker: Worker) -> None:
        """Too many environments are warm, and this one was unused for longest. The caller does not wait for its end."""
        if worker in self._idle:  # else it is about to end already
            self._idle.remove(worker)
            self._aside(self._drop(worker), self._ending.discard)

    def _aside(self, work: Coroutine[Any, Any, None], done: Callable[[asyncio.Task[None]], object]) -> None:
        task = asyncio.create_task(work)
        self._ending.add(task)
        task.add_done_callback(done)

    async def _drop(self, worker: Worker) -> None:
        self._warm.remove(worker)
        await worker.end()
        self._all.discard(worker)
        self._tell_ended(worker)

    def _tell_started(self, worker: Worker, seconds: float) -> None:
        self._told.add(worker)
        self._observer.observe(EnvironmentStarted(self._spec.name, seconds))

    def _tell_ended(self, *workers: Worker) -> None:
        gone = self._told.intersection(workers)
        if gone:
            self._told -= gone
            self._observer.observe(EnvironmentsEnded(self._spec.name, len(gone)))

    async def _refresh(self) -> None:
        """Let go of environments of old code."""
        now = self._clock.monotonic()
        if self._watch.due(now) and await self._watch.changed(now):
            self._generation += 1
            self._command = None
            old, self._idle = self._idle, []
            for worker in old:
                await self._drop(worker)

    def _too_old(self, worker: Worker) -> bool:
        return self._clock.monotonic() - worker.idle_since >= self._spec.idle_timeout

    async def _end_idle(self) -> None:
        old = [each for each in self._idle if not each.alive or self._too_old(each)]
        for worker in old:
            if worker in self._idle:  # else an invocation has it by now
                self._idle.remove(worker)
                await self._drop(worker)

    def _set_alarm(self) -> None:
        """Ends environments that no invocation uses any more."""
        if self._alarm is None and self._idle and not self._closed:
            longest = self._clock.monotonic() - min(worker.idle_since for worker in self._idle)
            left = max(self._spec.idle_timeout - longest, 0.0) + 0.01
            self._alarm = asyncio.get_running_loop().call_later(left, self._ring)

    def _ring(self) -> None:
        self._alarm = None
        self._aside(self._end_idle(), self._rang)

    def _rang(self, task: asyncio.Task[None]) -> None:
        self._ending.discard(task)
        self._set_alarm()  # whatever happened to this one: an environment must not stay forever
        if not task.cancelled():
            task.result()

    # --- one invocation ---------------------------------------------------------------------------------------------

    async def _with_worker(self, worker: Worker, invocation: Invocation, started: float) -> Reply:
        request_id = invocation.request_id
        worker.say_start(request_id)
        began = self._clock.monotonic()
        init_seconds, worker.init_seconds = worker.init_seconds, None
        handed = Handed(request_id, invocation.payload, headers_of(invocation, self._spec, self._clock))
        ended = await worker.invoke(handed, self._spec.timeout)
        if self._closed and isinstance(ended, Exited):
            return self._stopping(invocation, started)  # we ended it ourselves
        seconds = self._clock.monotonic() - began
        reply = self._reply(invocation, started, ended)
        kind, message = answers.error_text(reply.body) if isinstance(ended, Exited) else ("", "")
        worker.say_end(
            Ended(
                request_id,
                seconds,
                self._spec.memory_size,
                worker.max_memory,
                init_seconds,
                status="error"
                if isinstance(ended, Exited)
                else "timeout"
                if isinstance(ended, TimedOut)
                else "success",
                kind=kind,
                message=message,
                produced=len(reply.body),
                timeout=self._spec.timeout or 0.0,
            )
        )
        return reply

    def _reply(
        self, invocation: Invocation, started: float, ended: RuntimeAnswer | Exited | TimedOut
    ) -> Returned | FunctionFailed:
        if isinstance(ended, RuntimeAnswer) and not (ended.failed or ended.oversized):
            return Returned(self._attempt(invocation, started, OK), ended.body)
        failed = self._attempt(invocation, started, OK, error=True)
        match ended:
            case TimedOut():
                return answers.timed_out(failed, self._spec.timeout or 0.0)
            case Exited(status=status):
                return answers.ended(failed, status, describe_exit(status))
            case RuntimeAnswer(oversized=True):
                return answers.oversized(failed)
            case RuntimeAnswer(body=body):
                kind, message = answers.error_text(body)
                detail = answers.one_line(f"{kind}: {message}" if kind else message)
                failure = answers.failure_of(kind) or Failure.ERROR
                return FunctionFailed(failed, failure, detail or "no error text", body)

    def _attempt(self, invocation: Invocation, started: float, status: int | None, *, error: bool = False) -> Attempt:
        version = self._spec.version if status == OK else None
        function_error = answers.UNHANDLED if error else None
        return Attempt(invocation.request_id, started, self._clock.wall(), status, version, function_error)


def headers_of(invocation: Invocation, spec: FunctionSpec, clock: Clock) -> dict[str, str]:
    """The facts of an invocation that `next` gives to a runtime, besides the event."""
    timeout = spec.timeout if spec.timeout is not None else 900.0
    headers = {
        # The stock Python client hands the handler raw bytes for any other content type.
        "Content-Type": "application/json",
        "Lambda-Runtime-Aws-Request-Id": invocation.request_id,
        "Lambda-Runtime-Deadline-Ms": str(int((clock.wall() + timeout) * 1000)),
        "Lambda-Runtime-Invoked-Function-Arn": invocation.invoked_arn or spec.arn,
        "Lambda-Runtime-Trace-Id": invocation.trace or new_trace(),
    }
    if invocation.client_context:
        headers["Lambda-Runtime-Client-Context"] = invocation.client_context
    return headers
