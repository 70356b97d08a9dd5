"""Tables with a stream: what a test does with them, and what a change and a shard are on the wire."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime

import orjson

from .clock import StubClock
from .model import ACCOUNT, REGION, Body, Numbers, Shard, Stream, StubRecord, hash_of

Item = Mapping[str, Mapping[str, object]]

TTL = {"PrincipalId": "dynamodb.amazonaws.com", "Type": "Service"}


class TableStream(Stream):
    """The stream of a table, and the table itself."""

    base = 10**20
    step = 10**6

    def __init__(
        self,
        name: str,
        created: float,
        clock: StubClock,
        numbers: Numbers,
        shards: int,
        view: str,
        key: tuple[str, ...],
    ) -> None:
        self.label = datetime.fromtimestamp(created, UTC).strftime("%Y-%m-%dT%H:%M:%S.000")
        self.table_arn = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{name}"
        super().__init__(name, f"{self.table_arn}/stream/{self.label}", created, clock, numbers, shards)
        self.status = "ENABLED"
        self.view = view
        self.key = key
        self.items: dict[str, Item] = {}

    def put(self, item: Item) -> StubRecord:
        """An INSERT or a MODIFY. Raises ValueError when the item stands there already: nothing changes, no record."""
        keys = self._keys(item)
        old = self.items.get(keys)
        if old == item:
            raise ValueError("nothing changes")
        self.items[keys] = item
        return self._change("INSERT" if old is None else "MODIFY", keys, item, old)

    def remove(self, key: Item, *, ttl: bool = False) -> StubRecord:
        """A REMOVE, by the table's own time to live if `ttl`. Raises KeyError when there is no such item."""
        keys = self._keys(key)
        return self._change("REMOVE", keys, None, self.items.pop(keys), ttl=ttl)

    def has(self, key: Item) -> bool:
        return self._keys(key) in self.items

    def rotate(self, shard: str | None = None) -> str:
        """Close a shard for a child of the same keys, as happens every four hours."""
        parent = self._close(shard or self.open_shards[0])
        return self._open((parent.id,), parent.low, parent.high).id

    def disable(self) -> None:
        """All shards are closed; what they have can be read."""
        self.status = "DISABLED"
        for shard in self.open_shards:
            self._close(shard)

    def _keys(self, item: Item) -> str:
        return orjson.dumps({name: item[name] for name in self.key}).decode()

    def _change(self, name: str, keys: str, new: Item | None, old: Item | None, *, ttl: bool = False) -> StubRecord:
        shard = self.shard_of(hash_of(keys))
        sequence, arrived = self._number(shard.index), self._arrival()
        images: dict[str, Item] = {"Keys": orjson.loads(keys)}
        if new is not None and self.view in ("NEW_IMAGE", "NEW_AND_OLD_IMAGES"):
            images["NewImage"] = new
        if old is not None and self.view in ("OLD_IMAGE", "NEW_AND_OLD_IMAGES"):
            images["OldImage"] = old
        body: Body = {
            "eventID": uuid.uuid4().hex,
            "eventName": name,
            "eventVersion": "1.1",
            "eventSource": "aws:dynamodb",
            "awsRegion": REGION,
            "dynamodb": {
                "ApproximateCreationDateTime": int(arrived),
                **images,
                "SequenceNumber": str(sequence),
                "SizeBytes": sum(map(_size, images.values())),
                "StreamViewType": self.view,
            },
            **({"userIdentity": TTL} if ttl else {}),
        }
        data = orjson.dumps(images)
        return self._append(shard, StubRecord(shard.id, sequence, keys, data, arrived, orjson.dumps(body)))

    def _name(self, number: int, opened: float) -> str:
        return f"shardId-{int(opened * 1000):016d}{number:04d}-{uuid.uuid4().hex[:8]}"


def _size(image: Item) -> int:
    """Roughly as DynamoDB counts: names and values, without the marks of their types."""
    return sum(len(name.encode()) + _size_of(typed) for name, typed in image.items())


def _size_of(typed: Mapping[str, object]) -> int:
    ((kind, value),) = typed.items()
    if kind == "M":
        assert isinstance(value, Mapping)
        return _size(value)
    if isinstance(value, list):
        return sum(_size_of(each) if kind == "L" else len(str(each)) for each in value)
    return len(str(value).encode())


def shard_body(shard: Shard) -> Body:
    ending = {} if shard.end is None else {"EndingSequenceNumber": str(shard.end)}
    return {
        "ShardId": shard.id,
        **({"ParentShardId": shard.parents[0]} if shard.parents else {}),
        "SequenceNumberRange": {"StartingSequenceNumber": str(shard.start), **ending},
    }


def table_body(stream: TableStream) -> Body:
    return {
        "TableName": stream.name,
        "TableArn": stream.table_arn,
        "TableStatus": "ACTIVE",
        "CreationDateTime": stream.created,
        "KeySchema": key_schema(stream),
        "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"} for name in stream.key],
        "ItemCount": len(stream.items),
        "LatestStreamArn": stream.arn,
        "LatestStreamLabel": stream.label,
        **(
            {"StreamSpecification": {"StreamEnabled": True, "StreamViewType": stream.view}}
            if stream.status == "ENABLED"
            else {}
        ),
    }


def key_schema(stream: TableStream) -> list[Body]:
    return [{"AttributeName": name, "KeyType": kind} for name, kind in zip(stream.key, ("HASH", "RANGE"), strict=False)]
