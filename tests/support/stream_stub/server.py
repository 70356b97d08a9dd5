"""The stub as an HTTP server: finds the stream that a call is about, lets its faults happen, and answers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from email.utils import formatdate

import orjson
from aiohttp import web

from . import dynamodb, kinesis
from .control import add_routes
from .dynamodb_model import TableStream
from .fan_out import Push
from .faults import LISTING, NOTHING, Call, Faults
from .kinesis_model import KinesisStream
from .model import ACCOUNT, Body, Refused, Stream
from .places import ListPlace, Place
from .stub import Stub, make

KINESIS, STREAMS, DYNAMODB = "Kinesis_20131202", "DynamoDBStreams_20120810", "DynamoDB_20120810"
TYPES = {KINESIS: "application/x-amz-json-1.1", STREAMS: "application/x-amz-json-1.0"}


@asynccontextmanager
async def serve(wall: Callable[[], float] = time.time) -> AsyncIterator[Stub]:
    """The server in this event loop, on a free loopback port."""
    stub = make(wall)
    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.router.add_post("/", Answers(stub).answer)
    add_routes(app, stub)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    stub.url = f"http://{host}:{port}"
    try:
        yield stub
    finally:
        await runner.cleanup()


class Answers:
    def __init__(self, stub: Stub) -> None:
        self._stub = stub

    async def answer(self, request: web.Request) -> web.StreamResponse:
        service, _, operation = request.headers["X-Amz-Target"].partition(".")
        body: Body = orjson.loads(await request.read())
        stream, shard = self._subject(service, body)
        call = Call(operation, stream.name if stream else _named(body), shard, self._stub.clock.now(), body)
        call.region = _region(request.headers.get("Authorization", ""))
        self._stub.calls.append(call)
        faults = stream.faults if stream is not None and stream.faults.hit(operation, shard) else NOTHING
        if faults.silent:
            await asyncio.Event().wait()
        try:
            _fail(faults, call, stream)
            if operation == "SubscribeToShard" and not faults.unlike:
                return await self._subscribe(request, faults, stream, body)
            reply = {} if faults.unlike else self._carry_out(service, call, stream)
            return await self._send(request, faults, 200, orjson.dumps(reply), service)
        except Refused as refused:
            call.answer = refused.code
            return await self._send(request, faults, refused.status, _error(service, refused), service)

    def _subject(self, service: str, body: Body) -> tuple[Stream | None, str]:
        """The stream and the shard that a call names, in whatever way."""
        shard = str(body.get("ShardId") or body.get("ShardToSplit") or body.get("ShardToMerge") or "")
        arn = str(body.get("StreamARN") or body.get("StreamArn") or body.get("ConsumerARN") or "")
        if (place := Place.parse(str(body.get("ShardIterator", "")))) is not None:
            arn, shard = place.arn, place.shard
        if (listing := ListPlace.parse(str(body.get("NextToken", "")))) is not None:
            arn = listing.arn
        if service == KINESIS:
            named = str(body.get("StreamName") or arn.partition("/")[2].partition("/")[0])
            return self._stub.streams.get(named), shard
        if "TableName" in body:
            return self._stub.tables.get(str(body["TableName"])), shard
        return self._stub.table_streams.get(arn), shard

    def _carry_out(self, service: str, call: Call, stream: Stream | None) -> Body:
        stub, body = self._stub, call.body
        if (without := WITHOUT_A_STREAM.get((service, call.operation))) is not None:
            return without(stub, body)
        if stream is None:
            raise _missing(service, body)
        stream.sweep()
        if call.operation not in (kinesis if isinstance(stream, KinesisStream) else dynamodb).OPERATIONS:
            raise Refused("UnknownOperationException", f"There is no {call.operation} here.")
        if isinstance(stream, KinesisStream):
            kinesis.meter(stub, call.operation, stream, call.shard)
            return kinesis.OPERATIONS[call.operation](stub, stream, body)
        assert isinstance(stream, TableStream)
        dynamodb.meter(stub, call.operation, stream, call.shard)
        return dynamodb.OPERATIONS[call.operation](stub, stream, body)

    async def _subscribe(
        self, request: web.Request, faults: Faults, stream: Stream | None, body: Body
    ) -> web.StreamResponse:
        if not isinstance(stream, KinesisStream):
            raise _missing(KINESIS, body)
        stream.sweep()
        push = Push(self._stub, stream, body)
        if faults.lost_replies:
            faults.lost_replies -= 1
            return _close(request)
        response = web.StreamResponse(headers=self._headers("application/vnd.amazon.eventstream"))
        response.enable_chunked_encoding()
        await response.prepare(request)
        try:
            whole = await push.run(response)
        except ConnectionError:
            return response  # who subscribed has gone
        if not whole:
            _close(request)
        return response

    async def _send(
        self, request: web.Request, faults: Faults, status: int, reply: bytes, service: str
    ) -> web.StreamResponse:
        if faults.lost_replies:
            faults.lost_replies -= 1
            return _close(request)
        headers = self._headers(TYPES.get(service, TYPES[STREAMS]))
        if not faults.truncated:
            return web.Response(status=status, body=reply, headers=headers)
        response = web.StreamResponse(status=status, headers={**headers, "Content-Length": str(len(reply))})
        await response.prepare(request)
        await response.write(reply[: len(reply) // 2])
        _close(request)
        return response

    def _headers(self, kind: str) -> dict[str, str]:
        return {"Content-Type": kind, "Date": formatdate(self._stub.clock.now(), usegmt=True)}


def _fail(faults: Faults, call: Call, stream: Stream | None) -> None:
    """Raises Refused where the stream's faults say so."""
    if faults.status:
        raise Refused("InternalFailure", "at your request", faults.status)
    if faults.error:
        raise Refused(faults.error, "at your request")
    if faults.refuse_listing and call.operation in LISTING:
        raise Refused(faults.refuse_listing, "at your request")
    if faults.throttle:
        faults.throttle -= 1
        if isinstance(stream, KinesisStream):
            raise kinesis.throttled(call.operation, stream, call.shard)
        assert isinstance(stream, TableStream)
        raise dynamodb.throttled(call.operation, stream, call.shard)


def _close(request: web.Request) -> web.Response:
    assert request.transport is not None
    request.transport.close()
    return web.Response()  # nobody receives it


def _named(body: Body) -> str:
    return str(body.get("StreamName") or body.get("TableName") or body.get("StreamARN") or body.get("StreamArn") or "")


def _create_stream(stub: Stub, body: Body) -> Body:
    name = str(body["StreamName"])
    if name in stub.streams:
        raise Refused("ResourceInUseException", f"Stream {name} under account {ACCOUNT} already exists.")
    stub.kinesis(name, int(str(body.get("ShardCount", 1))))
    return {}


WITHOUT_A_STREAM: dict[tuple[str, str], Callable[[Stub, Body], Body]] = {
    (KINESIS, "CreateStream"): _create_stream,
    (DYNAMODB, "CreateTable"): dynamodb.create_table,
    (STREAMS, "ListStreams"): dynamodb.list_streams,
}


def _missing(service: str, body: Body) -> Refused:
    if "ShardIterator" in body and Place.parse(str(body["ShardIterator"])) is None:
        return Refused(
            "InvalidArgumentException" if service == KINESIS else "ValidationException", "Invalid ShardIterator."
        )
    if "NextToken" in body and ListPlace.parse(str(body["NextToken"])) is None:
        return Refused("InvalidArgumentException", "NextToken is invalid.")
    if service == KINESIS:
        message = f"Stream {_named(body)} under account {ACCOUNT} not found."
    else:
        message = f"Requested resource not found: Stream: {_named(body)} not found"
    return Refused("ResourceNotFoundException", message)


def _error(service: str, refused: Refused) -> bytes:
    prefix = "" if service == KINESIS else "com.amazonaws.dynamodb.v20120810#"
    return orjson.dumps({"__type": prefix + refused.code, "message": refused.message})


def _region(authorization: str) -> str:
    """Of a signature, `… Credential=<key>/<date>/<region>/<service>/aws4_request, …`."""
    scope = authorization.partition("Credential=")[2].split("/")
    return scope[2] if len(scope) > 2 else ""
