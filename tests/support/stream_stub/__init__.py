"""A small Kinesis and DynamoDB Streams of our own over a model in memory: for faults that no emulator produces, for
what none of them has (SubscribeToShard, iterators that expire, quotas), and for benchmarks.

    async with stream_stub.serve() as stub:
        orders = stub.kinesis("orders", shards=2)
        orders.put("customer-7", b"{}")

Speaks the JSON protocols, as much of them as the daemon uses, with AWS's rules about shards, places and expiry. Faults
are set per stream while it runs. As a program, `PYTHONPATH=tests python -m support.stream_stub` serves on a free port,
prints its URL, and is told what to do over `POST /_put` and the other routes of `control`.

    server ──► kinesis, fan_out, dynamodb (operations) ──► kinesis_model, dynamodb_model ──► model
"""

from __future__ import annotations

from .dynamodb_model import TableStream
from .faults import Call, Faults
from .kinesis_model import Consumer, KinesisStream
from .limits import Limits
from .model import Shard, Stream, StubRecord
from .server import serve
from .stub import Stub

__all__ = [
    "Call",
    "Consumer",
    "Faults",
    "KinesisStream",
    "Limits",
    "Shard",
    "Stream",
    "Stub",
    "StubRecord",
    "TableStream",
    "serve",
]
