"""Kinesis streams: what a test does with them, and what a record, a shard and a consumer are on the wire."""

from __future__ import annotations

import base64
from dataclasses import dataclass

import orjson

from .clock import StubClock
from .model import ACCOUNT, HASHES, REGION, Body, Numbers, Shard, Stream, StubRecord, hash_of


@dataclass(slots=True)
class Consumer:
    name: str
    arn: str
    created: float
    status: str = "ACTIVE"


class KinesisStream(Stream):
    base = 496 * 10**53
    step = 10**40

    def __init__(self, name: str, created: float, clock: StubClock, numbers: Numbers, shards: int) -> None:
        arn = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/{name}"
        super().__init__(name, arn, created, clock, numbers, shards)
        self.consumers: dict[str, Consumer] = {}

    def put(self, key: str, data: bytes, shard: str | None = None) -> StubRecord:
        """To the shard of the key's hash, unless one is named."""
        return self.put_hashed(hash_of(key), key, data) if shard is None else self._put(self.shards[shard], key, data)

    def put_hashed(self, hashed: int, key: str, data: bytes) -> StubRecord:
        return self._put(self.shard_of(hashed), key, data)

    def merge(self, one: str, other: str) -> str:
        """Close two shards, which are neighbours, for one child."""
        low, high = sorted((self.shards[one], self.shards[other]), key=lambda shard: shard.low)
        if low.high + 1 != high.low:
            raise ValueError(f"{one} and {other} are no neighbours")
        self._close(one)
        self._close(other)
        return self._open((one, other), low.low, high.high).id

    def consumer(self, name: str) -> Consumer:
        """Registered, and active at once."""
        created = int(self._clock.now())
        self.consumers[name] = Consumer(name, f"{self.arn}/consumer/{name}:{created}", created)
        return self.consumers[name]

    def _put(self, shard: Shard, key: str, data: bytes) -> StubRecord:
        sequence, arrived = self._number(shard.index), self._arrival()
        body = {
            "SequenceNumber": str(sequence),
            "ApproximateArrivalTimestamp": arrived,
            "Data": base64.b64encode(data).decode(),
            "PartitionKey": key,
        }
        return self._append(shard, StubRecord(shard.id, sequence, key, data, arrived, orjson.dumps(body)))

    def _name(self, number: int, opened: float) -> str:
        return f"shardId-{number:012d}"


def shard_body(shard: Shard) -> Body:
    names = ("ParentShardId", "AdjacentParentShardId")
    ending = {} if shard.end is None else {"EndingSequenceNumber": str(shard.end)}
    return {
        "ShardId": shard.id,
        **dict(zip(names, shard.parents, strict=False)),
        "HashKeyRange": _hashes(shard),
        "SequenceNumberRange": {"StartingSequenceNumber": str(shard.start), **ending},
    }


def child_body(shard: Shard) -> Body:
    return {"ShardId": shard.id, "ParentShards": list(shard.parents), "HashKeyRange": _hashes(shard)}


def _hashes(shard: Shard) -> Body:
    assert 0 <= shard.low <= shard.high < HASHES
    return {"StartingHashKey": str(shard.low), "EndingHashKey": str(shard.high)}


def consumer_body(consumer: Consumer) -> Body:
    return {
        "ConsumerName": consumer.name,
        "ConsumerARN": consumer.arn,
        "ConsumerStatus": consumer.status,
        "ConsumerCreationTimestamp": consumer.created,
    }
