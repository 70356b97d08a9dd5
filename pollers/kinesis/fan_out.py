"""One Kinesis shard by SubscribeToShard: enhanced fan-out, where the service pushes records without polls.

    place ──SubscribeToShard──► event, event, event …  ──► ended: the shard's children are named
      ▲                           │ each says where a new subscription would go on
      └───────────────────────────┘ 4 min 45 s are over, the stream ended, fell silent or broke

Owns the subscription, its renewal, and what is held of the open event. `service.py` makes one where a mapping names a
consumer; what is wrong with the stream as a whole is for the engine, `streams/source.py`.

Rules of the service: https://docs.aws.amazon.com/kinesis/latest/APIReference/API_SubscribeToShard.html
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import inf
from typing import Any

import anyio

from ...config.clients import faults
from ...config.clock import Clock
from ...config.errors import SourceUnavailable
from ...dispatch.core.model import Position
from ...dispatch.core.pages import NONE, Records
from ..checkpoints.store import Start
from ..streams.calls import reading, told_time, unavailable
from ..streams.service import ShardPage

RENEW_AFTER = 285.0
"""Seconds after which a subscription is replaced. The service ends it after five minutes."""
CALL_PAUSE = 1.0
"""Seconds between two calls for one shard: the service's own limit."""
IN_USE_CODE = "ResourceInUseException"
IN_USE_PAUSE = 5.0
"""Seconds for which the service refuses another subscription after the last one began."""
IN_USE_TRIES = 3
"""Refusals in a row after which another program must be using the consumer, or it is still being created."""

Make = Callable[[Sequence[Mapping[str, Any]]], Records]
"""The records, each with its position, that the service's stand for. Raises KeyError, TypeError or ValueError when one
is none."""


class SubscribedShard:
    """A `Pages`. An event that is larger than what is asked for comes as several pages."""

    def __init__(
        self,
        client: Any,
        consumer: str,
        shard: str,
        place: Start | Position,
        make: Make,
        clock: Clock,
    ) -> None:
        """`client`: aiobotocore's for Kinesis. `consumer`: its ARN."""
        self._events = _Events(client, consumer, shard, starting(place), make, clock)
        self._clock = clock
        self._read_to = place if isinstance(place, Position) else None
        self._receiving: asyncio.Task[_PushedEvent] | None = None
        self._held = NONE  # of the open event
        self._ended = False
        self._caught_up = False

    async def next(self, limit: int, until: float | None) -> ShardPage:
        told = None
        if not self._held and not self._ended:
            self._caught_up = False  # until the service says so again
            if event := await self._next_event(until):
                self._held = self._new(event.records)
                self._ended, self._caught_up, told = event.last, event.caught_up, event.told
        records, self._held = self._held[:limit], self._held[limit:]
        left = bool(self._held)
        return ShardPage(records, ended=self._ended and not left, caught_up=self._caught_up and not left, told=told)

    async def aclose(self) -> None:
        receiving, self._receiving = self._receiving, None
        try:
            if receiving is not None:
                receiving.cancel()  # including its failure, if any: no caller asks for it any more
                await asyncio.wait([receiving])
        finally:
            self._events.close()

    async def _next_event(self, until: float | None) -> _PushedEvent | None:
        """The next event; None when `until` comes first.

        Whatever cuts a read short breaks the subscription and loses what was received of an event. So a task of its own
        receives, which neither `until` nor a cancelled caller ends: it goes on for one event, which the next call
        finds. Nothing else is read ahead; what the service sends meanwhile waits in the socket.
        """
        if self._receiving is None:
            self._receiving = asyncio.create_task(self._events.receive())
        left = None if until is None else max(0.0, until - self._clock.monotonic())
        done, _ = await asyncio.wait([self._receiving], timeout=left)
        if not done:
            return None
        receiving, self._receiving = self._receiving, None
        return receiving.result()

    def _new(self, records: Records) -> Records:
        """The records that were not read before: a subscription may begin with the record at a position, or with user
        records of it that are done."""
        new = records if self._read_to is None else records.after(self._read_to)
        self._read_to = new.last or self._read_to
        return new


def starting(place: Start | Position) -> dict[str, Any]:
    """The StartingPosition for what comes after `place`; with the record at it, where that is an aggregate of which
    there may be more."""
    if isinstance(place, Position):
        return {"Type": "AT_SEQUENCE_NUMBER" if place.sub else "AFTER_SEQUENCE_NUMBER", "SequenceNumber": place.text}
    if place.at is None:
        return {"Type": "TRIM_HORIZON"}
    return {"Type": "AT_TIMESTAMP", "Timestamp": datetime.fromtimestamp(place.at, UTC)}


# --- events, over as many subscriptions as it takes -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _PushedEvent:
    """A SubscribeToShardEvent."""

    records: Records
    caught_up: bool
    last: bool
    """The shard has ended: its children are named."""
    told: float | None
    """The service's clock when it took the subscription, with its first event; None otherwise."""


class _Events:
    """The events of a shard, one after the other."""

    def __init__(
        self, client: Any, consumer: str, shard: str, starting: Mapping[str, Any], make: Make, clock: Clock
    ) -> None:
        self._client = client
        self._named = {"ConsumerARN": consumer, "ShardId": shard}
        self._what = f"SubscribeToShard on {shard} for {consumer}"
        self._starting = starting  # where a new subscription begins
        self._make = make
        self._clock = clock
        self._subscription: _Subscription | None = None
        self._call_at = -inf
        self._refusals = 0  # in a row, because the consumer is in use

    async def receive(self) -> _PushedEvent:
        """Wait for one. Raises SourceUnavailable; then it can be asked for again."""
        while True:
            try:
                subscription = self._subscription or await self._subscribe()
                event = await subscription.read()
                if event is not None:
                    return self._opened(subscription, event)
                self.close()
            except Exception as error:
                self._overcome(error)

    def close(self) -> None:
        """Close the connection: its further events are not needed."""
        subscription, self._subscription = self._subscription, None
        if subscription is not None:
            subscription.close()

    async def _subscribe(self) -> _Subscription:
        await anyio.sleep(max(0.0, self._call_at - self._clock.monotonic()))
        now = self._clock.monotonic()
        self._call_at = now + CALL_PAUSE
        reply = await self._client.subscribe_to_shard(**self._named, StartingPosition=self._starting)
        with reading(self._what):
            self._subscription = _Subscription(reply["EventStream"], now + RENEW_AFTER, self._what, told_time(reply))
        return self._subscription

    def _overcome(self, error: Exception) -> None:
        """Get ready for another subscription, or raise SourceUnavailable.

        Connections break, and one that brought something is only replaced. One that brought nothing may never do so:
        its failure is for the caller, who tries again ever more slowly and says so. Silence is no failure.
        """
        subscription = self._subscription
        self.close()
        if faults.code(error) == IN_USE_CODE:
            self._call_at = self._clock.monotonic() + IN_USE_PAUSE
            self._refusals += 1
            passing = self._refusals % IN_USE_TRIES > 0
        else:
            passing = subscription is not None and (subscription.brought or isinstance(error, TimeoutError))
        if not passing:
            raise unavailable(error, self._what) from error

    def _opened(self, subscription: _Subscription, event: Mapping[str, Any]) -> _PushedEvent:
        """The event with its records made; from now on a new subscription begins after them."""
        with reading(self._what):
            raw = event["SubscribeToShardEvent"]
            received = raw.get("Records") or []
            records = self._make(received)
            number = raw.get("ContinuationSequenceNumber") or (received[-1]["SequenceNumber"] if received else None)
        if number:
            self._starting = {"Type": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": number}
        self._refusals = 0
        told = None if subscription.brought else subscription.told
        subscription.brought = True
        return _PushedEvent(records, raw.get("MillisBehindLatest") == 0, bool(raw.get("ChildShards")), told)


class _Subscription:
    """One SubscribeToShard from its answer on."""

    def __init__(self, stream: Any, renew_at: float, what: str, told: float | None) -> None:
        self.brought = False
        """Whether there was an event."""
        self._stream = stream
        self._iterator: AsyncIterator[Mapping[str, Any]] = aiter(stream)
        self._renew_at = renew_at
        self._what = what
        self.told = told
        """The service's clock when it answered."""

    async def read(self) -> Mapping[str, Any] | None:
        """The next event; None at the end, and when it is time for another subscription. Raises what the client does.
        After both it is used up."""
        with anyio.CancelScope(deadline=self._renew_at):
            try:
                return await anext(self._iterator, None)
            except Exception as error:
                if faults.foreign(error):
                    raise
                # The client's decoder raises whatever a damaged frame makes of it.
                detail = f"{type(error).__name__}: {error}"
                raise SourceUnavailable(f"{self._what}: an event cannot be read: {detail}") from error
        return None

    def close(self) -> None:
        self._stream.close()
