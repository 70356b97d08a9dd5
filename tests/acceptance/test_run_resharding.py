"""The daemon beside a stream that is split and merged while records are put, on an emulator whose closed shards end."""

from __future__ import annotations

import base64
import threading
import uuid
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest

from support import daemons
from support.eventually import eventually
from support.servers.running import Server

KEYS = [f"key-{number}" for number in range(8)]
MIDDLE = str(2**127)


class Stream:
    """A stream of one shard, and who puts records."""

    def __init__(self, endpoint_url: str) -> None:
        self.name = f"s-{uuid.uuid4().hex[:12]}"
        self.arn = f"arn:aws:kinesis:us-east-1:{daemons.ACCOUNT}:stream/{self.name}"
        self.counts: dict[str, int] = defaultdict(int)
        self._client = self._connected(endpoint_url)
        self._endpoint_url = endpoint_url
        self._client.create_stream(StreamName=self.name, ShardCount=1)
        self.wait_active()

    def _connected(self, endpoint_url: str) -> Any:
        return boto3.client(
            "kinesis",
            region_name="us-east-1",
            endpoint_url=endpoint_url,
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    def _describe(self) -> dict[str, Any]:
        found: dict[str, Any] = self._client.describe_stream(StreamName=self.name)["StreamDescription"]
        return found

    def wait_active(self) -> None:
        eventually(lambda: self._describe()["StreamStatus"] == "ACTIVE")

    @property
    def parents(self) -> dict[str, set[str]]:
        """Of each shard."""
        names = ("ParentShardId", "AdjacentParentShardId")
        return {
            shard["ShardId"]: {shard[name] for name in names if shard.get(name)} for shard in self._describe()["Shards"]
        }

    def split(self, shard: str) -> None:
        self._client.split_shard(StreamName=self.name, ShardToSplit=shard, NewStartingHashKey=MIDDLE)
        self.wait_active()

    def merge(self, left: str, right: str) -> None:
        self._client.merge_shards(StreamName=self.name, ShardToMerge=left, AdjacentShardToMerge=right)
        self.wait_active()

    @contextmanager
    def producing(self) -> Iterator[None]:
        """Records of every key, numbered, until the block ends."""
        over = threading.Event()
        producer = threading.Thread(target=self._produce, args=(over,), daemon=True)
        producer.start()
        try:
            yield
        finally:
            over.set()
            producer.join()

    def _produce(self, over: threading.Event) -> None:
        client = self._connected(self._endpoint_url)
        while not over.wait(0.02):
            for key in KEYS:
                client.put_record(StreamName=self.name, PartitionKey=key, Data=str(self.counts[key]).encode())
                self.counts[key] += 1
        client.close()

    def close(self) -> None:
        self._client.close()


class Taker:
    """The function: takes what comes, but fails on the shards that are held."""

    def __init__(self) -> None:
        self.held: set[str] = set()
        self.failures: dict[str, int] = defaultdict(int)
        self.shards: list[str] = []
        """Of each invocation that went well, in order."""
        self.taken: dict[str, list[int]] = defaultdict(list)

    def __call__(self, event: dict[str, Any]) -> object:
        shard, _, _ = event["Records"][0]["eventID"].partition(":")
        if shard in self.held:
            self.failures[shard] += 1
            raise ValueError("held")
        self.shards.append(shard)
        for record in event["Records"]:
            self.taken[record["kinesis"]["partitionKey"]].append(int(base64.b64decode(record["kinesis"]["data"])))
        return {}

    def failed_again(self, shard: str) -> None:
        """Wait for a third failure from now on."""
        before = self.failures[shard]
        eventually(lambda: self.failures[shard] >= before + 3)


@pytest.mark.semantics("STREAM-12", "STREAM-13", "STREAM-35")
@pytest.mark.needs("node", "npm")
def test_a_child_reaches_the_function_after_its_parents_while_records_are_put(
    kinesalite: Server, tmp_path: Path
) -> None:
    stream, taker = Stream(kinesalite.endpoint_url), Taker()
    (first,) = stream.parents
    mapping = {"m": {"source": stream.arn, "starting_position": "TRIM_HORIZON"}}
    with daemons.function(taker) as function:
        config = daemons.write_config(tmp_path, kinesalite.endpoint_url, function.url, mapping)
        with daemons.running(str(config), cwd=tmp_path) as daemon:
            with stream.producing():
                daemon.wait_until(lambda: first in taker.shards)
                taker.held = {first}
                stream.split(first)
                left, right = sorted(set(stream.parents) - {first})
                taker.failed_again(first)
                assert set(taker.shards) == {first}
                taker.held = set()
                daemon.wait_until(lambda: {left, right} <= set(taker.shards))
                taker.held = {right}
                stream.merge(left, right)
                (merged,) = set(stream.parents) - {first, left, right}
                taker.failed_again(right)
                assert merged not in taker.shards
                taker.held = set()
                daemon.wait_until(lambda: merged in taker.shards)
            wanted = {key: list(range(count)) for key, count in stream.counts.items()}
            daemon.wait_until(lambda: sum(map(len, taker.taken.values())) >= sum(map(len, wanted.values())))
            assert daemon.stop() == 0
    assert taker.taken == wanted
    assert stream.parents == {first: set(), left: {first}, right: {first}, merged: {left, right}}
    stream.close()
    for child, parents in {left: {first}, right: {first}, merged: {left, right}}.items():
        begun = taker.shards.index(child)
        assert not parents & set(taker.shards[begun:])
