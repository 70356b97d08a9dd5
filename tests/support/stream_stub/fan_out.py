"""SubscribeToShard: records are pushed as events over one answer that lasts five minutes."""

from __future__ import annotations

import orjson
from aiohttp import web

from . import frames
from .kinesis import behind, shard_of, starting
from .kinesis_model import KinesisStream, child_body
from .limits import MIB
from .model import ACCOUNT, Body, Refused, Shard, page_of
from .stub import Stub, Subscription

MOST_RECORDS, MOST_BYTES = 10_000, MIB


class Push:
    """One subscription: the shard, how far it is pushed, and the open answer."""

    def __init__(self, stub: Stub, stream: KinesisStream, body: Body) -> None:
        """Raises Refused. Takes over an earlier subscription of the same consumer to the same shard."""
        self._stub = stub
        self._stream = stream
        self._shard = shard_of(stream, body["ShardId"])
        where = body["StartingPosition"]
        assert isinstance(where, dict)
        numbers = where.get("SequenceNumber"), where.get("Timestamp")
        self._position = starting(stub, stream, self._shard, str(where["Type"]), *numbers)
        self._subscription = _subscribe(stub, stream, self._shard, str(body["ConsumerARN"]))
        self._heard = 0.0
        """When the last event was sent."""

    async def run(self, response: web.StreamResponse) -> bool:
        """Push until the subscription ends. False: the connection is to be cut."""
        await response.write(frames.event("initial-response", b"{}"))
        while not self._over():
            if self._stream.faults.event_errors and not self._silent():
                kind = self._stream.faults.event_errors.pop(0)
                await response.write(frames.exception(kind, orjson.dumps({"message": "at your request"})))
                return True
            if not self._due():
                await self._stub.clock.wait(min(self._next_heartbeat(), self._end()))
            elif not await self._send(response, self._event()):
                return False
            elif self._shard.ends_at(self._position):
                return True
        return True

    def _over(self) -> bool:
        return self._subscription.over or self._stub.clock.now() >= self._end()

    def _end(self) -> float:
        return self._subscription.began + self._stub.subscription_seconds

    def _next_heartbeat(self) -> float:
        return self._end() if self._silent() else self._heard + self._stub.heartbeat_seconds

    def _silent(self) -> bool:
        return self._stream.faults.silent and self._stream.faults.hit("SubscribeToShard", self._shard.id)

    def _due(self) -> bool:
        """Whether an event is to be sent now: records, the end, or that there is nothing."""
        if self._silent():
            return False
        there = self._shard.index_of(self._position) < len(self._shard.records)
        return there or self._shard.end is not None or self._stub.clock.now() >= self._next_heartbeat()

    def _event(self) -> bytes:
        now, shard = self._stub.clock.now(), self._shard
        records = page_of(shard.records, shard.index_of(self._position), MOST_RECORDS, MOST_BYTES)
        if records:
            self._position = records[-1].sequence + 1
        self._heard = now
        body: Body = {
            "Records": [orjson.Fragment(record.wire) for record in records],
            "MillisBehindLatest": behind(shard, self._position, now),
            **self._continuation(),
        }
        return frames.event("SubscribeToShardEvent", orjson.dumps(body))

    def _continuation(self) -> Body:
        if self._shard.ends_at(self._position):
            return {"ChildShards": [child_body(child) for child in self._stream.children(self._shard.id)]}
        return {"ContinuationSequenceNumber": str(self._shard.before(self._position))}

    async def _send(self, response: web.StreamResponse, event: bytes) -> bool:
        faults = self._stream.faults
        if faults.cut_frames:
            faults.cut_frames -= 1
            await response.write(event[: len(event) // 2])
            return False
        if faults.corrupt_frames:
            faults.corrupt_frames -= 1
            event = frames.corrupted(event)
        await response.write(event)
        return True


def _subscribe(stub: Stub, stream: KinesisStream, shard: Shard, arn: str) -> Subscription:
    consumer = next((each for each in stream.consumers.values() if each.arn == arn), None)
    if consumer is None:
        raise Refused("ResourceNotFoundException", f"Consumer {arn} under account {ACCOUNT} not found.")
    if consumer.status != "ACTIVE":
        raise Refused("ResourceInUseException", f"Consumer {arn} is {consumer.status}.")
    now, former = stub.clock.now(), stub.subscriptions.get((arn, shard.id))
    if former is not None and now - former.began < stub.resubscribe_seconds:
        message = f"Another active subscription exists for this consumer: {ACCOUNT}:{stream.name}:{consumer.name}"
        raise Refused("ResourceInUseException", message)
    if former is not None:
        former.over = True
        stub.clock.ring()
    stub.subscriptions[arn, shard.id] = subscription = Subscription(stream, now)
    return subscription
