"""One execution environment: a runtime's process group, its Runtime API, its output. Serves one invocation at a time.

start ──► idle ──invoke──► busy ──answered──► idle            the runtime asked for `next` again
  │                         ├──── crash, timeout, cancel ──► ended    (the whole group is killed)
  └──── init error ─────────┴──────────────────────────────► ended
"""

from __future__ import annotations

import asyncio
import datetime
import os
import select
import signal
import uuid
from dataclasses import dataclass
from math import inf
from pathlib import Path

import anyio
import anyio.to_thread

from ....config import descriptors
from ....config.clock import Clock
from ....config.reasons import Reason
from ...core.observer import FunctionLog, Observer
from ..base import cannot_start
from . import environment, temporary
from .core.frames import Frames
from .core.lines import LineBudget, OutputLines
from .core.platform_json import JsonLog
from .core.platform_log import Ended, Lines, PlatformLog, Status, TextLog
from .isolation import Prepared, prepared
from .output import FunctionOutput, Separator
from .process import Process
from .reaper import Reaper
from .runtime_api import OPEN, Handed, RuntimeAnswer, RuntimeApi, SessionState
from .spec import FunctionSpec, default_log_group
from .start_command import Command, LaunchRefused

PEAK_FRESH_FOR = 1.0
"""Seconds for which the peak of the memory is not asked for again."""


@dataclass(frozen=True, slots=True)
class Exited:
    """The runtime's process ended."""

    status: int
    """The exit code in the form of `Popen.returncode`: negative for a signal."""


@dataclass(frozen=True, slots=True)
class TimedOut:
    """The function's timeout passed before the runtime answered."""


@dataclass(frozen=True, slots=True)
class InitFailed:
    """The runtime ended or failed before it asked for an invocation."""

    cause: Reason
    body: bytes = b""
    """The error that the runtime itself posted."""
    entrypoint: str = ""
    """AWS's words after `Error: ` for a runtime that could not be executed."""
    ended: Exited | TimedOut | None = None
    """How it ended when it posted nothing."""

    @property
    def kind(self) -> str:
        """AWS's error type where the runtime named none; empty for a timeout, which has a status of its own."""
        if self.entrypoint:
            return "Runtime.InvalidEntrypoint"
        return "Runtime.ExitError" if isinstance(self.ended, Exited) else ""


class Worker:
    """An environment of one function. Made by the pool, used by one invocation at a time."""

    def __init__(self, spec: FunctionSpec, reaper: Reaper, observer: Observer, clock: Clock) -> None:
        self._spec = spec
        self._reaper = reaper
        self._observer = observer
        self._clock = clock
        self._api = RuntimeApi()
        self._process: Process | None = None
        self._outputs: list[FunctionOutput] = []
        self._written = select.poll()
        """Tells of all pipes at once whether there is something in them, or their end."""
        self._exited = False
        self._ending = anyio.Lock()
        self._over = False
        self._status = 0
        self._late = False
        self._until = inf
        """When the invocation must have ended, by the event loop's clock."""
        self._timer: asyncio.TimerHandle | None = None
        self._peak = 0
        self._peak_read = float("-inf")
        self._temporary: Path | None = None
        self._request_id = ""
        self.log_stream = _log_stream(spec, clock)
        self._place = (spec.version, spec.log_group, self.log_stream)
        """Where each of its lines comes from."""
        self._platform = _platform_log(spec, self.log_stream)
        self.idle_since = 0.0
        self.init_seconds: float | None = None
        """How long the init took; None once an invocation has reported it."""

    @property
    def alive(self) -> bool:
        """Whether it can take an invocation now."""
        return self.warm and self._process is not None and self._process.runs

    @property
    def warm(self) -> bool:
        """The same as `alive` by the event loop's knowledge: cheaper, and a moment behind."""
        return self._api.session.state is SessionState.WAITING and not self._exited

    @property
    def max_memory(self) -> int:
        """The most memory that the runtime's process has had, in MB, a second ago or later; 0 where the system does
        not tell."""
        now = self._clock.monotonic()
        if self._process is not None and now - self._peak_read >= PEAK_FRESH_FOR:
            self._peak, self._peak_read = _peak_megabytes(self._process.pid), now
        return self._peak

    # --- life -------------------------------------------------------------------------------------------------------

    async def start(self, command: Command, timeout: float | None) -> InitFailed | None:
        """Start the runtime and wait for its first `next`. After a failure the environment is gone."""
        started = self._clock.monotonic()
        try:
            failed = await self._spawn(command)
            failed = failed or await self._wait_init(timeout)
            await self._drain()  # so that the init's records stand before START
        except BaseException:
            await self.end()
            raise
        if failed is not None:
            await self.end()
            return failed
        self.init_seconds = self._clock.monotonic() - started
        self.idle_since = self._clock.monotonic()
        return None

    async def _spawn(self, command: Command) -> InitFailed | None:
        async with self._ending:  # another task that ends us meanwhile waits, and finds a process to kill
            if self._over:
                return InitFailed(cannot_start("it was stopped"))
            await self._api.open()
            self._temporary = await anyio.to_thread.run_sync(temporary.make, self._spec.scratch)
            try:
                ready = await anyio.to_thread.run_sync(prepared, command, self._spec, self._temporary)
            except ValueError as error:  # a path with a NUL character
                return self._not_executed(command, error)
            if isinstance(ready, LaunchRefused):
                return InitFailed(ready.reason)
            return self._execute(ready, self._temporary)

    def _execute(self, ready: Prepared, temporary: Path) -> InitFailed | None:
        command, spec = ready.command, ready.spec
        stdout, stderr, log = self._pipes()
        variables = environment.variables(
            spec,
            address=self._api.address,
            temporary=temporary,
            log_stream=self.log_stream,
            log_descriptor=log,
            runtime=command.runtime,
            more=command.variables,
            opt=ready.opt,
        )
        try:
            self._process = Process(
                command.argv,
                cwd=spec.code,
                env=variables,
                stdout=stdout,
                stderr=stderr,
                inherited=(log,),
                mark=self.log_stream,
                reaper=self._reaper,
                on_exit=self._on_exit,
            )
        except (OSError, ValueError) as error:
            if descriptors.spent(error):
                raise
            return self._not_executed(command, error)
        finally:
            for end in (stdout, stderr, log):
                os.close(end)
        return None

    def _pipes(self) -> tuple[int, int, int]:
        """The ends that the process writes to: standard output and error, and the runtime's log. One budget for all."""
        budget = LineBudget()
        stdout = self._pipe("stdout", OutputLines(budget))
        stderr = self._pipe("stderr", OutputLines(budget))
        return stdout, stderr, self._pipe("log", Frames(budget))

    def _pipe(self, stream: str, separator: Separator) -> int:
        output = FunctionOutput(_WorkerLog(self, stream), separator)
        self._outputs.append(output)
        self._written.register(output.start, select.POLLIN)
        return output.end

    def _not_executed(self, command: Command, error: OSError | ValueError) -> InitFailed:
        """In AWS's words: a missing wrapper is a shell's exit status, a bad bootstrap is a bad entrypoint. AWS has no
        words for text that no process can be given: a NUL character, or half a character."""
        if isinstance(error, ValueError):
            return InitFailed(cannot_start(f"it cannot be started ({error}): correct the handler and the variables"))
        cause = cannot_start(f"{command.argv[0]} cannot be started ({error.strerror}): correct the function")
        if command.wrapped:
            return InitFailed(cause, ended=Exited(127))
        return InitFailed(cause, entrypoint=f"fork/exec /var/task/bootstrap: {(error.strerror or '').lower()}")

    def _on_exit(self) -> None:
        self._status = self._process.status or 0 if self._process else 0
        self._exited = True
        self._wake()

    async def _wait_init(self, timeout: float | None) -> InitFailed | None:
        session = self._api.session
        with anyio.move_on_after(timeout):
            while session.state is SessionState.STARTING and not self._exited:
                await session.changed.wait()
        if session.init_error is not None:
            return InitFailed(cannot_start("its init reported an error"), session.init_error)
        if session.state is SessionState.WAITING and not self._exited:
            return None
        if self._exited:
            ended = Exited(self._status)
            text = f"its runtime ended during init ({describe_exit(self._status)})"
            return InitFailed(cannot_start(text), ended=ended)
        return InitFailed(cannot_start(f"its init took longer than {timeout:g} s"), ended=TimedOut())

    async def end(self) -> None:
        """Kill the whole process group and let go of everything. Idempotent, and not to be cancelled half-way."""
        self._over = True
        with anyio.CancelScope(shield=True):
            async with self._ending:  # an invocation and the end of the invoker may both want it
                await self._end()

    async def _end(self) -> None:
        if self._process is not None:
            await self._process.kill()
            self._process = None
        self._api.close()
        if self._timer is not None:
            self._timer.cancel()
        for output in self._outputs:
            await output.close()
        self._outputs = []
        if self._temporary is not None:
            await anyio.to_thread.run_sync(temporary.remove, self._temporary)
            self._temporary = None

    async def _drain(self) -> None:
        """Pass on the output of the process so far, even when other processes still hold its pipes."""
        for output in self._outputs:
            await output.drain()

    @property
    def _behind(self) -> bool:
        """Whether the process wrote something that is not passed on yet."""
        return bool(self._written.poll(0)) or True in [output.behind for output in self._outputs]

    # --- what the platform says of it -------------------------------------------------------------------------------

    def say_init_start(self, runtime: str) -> None:
        self._say("", self._platform.init_start(runtime, self._clock.wall()))

    def say_init_done(self) -> None:
        self._say("", self._platform.init_done(self.init_seconds or 0.0, self._clock.wall()))

    def say_init_failed(self, seconds: float, status: Status, kind: str) -> None:
        self._say("", self._platform.init_failed(seconds, status, kind, self._clock.wall()))

    def say_start(self, request_id: str) -> None:
        self._say(request_id, self._platform.start(request_id, self._clock.wall()))

    def say_end(self, ended: Ended) -> None:
        self._say(ended.request_id, self._platform.end(ended, self._clock.wall()))

    # --- one invocation ---------------------------------------------------------------------------------------------

    async def invoke(self, handed: Handed, timeout: float | None) -> RuntimeAnswer | Exited | TimedOut:
        """Hand the invocation out and wait for its end. After Exited and TimedOut, and when it is cancelled, the
        environment is gone."""
        session = self._api.session
        self._request_id = handed.request_id
        session.hand_out(handed)
        try:
            await self._wait_end(timeout)
            if self._behind:
                await self._drain()  # so that its records stand before END
        except BaseException:
            await self.end()
            raise
        self._request_id = ""
        if session.answer is not None:
            self.idle_since = self._clock.monotonic()
            return session.answer
        exited = self._exited
        status = self._status
        await self.end()
        return Exited(status) if exited else TimedOut()

    async def _wait_end(self, timeout: float | None) -> None:
        """An invocation lasts until the runtime asks for the next one, or its time is over."""
        session = self._api.session
        self._late = False
        self._until = inf if timeout is None else self._clock.monotonic() + timeout
        self._set_timer()
        try:
            while session.state in OPEN and not self._late and not self._exited:
                await session.over.wait()
        finally:
            self._until = inf

    def _set_timer(self) -> None:
        """One timer for many invocations: where it rings too early, it is set again. Most end long before."""
        if self._timer is not None and self._timer.when() > self._until:
            self._timer.cancel()
            self._timer = None
        if self._timer is None and self._until != inf:
            self._timer = asyncio.get_running_loop().call_at(self._until, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        if self._clock.monotonic() < self._until:
            self._set_timer()
        else:
            self._late = True
            self._wake()

    def _wake(self) -> None:
        """Whoever waits for the runtime looks at what became of it."""
        self._api.session.changed.ring()
        self._api.session.over.ring()

    # --- small ------------------------------------------------------------------------------------------------------

    def log(self, line: str, stream: str) -> None:
        self._observe(self._request_id, line, stream)

    def _say(self, request_id: str, lines: Lines) -> None:
        for line in lines:
            self._observe(request_id, line, "platform")

    def _observe(self, request_id: str, line: str, stream: str) -> None:
        self._observer.observe(FunctionLog(self._spec.name, request_id, line, stream, *self._place))


@dataclass(frozen=True, slots=True)
class _WorkerLog:
    worker: Worker
    stream: str

    def __call__(self, line: str) -> None:
        self.worker.log(line, self.stream)


def describe_exit(status: int) -> str:
    """The end of the process in AWS's words: `exit status 1`, `signal: killed`."""
    if status >= 0:
        return f"exit status {status}"
    return f"signal: {signal.strsignal(-status) or -status}".lower()


def _peak_megabytes(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    peak = status.partition("VmHWM:")[2].split()[:1]
    return round(int(peak[0]) / 1024) if peak else 0


def _log_stream(spec: FunctionSpec, clock: Clock) -> str:
    """In a group that several functions may share, the function's name is part of it."""
    day = datetime.datetime.fromtimestamp(clock.wall(), datetime.UTC)
    name = "" if spec.log_group == default_log_group(spec.name) else spec.name
    return f"{day:%Y/%m/%d}/{name}[{spec.version}]{uuid.uuid4().hex}"


def _platform_log(spec: FunctionSpec, log_stream: str) -> PlatformLog:
    if spec.logging.format == "Text":
        return TextLog(spec.version)
    environment = log_stream.rpartition("]")[2]
    return JsonLog(spec.name, spec.version, spec.memory_size, environment, spec.logging.system_level)
