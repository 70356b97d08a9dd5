"""Records that a mapping discards to a queue, a bucket and a topic, and what it takes to replay them: for one source of
each kind, on a server, with the program as a process."""

from __future__ import annotations

import base64
import json
import subprocess
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import boto3

from support import daemons
from support.daemons import Function, Queues, headrace
from support.streams import Streams
from support.topics import Topics

MAPPINGS = ("queue", "bucket", "topic")
"""One for each destination."""


class Origin(Protocol):
    """Where the records come from."""

    env: Mapping[str, str]

    def put(self, values: Sequence[str]) -> None: ...

    def mapping(self, name: str) -> dict[str, object]: ...

    def positions(self, bench: ReplayBench) -> object:
        """What is stored of each mapping."""
        ...

    def beginning(self, documents: Sequence[dict[str, Any]]) -> str:
        """The place of the first record, as `--from` takes it; `documents` name all records."""
        ...


@dataclass
class KinesisOrigin:
    endpoint: str
    streams: Streams = field(init=False)

    def __post_init__(self) -> None:
        self.streams = Streams(self.endpoint)
        self.env: Mapping[str, str] = {"AWS_ENDPOINT_URL_KINESIS": self.endpoint}
        self.name = self.streams.create()

    def put(self, values: Sequence[str]) -> None:
        for start in range(0, len(values), 100):
            records = [{"Data": each.encode(), "PartitionKey": each} for each in values[start : start + 100]]
            self.streams.kinesis.put_records(StreamName=self.name, Records=records)

    def mapping(self, name: str) -> dict[str, object]:
        return {"source": self.streams.arn(self.name), "starting_position": "TRIM_HORIZON"}

    def positions(self, bench: ReplayBench) -> object:
        return stored(bench)

    def beginning(self, documents: Sequence[dict[str, Any]]) -> str:
        return first_of_shard(documents)


@dataclass
class TableOrigin:
    endpoint: str
    streams: Streams = field(init=False)

    def __post_init__(self) -> None:
        self.streams = Streams(self.endpoint)
        self.env: Mapping[str, str] = {
            "AWS_ENDPOINT_URL_DYNAMODB": self.endpoint,
            "AWS_ENDPOINT_URL_DYNAMODB_STREAMS": self.endpoint,
        }
        self.name = self.streams.table()

    def put(self, values: Sequence[str]) -> None:
        for each in values:
            self.streams.dynamodb.put_item(TableName=self.name, Item={"id": {"S": each}})

    def mapping(self, name: str) -> dict[str, object]:
        stream = self.streams.dynamodb.describe_table(TableName=self.name)["Table"]["LatestStreamArn"]
        return {"source": stream, "starting_position": "TRIM_HORIZON"}

    def positions(self, bench: ReplayBench) -> object:
        return stored(bench)

    def beginning(self, documents: Sequence[dict[str, Any]]) -> str:
        return first_of_shard(documents)


@dataclass
class TopicOrigin:
    topics: Topics

    def __post_init__(self) -> None:
        self.env: Mapping[str, str] = {}
        self.name = self.topics.create(partitions=2)

    def put(self, values: Sequence[str]) -> None:
        self.topics.send(self.name, *(each.encode() for each in values))

    def mapping(self, name: str) -> dict[str, object]:
        own = {"endpoints": {"kafka_bootstrap_servers": [self.topics.server]}}
        group = {"consumer_group_id": f"{self.name}-{name}"}
        return {
            "self_managed_event_source": own,
            "topics": [self.name],
            "self_managed_kafka_event_source_config": group,
            "starting_position": "TRIM_HORIZON",
        }

    def positions(self, bench: ReplayBench) -> object:
        return [self.topics.committed(f"{self.name}-{name}", self.name) for name in MAPPINGS]

    def beginning(self, documents: Sequence[dict[str, Any]]) -> str:
        return f"{self.name}/0/0"


def stored(bench: ReplayBench) -> object:
    return json.loads(bench.program("positions", "--output", "json").stdout)


def first_of_shard(documents: Sequence[dict[str, Any]]) -> str:
    """Of the one shard that they are about."""
    infos = [info for each in documents for name, info in each.items() if name.endswith("BatchInfo")]
    first = min(infos, key=lambda info: int(info["startSequenceNumber"]))
    return f"{first['shardId']}@{first['startSequenceNumber']}"


@dataclass
class ReplayBench:
    """Three mappings of one source, each with another failure destination in MiniStack."""

    origin: Origin
    ministack: str
    directory: Path
    function: Function
    broken: bool = True
    """Whether the function fails."""
    limit: int | None = None
    """Records after which the function does not answer any more, until `going` is set."""
    taken: list[str] = field(default_factory=list)
    """What the function took, in order, repetitions included."""
    going: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.function.handler = self.handle
        self.queues = Queues(self.ministack)
        self.failed = [self.queues.create(), self.queues.create()]
        self.bucket = f"b-{uuid.uuid4().hex[:12]}"
        self.s3, self.sns = self._client("s3"), self._client("sns")
        self.s3.create_bucket(Bucket=self.bucket)
        topic = self.sns.create_topic(Name=f"t-{uuid.uuid4().hex[:12]}")["TopicArn"]
        self.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=self.queues.arn(self.failed[1]))
        destinations = (self.queues.arn(self.failed[0]), f"arn:aws:s3:::{self.bucket}", topic)
        self.documents = (self.queues.arn(self.failed[0]), f"s3://{self.bucket}/", self.queues.arn(self.failed[1]))
        """Where the documents of each mapping are."""
        mappings = {
            name: {
                **self.origin.mapping(name),
                "function": name,  # AWS allows one mapping of a stream for each function
                "batch_size": 10,
                "maximum_retry_attempts": 0,
                "destination_config": {"on_failure": {"destination": destination}},
            }
            for name, destination in zip(MAPPINGS, destinations, strict=True)
        }
        functions = {name: {"http": self.function.url, "concurrency": 4} for name in MAPPINGS}
        url = self.function.url
        file = daemons.write_config(self.directory, self.ministack, url, mappings, functions=functions)
        config = json.loads(file.read_text())
        del config["aws"]["endpoint_url"]
        file.write_text(json.dumps(config))

    def handle(self, event: dict[str, Any]) -> object:
        if self.broken:
            raise ValueError("not yet")
        if self.limit is not None and len(self.taken) >= self.limit:
            self.going.wait(daemons.PATIENCE)
            return {}
        self.taken += values_of(event)
        return {}

    def _client(self, service: str) -> Any:
        return boto3.client(
            service,
            region_name="us-east-1",
            endpoint_url=self.ministack,
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    @property
    def env(self) -> dict[str, str]:
        return {"AWS_ENDPOINT_URL": self.ministack, **self.origin.env}

    def program(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return headrace(*arguments, cwd=self.directory, env=self.env)

    def discard(self, number: int) -> list[str]:
        """So many records, which each mapping discards."""
        values = [f"value-{each:04}" for each in range(number)]
        self.origin.put(values)
        ended = self.program("run", "--until-idle=120")
        assert ended.returncode == 0, ended.stderr
        return values

    def replayed(self, *arguments: str) -> list[str]:
        """What the function took in a replay that succeeds."""
        self.taken.clear()
        ended = self.program("replay", *arguments, "--yes")
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return list(self.taken)

    def broken_off(self, *arguments: str, after: int) -> str:
        """A replay that is killed when it did so many records, and is on the next; its id."""
        self.taken.clear()
        self.limit = after
        process = subprocess.Popen(
            [*daemons.command(), "replay", *arguments, "--yes"],
            cwd=self.directory,
            env=daemons.environment(**self.env),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        end = time.monotonic() + daemons.PATIENCE
        while len(self.taken) < after and time.monotonic() < end:
            assert process.poll() is None, process.communicate()[1]
            time.sleep(0.02)
        while not self._stored() and time.monotonic() < end:
            time.sleep(0.02)
        process.kill()
        process.communicate()
        self.limit = None
        self.going.set()
        (found,) = json.loads(self.program("replay", "--output", "json").stdout)
        assert not found["runs"]
        name: str = found["id"]
        return name

    def in_bucket(self) -> list[dict[str, Any]]:
        """The documents of the mapping `bucket`."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket)
        keys = [each["Key"] for page in pages for each in page["Contents"]]
        return [json.loads(self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()) for key in keys]

    def _stored(self) -> bool:
        """Whether a position of the replay that runs is on the disk."""
        (file,) = (self.directory / ".headrace" / "replays").glob("*/replay.json")
        return any(each["position"] for each in json.loads(file.read_text())["progress"]["shards"].values())

    def close(self) -> None:
        self.queues.close()
        self.s3.close()
        self.sns.close()


def values_of(event: dict[str, Any]) -> list[str]:
    """What was put, out of an event."""
    records = event["records"] if "records" in event else {"": event["Records"]}
    return [_value(record) for members in records.values() for record in members]


def _value(record: dict[str, Any]) -> str:
    if "kinesis" in record:
        return base64.b64decode(record["kinesis"]["data"]).decode()
    if "dynamodb" in record:
        return str(record["dynamodb"]["NewImage"]["id"]["S"])
    return base64.b64decode(record["value"]).decode()


def check(bench: ReplayBench, number: int) -> None:
    """All of the way: discarded, replayed by document from each place and by position, killed and resumed."""
    values = bench.discard(number)
    bench.broken = False
    before = bench.origin.positions(bench)
    for mapping, place in zip(MAPPINGS, bench.documents, strict=True):
        assert set(bench.replayed(mapping, "--document", place)) == set(values), (mapping, place)
    assert bench.queues.depth(bench.failed[0]) == (0, 0)
    for begin in ("TRIM_HORIZON", bench.origin.beginning(bench.in_bucket())):
        assert sorted(bench.replayed("queue", "--from", begin)) == values, begin
    name = bench.broken_off("queue", "--from", "1h", "--rate", str(number // 2), after=number // 2)
    first = list(bench.taken)
    assert len(first) < number
    again = bench.replayed("--resume", name)
    assert set(first) | set(again) == set(values)
    assert len(again) < number
    assert bench.origin.positions(bench) == before
