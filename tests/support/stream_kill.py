"""A stream, a mapping and a daemon that is killed; and what stays when everything else is gone."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import anyio
import boto3
import orjson

from headrace.dispatch.core.model import Position
from headrace.pollers.checkpoints.sqlite import SqliteCheckpoints
from headrace.pollers.checkpoints.state_file import FILE
from headrace.pollers.checkpoints.store import Checkpoint, Finished
from support.eventually import eventually
from support.marked import marked
from support.stream_kill_account import Life, Placed

TESTS = Path(__file__).resolve().parents[1]
FUNCTION = TESTS / "support" / "stream_kill_function"
CUSTOMERS = [f"customer-{number}" for number in range(12)]
KINDS = {"good": 88, "noise": 7, "poison": 5}
Handler = Literal["handler", "partial", "windowed"]


def client(service: str, endpoint: str) -> Any:
    return boto3.client(
        service, "us-east-1", endpoint_url=endpoint, aws_access_key_id="test", aws_secret_access_key="test"
    )


# --- streams --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Order:
    kind: str = "good"
    customer: str = "c"
    """Whose orders stay in order."""
    value: int = 1
    id: str = field(default_factory=lambda: uuid.uuid4().hex)


class Stream(Protocol):
    """A source, as its producer and its owner see it."""

    arn: str
    """The mapping's source."""
    filter: Mapping[str, Any]
    """A pattern that refuses noise."""

    def create(self) -> None: ...

    def delete(self) -> None:
        """With all that is in it. Returns when it is gone."""
        ...

    def send(self, *orders: Order) -> None: ...

    def placed(self) -> dict[str, Placed]:
        """Where each order stands that was sent since it was created."""
        ...


class KinesisStream:
    """Three shards, among which the customers choose."""

    filter: Mapping[str, Any] = {"data": {"kind": ["good", "poison"]}}

    def __init__(self, endpoint: str) -> None:
        self._client = client("kinesis", endpoint)
        self._name = f"orders-{uuid.uuid4().hex[:8]}"
        self.arn = ""
        self.create()

    def create(self) -> None:
        self._placed: dict[str, Placed] = {}
        self._client.create_stream(StreamName=self._name, ShardCount=3)
        eventually(lambda: self._about()["StreamStatus"] == "ACTIVE", "the stream is active")
        self.arn = self._about()["StreamARN"]

    def delete(self) -> None:
        self._client.delete_stream(StreamName=self._name)
        eventually(lambda: self._name not in self._client.list_streams()["StreamNames"], "the stream is gone")

    def _about(self) -> dict[str, Any]:
        about: dict[str, Any] = self._client.describe_stream(StreamName=self._name)["StreamDescription"]
        return about

    def send(self, *orders: Order) -> None:
        records = [{"Data": orjson.dumps(asdict(each)), "PartitionKey": each.customer} for each in orders]
        answer = self._client.put_records(StreamName=self._name, Records=records)
        assert not answer["FailedRecordCount"]
        for order, each in zip(orders, answer["Records"], strict=True):
            self._placed[order.id] = Placed(order.id, order.kind, each["ShardId"], int(each["SequenceNumber"]))

    def placed(self) -> dict[str, Placed]:
        return self._placed


class TableStream:
    """A table with a stream. The emulators have one shard for all of it."""

    filter: Mapping[str, Any] = {"dynamodb": {"NewImage": {"kind": {"S": ["good", "poison"]}}}}

    def __init__(self, endpoint: str) -> None:
        self._tables = client("dynamodb", endpoint)
        self._streams = client("dynamodbstreams", endpoint)
        self._name = f"orders-{uuid.uuid4().hex[:8]}"
        self.arn = f"arn:aws:dynamodb:us-east-1:000000000000:table/{self._name}"
        self.create()

    def create(self) -> None:
        made = self._tables.create_table(
            TableName=self._name,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        )
        self._stream = made["TableDescription"]["LatestStreamArn"]

    def delete(self) -> None:
        self._tables.delete_table(TableName=self._name)
        eventually(lambda: self._name not in self._tables.list_tables()["TableNames"], "the table is gone")

    def send(self, *orders: Order) -> None:
        for order in orders:
            item = {name: {"S": str(value)} for name, value in asdict(order).items()}
            self._tables.put_item(TableName=self._name, Item=item)

    def placed(self) -> dict[str, Placed]:
        found: dict[str, Placed] = {}
        for shard in self._streams.describe_stream(StreamArn=self._stream)["StreamDescription"]["Shards"]:
            where = {"StreamArn": self._stream, "ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON"}
            iterator = self._streams.get_shard_iterator(**where)["ShardIterator"]
            while iterator:
                answer = self._streams.get_records(ShardIterator=iterator)
                for record in answer["Records"]:
                    image, number = record["dynamodb"]["NewImage"], int(record["dynamodb"]["SequenceNumber"])
                    found[image["id"]["S"]] = Placed(image["id"]["S"], image["kind"]["S"], shard["ShardId"], number)
                iterator = answer.get("NextShardIterator") if answer["Records"] else None
        return found


# --- the daemon that is killed --------------------------------------------------------------------------------------


@dataclass
class Bench:
    """One stream, one mapping, and the files that stay."""

    stream: Stream
    endpoint: str
    queues_endpoint: str
    directory: Path
    random: random.Random
    handler: Handler = "handler"
    mapping: Mapping[str, Any] = field(default_factory=dict)
    """More of the mapping."""
    mark: str = field(default_factory=lambda: uuid.uuid4().hex)
    lives: list[Life] = field(default_factory=list)
    sent: dict[str, Order] = field(default_factory=dict)
    """All orders by their ids, also those of a stream that was deleted."""

    def __post_init__(self) -> None:
        self._queues = client("sqs", self.queues_endpoint)
        name = f"discarded-{self.mark[:8]}"
        self._destination = self._queues.create_queue(QueueName=name)["QueueUrl"]
        self._documents: list[tuple[str, int, int]] = []
        self._daemon: subprocess.Popen[bytes] | None = None
        self._write_config(f"arn:aws:sqs:us-east-1:000000000000:{name}")

    @property
    def config(self) -> Path:
        return self.directory / "headrace.json"

    def _write_config(self, destination: str) -> None:
        function = {
            "runtime": "python",
            "handler": f"app.{self.handler}",
            "code": str(FUNCTION),
            "timeout": 10,
            "concurrency": 3,
            "isolation": "env",
            "environment": {"DIRECTORY": str(self.directory), "MARK": self.mark},
        }
        mapping = {
            "source": self.stream.arn,
            "function": "take",
            "starting_position": "TRIM_HORIZON",
            "filter_criteria": {"filters": [{"pattern": dict(self.stream.filter)}]},
            "destination_config": {"on_failure": {"destination": destination}},
            **self.mapping,
        }
        config = {
            "aws": {
                "endpoint_url": self.endpoint,
                "endpoint_urls": {"sqs": self.queues_endpoint},
                "region": "us-east-1",
            },
            "listen": "127.0.0.1:0",
            "log": {"format": "json"},
            "state": str(self.directory / "state"),
            "functions": {"take": function},
            "mappings": {"orders": mapping},
        }
        self.config.write_bytes(orjson.dumps(config))

    # --- lives ------------------------------------------------------------------------------------------------------

    def start(self, *more: str, kill_at: str = "") -> subprocess.Popen[bytes]:
        """Begins a life: what is stored when it begins is where it goes on."""
        self.lives.append(Life(len(self.lines("journal")), self.positions()))
        environment = {**os.environ, "KILL_AT": kill_at, "WITNESS": str(self.directory / "witness")}
        with (self.directory / "daemon.log").open("ab") as log:
            self._daemon = subprocess.Popen(
                [sys.executable, "-m", "support.stream_kill_daemon", "run", str(self.config), *more],
                cwd=TESTS,
                env=environment,
                stdout=log,
                stderr=log,
            )
        return self._daemon

    def kill(self, daemon: subprocess.Popen[bytes]) -> None:
        assert daemon.poll() is None, self.log_end()
        daemon.kill()
        self.mourn(daemon)

    def mourn(self, daemon: subprocess.Popen[bytes]) -> None:
        """Returns when a daemon that dies is dead, and its workers with it: then the journal is complete."""
        daemon.wait()
        eventually(lambda: not self.workers(), "workers outlived their daemon")

    def run_until_idle(self) -> None:
        daemon = self.start("--until-idle=120")
        assert daemon.wait() == 0, self.log_end()
        eventually(lambda: not self.workers(), "workers outlived a daemon that ended by itself")

    def close(self) -> None:
        """Leave nothing running, however the test ended."""
        if self._daemon is not None:
            self._daemon.kill()
            self._daemon.wait()
        for pid in self.workers():
            os.kill(pid, signal.SIGKILL)

    def workers(self) -> list[int]:
        """Processes of the function."""
        return marked(self.mark)

    def produce(self, seconds: float, kinds: Mapping[str, int] = KINDS) -> None:
        """Send for a while, at the producer's pace."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.send_any(kinds)

    def send(self, *orders: Order) -> None:
        self.stream.send(*orders)
        self.sent |= {order.id: order for order in orders}

    def send_any(self, kinds: Mapping[str, int] = KINDS) -> None:
        """Some order of somebody; `kinds` with their weights."""
        kind = self.random.choices(list(kinds), list(kinds.values()))[0]
        self.send(Order(kind, self.random.choice(CUSTOMERS), self.random.randint(1, 100)))
        time.sleep(0.01)  # the pace of the producer, not a wait for anything

    # --- evidence ---------------------------------------------------------------------------------------------------

    def lines(self, name: str) -> list[str]:
        """Those that are whole: somebody may be writing the last one."""
        path = self.directory / name
        return path.read_text().rpartition("\n")[0].splitlines() if path.exists() else []

    def log_end(self) -> str:
        return "\n".join(self.lines("daemon.log")[-20:])

    def logged(self, action: str) -> list[dict[str, Any]]:
        lines = [orjson.loads(line) for line in self.lines("daemon.log") if line.startswith("{")]
        return [line for line in lines if line["action"] == action]

    def journal(self) -> list[str]:
        """Ids of the orders that the function took, in the order in which it did."""
        return [line.split()[1] for line in self.lines("journal")]

    def filtered(self) -> set[tuple[str, int]]:
        """Shard and number of what a filter refused."""
        return {(shard, int(number)) for shard, number in (line.split() for line in self.lines("witness"))}

    def documents(self) -> list[tuple[str, int, int]]:
        """Shard, first and last number of every document that the failure destination was given so far."""
        while messages := self._queues.receive_message(QueueUrl=self._destination, MaxNumberOfMessages=10).get(
            "Messages"
        ):
            for message in messages:
                document = orjson.loads(message["Body"])
                info = document.get("KinesisBatchInfo") or document["DDBStreamBatchInfo"]
                numbers = int(info["startSequenceNumber"]), int(info["endSequenceNumber"])
                self._documents.append((info["shardId"], *numbers))
                self._queues.delete_message(QueueUrl=self._destination, ReceiptHandle=message["ReceiptHandle"])
        return self._documents

    def stored(self) -> dict[str, Checkpoint]:
        """What the state directory has of each shard. Not while a daemon uses it."""
        file = self.directory / "state" / FILE
        return anyio.run(_stored, file) if file.exists() else {}

    def positions(self) -> dict[str, int]:
        """The last number that is done, of each shard of which any is."""
        places = {shard: checkpoint.place for shard, checkpoint in self.stored().items()}
        lasts = {shard: place.last if isinstance(place, Finished) else place for shard, place in places.items()}
        return {shard: last.number for shard, last in lasts.items() if isinstance(last, Position)}


async def _stored(file: Path) -> dict[str, Checkpoint]:
    store = await SqliteCheckpoints.open(file)
    try:
        found: dict[str, Checkpoint] = {}
        for kept in await store.kept():
            opened = await store.opened(kept.mapping, kept.source)
            found |= opened.lanes if opened else {}
        return found
    finally:
        await store.aclose()
