"""A source in a process of its own that costs next to nothing: SQS, Kinesis and Lambda's Invoke, in their JSON
protocols.

An asyncio protocol over httptools; messages and records are rendered before a run, and a reply only joins them. So it
is several times faster than what it feeds; the benchmarks show how busy it was. Each message is handed out once, each
shard from wherever a reader begins. Nothing is handed out before a gate is opened, so that readers may be ready and
warm; the clock of a run begins with the first reply that holds records.

    POST /_queue?name=Q&count=N      a queue with so many messages, its gate closed
    POST /_stream?name=S&count=N&shards=K   a stream with N records in all
    POST /_open?name=X               opens the gate
    POST /_send?name=Q               one message that says when it was taken; seen at once
    GET  /_state?name=X              what happened, as JSON
    GET  /_calls                     how many calls there were, by operation
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httptools
import orjson

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from measuring.payloads import bodies

ACCOUNT = "000000000000"
ENOUGH = 0.95
"""The share of a queue's messages whose deletion ends a run: a client that loses a reply gets those messages again when
their visibility timeout passes, and nothing comes twice here."""
PAGE_BYTES = 10 * 1024 * 1024
"""Of one reply of GetRecords, as on AWS."""
Body = dict[str, Any]
HEAD = (
    b"HTTP/1.1 %d -\r\nContent-Type: application/x-amz-json-1.0\r\nx-amzn-RequestId: r\r\n%bContent-Length: %d\r\n\r\n"
)
FIRST = 49_600_000_000_000_000_000_000_000_000_000_000_000_000_000_000_000_000_000
"""The first sequence number of a shard."""


def message(queue: str, index: int, body: str) -> bytes:
    digest = hashlib.md5(body.encode()).hexdigest()
    sent = str(int(time.time() * 1000))
    return orjson.dumps(
        {
            "MessageId": f"{index:08x}-0000-4000-8000-000000000000",
            "ReceiptHandle": f"{queue}/{index}",
            "MD5OfBody": digest,
            "Body": body,
            "Attributes": {
                "ApproximateReceiveCount": "1",
                "SentTimestamp": sent,
                "SenderId": "AIDAEXAMPLE",
                "ApproximateFirstReceiveTimestamp": sent,
            },
        }
    )


class Marks:
    """When the first and the last of something happened."""

    def __init__(self) -> None:
        self.first = 0.0
        self.last = 0.0

    def now(self) -> None:
        self.last = time.monotonic()
        self.first = self.first or self.last


class Queue:
    def __init__(self, name: str, count: int) -> None:
        self.name = name
        self.open = False
        self.ready: deque[bytes] = deque(message(name, at, body) for at, body in enumerate(bodies(count)))
        self.sent = count
        self.gone: set[str] = set()
        self.received = Marks()
        self.enough = 0.0
        """When so many were deleted that the clock of a run ends."""
        self.waiting: deque[tuple[Exchange, int, asyncio.TimerHandle]] = deque()

    def take(self, limit: int) -> bytes | None:
        if not self.open or not self.ready:
            return None
        self.received.now()
        taken = [self.ready.popleft() for _ in range(min(limit, len(self.ready)))]
        return b'{"Messages":[' + b",".join(taken) + b"]}"

    def serve(self) -> None:
        """Answer those that wait, as far as there is something."""
        while self.waiting and self.open and self.ready:
            exchange, limit, timer = self.waiting.popleft()
            timer.cancel()
            if not exchange.gone and (reply := self.take(limit)):
                exchange.answer(reply)

    def delete(self, handles: Iterable[str]) -> None:
        self.gone.update(handles)
        if not self.enough and len(self.gone) >= self.sent * ENOUGH:
            self.enough = time.monotonic()

    def state(self) -> Body:
        return {
            "first": self.received.first,
            "enough": self.enough,
            "left": len(self.ready),
            "deleted": len(self.gone),
            "waiting": sum(not exchange.gone for exchange, _, _ in self.waiting),
        }


class Stream:
    def __init__(self, name: str, count: int, shards: int) -> None:
        self.name = name
        self.open = False
        self.read = Marks()
        self.shards: dict[str, list[bytes]] = {f"shardId-{at:012d}": [] for at in range(shards)}
        places = list(self.shards.values())
        now = time.time()
        for at, body in enumerate(bodies(count)):
            shard = places[at % shards]
            record = {
                "SequenceNumber": str(FIRST + len(shard)),
                "ApproximateArrivalTimestamp": round(now, 3),
                "Data": base64.b64encode(body.encode()).decode(),
                "PartitionKey": f"p{at % 997}",
            }
            shard.append(orjson.dumps(record))

    def page(self, shard: str, place: int, limit: int) -> bytes:
        records = self.shards[shard]
        most = PAGE_BYTES // len(records[0]) if records else limit
        found = records[place : place + min(limit, most)] if self.open else []
        if found:
            self.read.now()
        after = place + len(found)
        behind = 0 if after >= len(records) or not self.open else 1000
        end = f'],"NextShardIterator":"{self.name}/{shard}/{after}","MillisBehindLatest":{behind}}}'
        return b'{"Records":[' + b",".join(found) + end.encode()

    def state(self) -> Body:
        return {"first": self.read.first, "last": self.read.last}


class World:
    """All queues and streams, by name."""

    def __init__(self) -> None:
        self.queues: dict[str, Queue] = {}
        self.streams: dict[str, Stream] = {}
        self.calls: Counter[str] = Counter()
        self.url = ""

    def named(self, name: str) -> Queue | Stream:
        return self.queues.get(name) or self.streams[name]


class Exchange(asyncio.Protocol):
    """One connection. A client sends one request at a time."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self.gone = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone = True

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_begin(self) -> None:
        self._target = b""
        self._url = b""
        self._parts: list[bytes] = []

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if len(name) == 12 and name.lower() == b"x-amz-target":
            self._target = value

    def on_body(self, body: bytes) -> None:
        self._parts.append(body)

    def on_message_complete(self) -> None:
        body = b"".join(self._parts)
        try:
            if self._target:
                self._operation(self._target.rpartition(b".")[2].decode(), orjson.loads(body))
            elif self._url.endswith(b"/invocations"):
                self.answer(b"null", b"X-Amz-Executed-Version: $LATEST\r\n")
            else:
                self._control()
        except KeyError as missing:
            self.refuse("ResourceNotFoundException", f"there is no {missing}")

    def _operation(self, name: str, body: Body) -> None:
        self._world.calls[name] += 1
        operation = OPERATIONS.get(name)
        if operation is None:
            self.refuse("UnknownOperationException", name)
        elif (reply := operation(self._world, body, self)) is not None:
            self.answer(reply)

    def _control(self) -> None:
        parts = urlsplit(self._url.decode())
        asked = dict(parse_qsl(parts.query))
        world, name = self._world, asked.get("name", "")
        match parts.path:
            case "/_queue":
                world.queues[name] = Queue(name, int(asked["count"]))
            case "/_stream":
                world.streams[name] = Stream(name, int(asked["count"]), int(asked["shards"]))
            case "/_open":
                source = world.named(name)
                source.open = True
                if isinstance(source, Queue):
                    source.serve()
            case "/_send":
                queue = world.queues[name]
                queue.sent += 1
                queue.ready.append(message(name, queue.sent, f'{{"sent": {time.monotonic()}}}'))
                queue.serve()
            case "/_state":
                self.answer(orjson.dumps(world.named(name).state()))
                return
            case "/_calls":
                self.answer(orjson.dumps(world.calls))
                return
            case _:
                self.refuse("NotFound", parts.path, 404)
                return
        self.answer(b"{}")

    def refuse(self, code: str, text: str, status: int = 400) -> None:
        self._write(status, orjson.dumps({"__type": code, "message": text}), b"")

    def answer(self, body: bytes, headers: bytes = b"") -> None:
        self._write(200, body, headers)

    def _write(self, status: int, body: bytes, headers: bytes) -> None:
        assert self._transport is not None
        self._transport.write(HEAD % (status, headers, len(body)) + body)


# --- SQS ------------------------------------------------------------------------------------------------------------


def _queue(world: World, body: Body) -> Queue:
    return world.queues[str(body.get("QueueName") or body["QueueUrl"]).rpartition("/")[2]]


def _url(world: World, body: Body, exchange: Exchange) -> bytes:
    return orjson.dumps({"QueueUrl": f"{world.url}/{ACCOUNT}/{_queue(world, body).name}"})


def _attributes(world: World, body: Body, exchange: Exchange) -> bytes:
    left = len(_queue(world, body).ready)
    known = {
        "VisibilityTimeout": "300",
        "ApproximateNumberOfMessages": str(left),
        "ApproximateNumberOfMessagesNotVisible": "0",
        "ApproximateNumberOfMessagesDelayed": "0",
    }
    wanted = body.get("AttributeNames", ["All"])
    return orjson.dumps({"Attributes": known if "All" in wanted else {n: v for n, v in known.items() if n in wanted}})


def _receive(world: World, body: Body, exchange: Exchange) -> bytes | None:
    queue, limit = _queue(world, body), int(body.get("MaxNumberOfMessages", 1))
    reply = queue.take(limit)
    wait = float(body.get("WaitTimeSeconds", 0))
    if reply is not None or not wait:
        return reply or b"{}"
    held: tuple[Exchange, int, asyncio.TimerHandle]

    def give_up() -> None:
        queue.waiting.remove(held)
        if not exchange.gone:
            exchange.answer(b"{}")

    held = (exchange, limit, asyncio.get_running_loop().call_later(wait, give_up))
    queue.waiting.append(held)
    return None


def _delete(world: World, body: Body, exchange: Exchange) -> bytes:
    queue = _queue(world, body)
    queue.delete(entry["ReceiptHandle"] for entry in body["Entries"])
    return orjson.dumps({"Successful": [{"Id": entry["Id"]} for entry in body["Entries"]], "Failed": []})


def _delete_one(world: World, body: Body, exchange: Exchange) -> bytes:
    _queue(world, body).delete([body["ReceiptHandle"]])
    return b"{}"


def _seen(world: World, body: Body, exchange: Exchange) -> bytes:
    """A visibility is changed: nothing ever comes again here."""
    return orjson.dumps({"Successful": [{"Id": entry["Id"]} for entry in body.get("Entries", [])], "Failed": []})


# --- Kinesis ----------------------------------------------------------------------------------------------------------


def _stream(world: World, body: Body) -> Stream:
    return world.streams[str(body.get("StreamName") or body["StreamARN"].rpartition("/")[2])]


def _shards(stream: Stream) -> list[Body]:
    hashes = {"StartingHashKey": "0", "EndingHashKey": str(2**128 - 1)}
    numbers = {"StartingSequenceNumber": str(FIRST - 1)}
    return [{"ShardId": name, "HashKeyRange": hashes, "SequenceNumberRange": numbers} for name in stream.shards]


def _summary(world: World, body: Body, exchange: Exchange) -> bytes:
    stream = _stream(world, body)
    about = {
        "StreamName": stream.name,
        "StreamARN": f"arn:aws:kinesis:us-east-1:{ACCOUNT}:stream/{stream.name}",
        "StreamStatus": "ACTIVE",
        "StreamCreationTimestamp": 1_700_000_000.0,
        "RetentionPeriodHours": 24,
        "EnhancedMonitoring": [],
        "OpenShardCount": len(stream.shards),
    }
    return orjson.dumps({"StreamDescriptionSummary": about})


def _list(world: World, body: Body, exchange: Exchange) -> bytes:
    return orjson.dumps({"Shards": _shards(_stream(world, body))})


def _iterator(world: World, body: Body, exchange: Exchange) -> bytes:
    place = 0
    if "StartingSequenceNumber" in body:
        place = int(body["StartingSequenceNumber"]) - FIRST
        place += body["ShardIteratorType"] == "AFTER_SEQUENCE_NUMBER"
    return orjson.dumps({"ShardIterator": f"{_stream(world, body).name}/{body['ShardId']}/{place}"})


def _get(world: World, body: Body, exchange: Exchange) -> bytes:
    name, shard, place = str(body["ShardIterator"]).split("/")
    return world.streams[name].page(shard, int(place), int(body.get("Limit", 10_000)))


OPERATIONS: dict[str, Callable[[World, Body, Exchange], bytes | None]] = {
    "GetQueueUrl": _url,
    "GetQueueAttributes": _attributes,
    "ReceiveMessage": _receive,
    "DeleteMessageBatch": _delete,
    "DeleteMessage": _delete_one,
    "ChangeMessageVisibility": _seen,
    "ChangeMessageVisibilityBatch": _seen,
    "DescribeStreamSummary": _summary,
    "ListShards": _list,
    "GetShardIterator": _iterator,
    "GetRecords": _get,
}


async def main() -> None:
    world = World()
    server = await asyncio.get_running_loop().create_server(lambda: Exchange(world), "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()[:2]
    world.url = f"http://{host}:{port}"
    print(world.url, flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
