"""Ships the lines of functions to CloudWatch Logs, at the configured endpoint.

    a line ──► backlog ──► a batch for each stream ──► PutLogEvents      group and stream are made on first use
                  ▲                                        │
                  └──── not reached: after a pause ◄───────┘             refused: dropped, and logged

No function waits for this: at the backlog's limit the oldest lines are dropped, and a line reports the number.
"""

from __future__ import annotations

from typing import Any, Literal

import anyio

from ...config.clients import faults
from ...config.clients.aws import Clients
from ...config.clients.endpoints import LocalEndpoint
from ...config.clock import Clock, Jitter
from ...config.errors import ConfigError, SourceError, SourceMissing, SourceUnavailable
from ...config.reasons import Reason, ReasonCode
from ...dispatch.core.backoff import Backoff
from ...dispatch.core.observer import Event, FunctionLog, LogsDropped, LogsUnshipped, Observer
from .core.log_backlog import Backlog, LogBatch, LogPlace

Mode = Literal["auto", "on", "off"]

LIMIT = 16 * 1024 * 1024
"""Maximum bytes of waiting lines."""
LINGER = 0.2
"""Seconds for which lines are gathered before they are sent."""
BACKOFF = Backoff(base=0.5, cap=30.0)
KNOWN = 10_000
"""Maximum number of remembered streams."""
TOO_FAST = Reason(ReasonCode.UNAVAILABLE, "they came faster than they could be sent")
STOPPED = Reason(ReasonCode.STOPPING, "Headrace was stopped before they could be sent")
THERE = frozenset({"ResourceAlreadyExistsException"})


class LogShipping:
    """The observer and the sender. `run` it once, `stop` it once. `observer` gets the failures."""

    def __init__(
        self, mode: Mode, clients: Clients, observer: Observer, clock: Clock, jitter: Jitter, *, limit: int = LIMIT
    ) -> None:
        self._mode = mode
        self._clients = clients
        self._observer = observer
        self._clock = clock
        self._jitter = jitter
        self._on = mode != "off"
        self._backlog = Backlog(limit)
        self._known: set[LogPlace | str] = set()
        self._arrived = anyio.Event()
        self._scope = anyio.CancelScope()
        self._busy = False
        self._over = False
        self._idle = anyio.Event()
        self._stopping = anyio.Event()

    @property
    def shipping(self) -> bool:
        """Whether lines go to CloudWatch Logs, as far as known."""
        return self._on

    def observe(self, event: Event) -> None:
        if self._on and isinstance(event, FunctionLog) and event.log_stream:
            self._backlog.add(LogPlace(event.log_group, event.log_stream), int(self._clock.wall() * 1000), event.line)
            self._arrived.set()

    async def run(self) -> None:
        """Send lines, until stopped."""
        self._busy = False
        with anyio.CancelScope() as self._scope:
            if self._over:
                return
            client = await self._client() if self._on else None
            if client is None:
                self._off()
                await anyio.sleep_forever()
            while True:
                await self._arrived.wait()
                self._arrived = anyio.Event()
                self._busy = True
                with anyio.move_on_after(LINGER):
                    await self._stopping.wait()
                await self._ship(client)
                self._busy = False
                self._idle.set()

    async def stop(self, until: float) -> None:
        """Send the remaining lines until then (monotonic); then drop the rest and log that."""
        self._stopping.set()
        try:
            with anyio.CancelScope(deadline=until):
                while self._on and (self._busy or self._backlog):
                    self._idle = anyio.Event()
                    await self._idle.wait()
        finally:
            self._over = True
            self._scope.cancel()
            self._backlog.give_up()
            self._say_dropped(STOPPED)

    # --- whether there is anybody to send to ------------------------------------------------------------------------

    async def _client(self) -> Any:
        """The client; None when lines are not sent: with `auto`, unless an emulator answers."""
        try:
            if self._mode == "auto" and not isinstance(await self._clients.target("logs"), LocalEndpoint):
                return None
            client = await self._clients.get("logs")
        except ConfigError as error:
            if self._mode == "on":
                self._observer.observe(LogsDropped("", 0, error.reason))
            return None
        return client if self._mode == "on" or await self._answers(client) else None

    async def _answers(self, client: Any) -> bool:
        failures = 0
        while True:
            try:
                with faults.translating("look for log groups"):
                    await client.describe_log_groups(limit=1)
                return True
            except SourceUnavailable:  # the emulator may be starting
                failures += 1
                await anyio.sleep(BACKOFF.delay(failures, self._jitter()))
            except SourceError:
                return False

    def _off(self) -> None:
        self._on = False
        self._backlog.give_up()
        self._backlog.dropped()  # with `auto`, lines may be dropped without a report

    # --- sending ----------------------------------------------------------------------------------------------------

    async def _ship(self, client: Any) -> None:
        failures = 0
        while batch := self._backlog.take():
            self._say_dropped(TOO_FAST)
            try:
                await self._send(client, batch)
                failures = 0
            except SourceUnavailable as error:
                failures += 1
                await self._later(batch, error.reason, BACKOFF.delay(failures, self._jitter()))
            except SourceError as error:
                self._backlog.done(batch)
                self._observer.observe(LogsDropped(batch.place.group, len(batch.lines), error.reason))
            except BaseException:
                self._backlog.put_back(batch)
                raise
            else:
                self._backlog.done(batch)

    async def _later(self, batch: LogBatch, cause: Reason, delay: float) -> None:
        self._backlog.put_back(batch)
        self._observer.observe(LogsUnshipped(batch.place.group, cause, delay))
        await anyio.sleep(delay)

    async def _send(self, client: Any, batch: LogBatch) -> None:
        """Creates a group or a stream again, once, when it was deleted in the meantime."""
        try:
            await self._put(client, batch)
        except SourceMissing:
            self._known -= {batch.place, batch.place.group}
            await self._put(client, batch)

    async def _put(self, client: Any, batch: LogBatch) -> None:
        group, stream = batch.place
        await self._made(client.create_log_group, group, logGroupName=group)
        await self._made(client.create_log_stream, batch.place, logGroupName=group, logStreamName=stream)
        events = [{"timestamp": line.at, "message": line.text} for line in batch.lines]
        with faults.translating(f"put lines into the log group {group}"):
            answer = await client.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)
        if rejected := answer.get("rejectedLogEventsInfo"):
            cause = Reason(ReasonCode.REFUSED, f"some were rejected: {rejected}")
            self._observer.observe(LogsDropped(group, 0, cause))

    async def _made(self, create: Any, name: LogPlace | str, **parameters: str) -> None:
        if name in self._known:
            return
        try:
            with faults.translating(f"make {' '.join(parameters.values())}"):
                await create(**parameters)
        except SourceError as error:
            if error.__cause__ is None or faults.code(error.__cause__) not in THERE:
                raise
        if len(self._known) >= KNOWN:
            self._known.clear()
        self._known.add(name)

    # --- what is said -----------------------------------------------------------------------------------------------

    def _say_dropped(self, cause: Reason) -> None:
        for group, lines in self._backlog.dropped().items():
            self._observer.observe(LogsDropped(group, lines, cause))
