"""A small SQS server of our own over the shipped queue in memory: for faults that no emulator produces, and for
benchmarks that need a source which is faster than what they measure.

Speaks the JSON protocol, as much of it as the daemon uses. Faults are set per queue while it runs. As a program it
serves on a free port, prints its URL, and can be told to send messages over `POST /_send`.
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio
import orjson
from aiohttp import web

from headrace.config.clock import SystemClock
from headrace.pollers.memory.queue import MemoryQueue, Message

Body = dict[str, object]
Entries = list[dict[str, object]]


@dataclass
class Faults:
    """What is wrong with one queue at the moment."""

    silent: bool = False
    """Requests are accepted and never answered."""
    unanswered: tuple[str, ...] = ()
    """So are those of these operations."""
    status: int = 0
    """Answer everything with this HTTP status; 0 for none."""
    unnamed: int = 0
    """So many delete entries are not carried out, and the answer does not name them."""
    refuse_deletes: int = 0
    """So many delete entries fail with an internal error."""
    unlike: bool = False
    """Answer everything with an empty object, as some other service might."""
    truncated: bool = False
    """Answer half of each reply, then close."""
    lost_replies: int = 0
    """So many requests are carried out, and the connection is closed without an answer."""


@dataclass
class Stub:
    """The server's queues by name."""

    queues: dict[str, MemoryQueue] = field(default_factory=dict)
    faults: dict[str, Faults] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    """Operations in the order in which they arrived, as `Operation queue`."""
    url: str = ""

    def create(self, name: str, visibility: float = 30.0, *, fifo: bool = False) -> MemoryQueue:
        arn = f"arn:aws:sqs:us-east-1:000000000000:{name}"
        self.faults[name] = Faults()
        self.queues[name] = MemoryQueue(arn, SystemClock(), visibility, fifo)
        return self.queues[name]

    async def answer(self, request: web.Request) -> web.StreamResponse:
        operation = request.headers.get("X-Amz-Target", "").rpartition(".")[2]
        if not operation:
            return _error(404, "UnknownOperation", "there is SQS here, and nothing else")
        body: Body = orjson.loads(await request.read())
        name = str(body.get("QueueName") or str(body.get("QueueUrl", "")).rpartition("/")[2])
        self.calls.append(f"{operation} {name}")
        if operation == "ListQueues":
            urls = [f"{self.url}/000000000000/{each}" for each in self.queues]
            return web.Response(body=orjson.dumps({"QueueUrls": urls}), content_type="application/x-amz-json-1.0")
        if operation not in OPERATIONS:
            return _error(400, "UnknownOperationException", "there is no such operation here")
        queue = self.queues.get(name)
        if queue is None:
            return _error(400, "QueueDoesNotExist", "The specified queue does not exist.")
        faults = self.faults[name]
        if faults.silent or operation in faults.unanswered:
            await asyncio.Event().wait()
        if faults.status:
            return _error(faults.status, "InternalError", "at your request")
        reply = {} if faults.unlike else await OPERATIONS[operation](self, queue, body)
        return await self._send(request, faults, orjson.dumps(reply))

    async def _send(self, request: web.Request, faults: Faults, reply: bytes) -> web.StreamResponse:
        if faults.lost_replies:
            faults.lost_replies -= 1
            assert request.transport is not None
            request.transport.close()
            return web.Response()
        if not faults.truncated:
            return web.Response(body=reply, content_type="application/x-amz-json-1.0")
        response = web.StreamResponse(headers={"Content-Length": str(len(reply))})
        await response.prepare(request)
        await response.write(reply[: len(reply) // 2])
        assert request.transport is not None
        request.transport.close()
        return response

    async def accept(self, request: web.Request) -> web.Response:
        """`POST /_send?queue=NAME[&group=G]`, the body is the message."""
        queue = self.queues[request.query["queue"]]
        queue.send((await request.read()).decode(), request.query.get("group"))
        return web.Response()

    async def fill(self, request: web.Request) -> web.Response:
        """`POST /_fill?queue=NAME&count=N` sends so many small messages at once."""
        for number in range(int(request.query["count"])):
            self.queues[request.query["queue"]].send(str(number))
        return web.Response()

    async def change(self, request: web.Request) -> web.Response:
        """`POST /_faults?queue=NAME` with the fields of Faults as JSON; `POST /_create?queue=NAME` makes a queue."""
        name = request.query["queue"]
        if request.path == "/_create":
            self.create(name, float(request.query.get("visibility", 30)))
        else:
            self.faults[name] = Faults(**orjson.loads(await request.read()))
        return web.Response()


async def _url(stub: Stub, queue: MemoryQueue, body: Body) -> Body:
    return {"QueueUrl": f"{stub.url}/000000000000/{body['QueueName']}"}


async def _attributes(stub: Stub, queue: MemoryQueue, body: Body) -> Body:
    now = queue.clock.monotonic()
    lent = sum(message.visible_at > now for message in queue.messages)
    known = {
        "VisibilityTimeout": str(int(queue.visibility)),
        "ApproximateNumberOfMessages": str(len(queue.messages) - lent),
        "ApproximateNumberOfMessagesNotVisible": str(lent),
        "ApproximateNumberOfMessagesDelayed": "0",
        "QueueArn": queue.arn,
    }
    names = body.get("AttributeNames")
    assert isinstance(names, list)
    return {"Attributes": known if "All" in names else {name: known[name] for name in names if name in known}}


async def _receive(stub: Stub, queue: MemoryQueue, body: Body) -> Body:
    limit = int(str(body.get("MaxNumberOfMessages", 1)))
    visibility = float(str(body.get("VisibilityTimeout", queue.visibility)))
    end = queue.clock.monotonic() + float(str(body.get("WaitTimeSeconds", 0)))
    while not (taken := queue.receive(limit, visibility)) and queue.clock.monotonic() < end:
        await queue.wait_visible(end)
    return {"Messages": [_message(message) for message in taken]} if taken else {}


def _message(message: Message) -> Body:
    attributes = {
        "ApproximateReceiveCount": str(message.receives),
        "SentTimestamp": str(int(message.sent * 1000)),
        "SenderId": "stub",
        "ApproximateFirstReceiveTimestamp": str(int(message.sent * 1000)),
        **({"MessageGroupId": message.group} if message.group is not None else {}),
    }
    return {
        "MessageId": message.id,
        "ReceiptHandle": message.receipt,
        "MD5OfBody": _md5(message.body),
        "Body": message.body,
        "Attributes": attributes,
    }


@functools.lru_cache(maxsize=64)
def _md5(body: str) -> str:
    return hashlib.md5(body.encode()).hexdigest()


async def _delete(stub: Stub, queue: MemoryQueue, body: Body) -> Body:
    faults = stub.faults[queue.arn.rpartition(":")[2]]
    done, failed = [], []
    for entry in _entries(body):
        if faults.unnamed:
            faults.unnamed -= 1
        elif faults.refuse_deletes:
            faults.refuse_deletes -= 1
            failed.append({"Id": entry["Id"], "SenderFault": False, "Code": "InternalError", "Message": "no"})
        else:
            queue.messages[:] = [m for m in queue.messages if m.receipt != entry["ReceiptHandle"]]
            done.append({"Id": entry["Id"]})
    return {"Successful": done, "Failed": failed}


async def _change_visibility(stub: Stub, queue: MemoryQueue, body: Body) -> Body:
    lent = {message.receipt: message for message in queue.messages}
    done: list[Body] = []
    failed: list[Body] = []
    for entry in _entries(body):
        message = lent.get(str(entry["ReceiptHandle"]))
        if message is None:
            code = "InvalidParameterValue"
            failed.append({"Id": entry["Id"], "SenderFault": True, "Code": code, "Message": "no such message"})
        else:
            message.visible_at = queue.clock.monotonic() + float(str(entry["VisibilityTimeout"]))
            done.append({"Id": entry["Id"]})
    queue.wake()
    return {"Successful": done, "Failed": failed}


async def _send(stub: Stub, queue: MemoryQueue, body: Body) -> Body:
    text = str(body["MessageBody"])
    queue.send(text)
    return {"MessageId": queue.messages[-1].id, "MD5OfMessageBody": _md5(text)}


async def _delete_one(stub: Stub, queue: MemoryQueue, body: Body) -> Body:
    queue.messages[:] = [each for each in queue.messages if each.receipt != body["ReceiptHandle"]]
    return {}


async def _show_one(stub: Stub, queue: MemoryQueue, body: Body) -> Body:
    await _change_visibility(stub, queue, {"Entries": [{"Id": "0", **body}]})
    return {}


def _entries(body: Body) -> Entries:
    entries = body["Entries"]
    assert isinstance(entries, list)
    return entries


OPERATIONS: dict[str, Callable[[Stub, MemoryQueue, Body], Awaitable[Body]]] = {
    "GetQueueUrl": _url,
    "GetQueueAttributes": _attributes,
    "ReceiveMessage": _receive,
    "DeleteMessageBatch": _delete,
    "ChangeMessageVisibilityBatch": _change_visibility,
    "SendMessage": _send,
    "DeleteMessage": _delete_one,
    "ChangeMessageVisibility": _show_one,
}


def _error(status: int, code: str, message: str) -> web.Response:
    body = orjson.dumps({"__type": f"com.amazonaws.sqs#{code}", "message": message})
    return web.Response(status=status, body=body, content_type="application/x-amz-json-1.0")


@asynccontextmanager
async def serving() -> AsyncIterator[Stub]:
    """The server in this event loop, on a free loopback port."""
    stub = Stub()
    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.router.add_post("/", stub.answer)
    app.router.add_post("/_send", stub.accept)
    app.router.add_post("/_fill", stub.fill)
    app.router.add_post("/_create", stub.change)
    app.router.add_post("/_faults", stub.change)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    stub.url = f"http://{host}:{port}"
    try:
        yield stub
    finally:
        await runner.cleanup()


async def main() -> None:
    async with serving() as stub:
        print(stub.url, flush=True)
        await anyio.sleep_forever()


if __name__ == "__main__":
    anyio.run(main)
