"""Reports the end of an event to its destination and its dead-letter queue. A failing destination is tried a few
times, then the failure is logged: the event is over nevertheless.
"""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from typing import assert_never

from ...config.clients.aws import Clients
from ...config.clients.retry import retrying
from ...config.clock import Clock, Jitter
from ...config.durable.faults import StoreUnavailable
from ...config.errors import ConfigError, SourceError, SourceMissing, SourceRefused
from ...config.fields.arn import Arn, ArnError
from ...config.reasons import Reason, ReasonCode
from ...dispatch.core.observer import Observer, RecordUndelivered
from ...dispatch.destinations.channels import (
    BucketChannel,
    BusChannel,
    Channel,
    QueueChannel,
    Role,
    TopicChannel,
    make_channel,
)
from ...dispatch.invokers.tracing import new_trace
from ..control.catalogue import AsynchronousSettings
from ..control.names import Home, resolve
from ..control.refusals import ApiError
from ..running.invocations import Invocations
from .core import records
from .core.model import Condition, HeldEvent, Over
from .protocols import Accepts

ATTEMPTS = 5
"""Attempts for one destination; the pauses between them take up to 6 s in addition to the attempts."""
CIRCLE = 16
"""Maximum length of a chain of functions as destinations; AWS also stops longer chains as probable circles."""
DESTINATION = Role("destination", "the event-invoke configuration")
DEAD_LETTERS = Role("dead-letter queue", "DeadLetterConfig")
SERVICES = ("sqs", "sns", "s3", "events")

Send = Callable[[], Awaitable[None]]
"""Sends a report, once."""


class Endings:
    """`queue` accepts events for functions that are destinations."""

    def __init__(
        self,
        clients: Clients,
        invocations: Invocations,
        queue: Accepts,
        here: Home,
        observer: Observer,
        clock: Clock,
        jitter: Jitter,
        *,
        fresh_id: Callable[[], str] = lambda: str(uuid.uuid4()),
    ) -> None:
        self._clients = clients
        self._invocations = invocations
        self._queue = queue
        self._here = here
        self._observer = observer
        self._clock = clock
        self._jitter = jitter
        self._fresh_id = fresh_id

    async def tell(self, held: HeldEvent, over: Over, settings: AsynchronousSettings, dead_letter: str) -> None:
        """Return when each report was sent, or has failed for good."""
        if over.condition is Condition.SUCCESS:
            await self._report(held, settings.on_success, lambda: self._record(held, over, settings.on_success))
            return
        await self._report(held, settings.on_failure, lambda: self._record(held, over, settings.on_failure))
        await self._report(held, dead_letter, lambda: self._dead_letter(held, over, dead_letter))

    async def _report(self, held: HeldEvent, arn: str, sending: Callable[[], Awaitable[Send]]) -> None:
        if not arn:
            return
        try:
            send = await sending()
            async for attempt in retrying(ATTEMPTS, self._jitter):
                with attempt:
                    await send()
        except (SourceError, ConfigError, ArnError) as error:
            cause = Reason(ReasonCode.MISCONFIGURED, str(error)) if isinstance(error, ArnError) else error.reason
            self._observer.observe(RecordUndelivered(held.event.function, held.event.request_id, arn, cause))

    # --- what is sent -----------------------------------------------------------------------------------------------

    async def _record(self, held: HeldEvent, over: Over, target: str) -> Send:
        """Made once, so that a second attempt sends the same bytes."""
        event, now = held.event, self._clock.wall()
        arn = self._here.arn(event.function)
        record = records.record(held, over, arn, now)
        if target.split(":")[2:3] == ["lambda"]:
            return lambda: self._invoke(held, target, record)
        channel = await self._channel(target, DESTINATION)
        match channel:
            case QueueChannel():
                trace = new_trace()
                return lambda: channel.send(record.decode(), trace=trace)
            case TopicChannel():
                return lambda: channel.send(record.decode())
            case BucketChannel():
                key = records.s3_key(event.function, now, self._fresh_id())
                return lambda: channel.put(key, record)
            case BusChannel():
                heading = records.bus_heading(over.condition, arn, event)
                return lambda: channel.send(record.decode(), heading)
            case _:
                assert_never(channel)

    async def _dead_letter(self, held: HeldEvent, over: Over, target: str) -> Send:
        channel = await self._channel(target, DEAD_LETTERS)
        if not isinstance(channel, QueueChannel | TopicChannel):
            raise SourceRefused(
                f"dead-letter queue: {target} is neither a queue nor a topic; name one in DeadLetterConfig"
            )
        attributes = records.dead_letter_attributes(held.event, over)
        return lambda: channel.send(held.payload.decode(), attributes)

    async def _channel(self, target: str, role: Role) -> Channel:
        arn = Arn.parse(target)
        if arn.service not in SERVICES:
            raise SourceRefused(f"{role.what}: {target} is of the service {arn.service!r}; correct {role.named_in}")
        return await make_channel(arn, self._clients, role)

    async def _invoke(self, held: HeldEvent, target: str, record: bytes) -> None:
        """A destination function is invoked asynchronously too, and its own configuration applies to that event."""
        hops = held.event.hops + 1
        try:
            named = resolve(target, self._here)
        except ApiError as error:
            raise SourceMissing(f"destination: {error.message or error.code}") from error
        if self._invocations.find(named.name, named.qualifier) is None:
            raise SourceMissing(f"destination: there is no function {target}; create it")
        if hops > CIRCLE:
            raise SourceRefused(f"destination: {CIRCLE} functions followed one another as destinations: a circle")
        try:
            await self._queue.accept(named.name, named.qualifier, self._fresh_id(), record, hops)
        except StoreUnavailable as error:
            raise StoreUnavailable.because(error.reason.of("destination")) from error
