"""The demo of a stream: a batch with a poison order is split in two until that order is alone. It is then discarded,
and the failure destination gets a document with its place. Everything else is delivered, in order in each shard."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Protocol

from account import Words
from evidence import Gatherer, Lines
from orders import Order
from places import GivenUp, Placed, Stream, disordered
from queues import arn_of, count, drained
from running import client, daemon, follow, report, sending

SHARDS = 4
"""Of a Kinesis stream; a table's stream has as many as the emulator gives it."""
CUSTOMERS = 50
WORDS = Words("discarded", "failure destination, one document each", "the batches of a crash")
SHOWN = 3
PATIENCE = 30.0
"""Seconds in which an emulator makes a stream."""


class Sent(Protocol):
    """The target of the orders."""

    arn: str
    """The mapping's source."""

    def send(self, batch: list[Order]) -> int:
        """The number of orders that arrived: all."""
        ...

    def placed(self) -> list[Placed]:
        """The places of the orders, once all are sent."""
        ...


class KinesisStream:
    """A stream that answers each record with its place."""

    def __init__(self, endpoint: str) -> None:
        self._client = client("kinesis", endpoint)
        self._placed: list[Placed] = []
        self._client.create_stream(StreamName="orders", ShardCount=SHARDS)
        end = time.monotonic() + PATIENCE
        while (found := self._describe())["StreamStatus"] != "ACTIVE":
            if time.monotonic() > end:
                raise RuntimeError(f"the stream is {found['StreamStatus']} for {PATIENCE:.0f} s")
            time.sleep(0.1)
        self.arn: str = found["StreamARN"]

    def _describe(self) -> dict[str, Any]:
        found: dict[str, Any] = self._client.describe_stream(StreamName="orders")["StreamDescription"]
        return found

    def send(self, batch: list[Order]) -> int:
        records = [{"Data": order.body.encode(), "PartitionKey": f"customer-{order.id % CUSTOMERS}"} for order in batch]
        answer = self._client.put_records(StreamName="orders", Records=records)
        if answer.get("FailedRecordCount"):
            raise RuntimeError(f"the stream refused orders: {answer['Records']}")
        places = zip(batch, answer["Records"], strict=True)
        self._placed += [Placed(order.id, place["ShardId"], place["SequenceNumber"]) for order, place in places]
        return len(batch)

    def placed(self) -> list[Placed]:
        return self._placed


class Table:
    """A table with a stream, which is read here once more to learn where the orders are."""

    def __init__(self, endpoint: str) -> None:
        self._tables = client("dynamodb", endpoint)
        self._streams = client("dynamodbstreams", endpoint)
        made = self._tables.create_table(
            TableName="orders",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
        )["TableDescription"]
        self._stream = made["LatestStreamArn"]
        # DynamoDB Local names its tables as of a region of its own, but finds them only in the one that made them.
        self.arn: str = made["TableArn"].replace(":ddblocal:", ":us-east-1:")

    def send(self, batch: list[Order]) -> int:
        items = [
            {"id": {"S": str(each.id)}, "type": {"S": each.type}, "trouble": {"S": each.trouble}} for each in batch
        ]
        puts = {"orders": [{"PutRequest": {"Item": item}} for item in items]}
        if left := self._tables.batch_write_item(RequestItems=puts).get("UnprocessedItems"):
            raise RuntimeError(f"the table refused orders: {left}")
        return len(batch)

    def placed(self) -> list[Placed]:
        found: list[Placed] = []
        for shard in self._streams.describe_stream(StreamArn=self._stream)["StreamDescription"]["Shards"]:
            where = {"StreamArn": self._stream, "ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON"}
            iterator = self._streams.get_shard_iterator(**where)["ShardIterator"]
            while iterator:
                answer = self._streams.get_records(ShardIterator=iterator)
                found += [placed(record["dynamodb"], shard["ShardId"]) for record in answer["Records"]]
                iterator = answer.get("NextShardIterator") if answer["Records"] else None
        return found


def placed(record: dict[str, Any], shard: str) -> Placed:
    return Placed(int(record["Keys"]["id"]["S"]), shard, record["SequenceNumber"])


SOURCES: Mapping[str, Callable[[str], Sent]] = {"kinesis": KinesisStream, "dynamodb": Table}


def demo(source: str, orders: list[Order], endpoint: str, queues_endpoint: str, directory: Path) -> int:
    journals = directory / "journals"
    journals.mkdir()
    sent = SOURCES[source](endpoint)
    queues = client("sqs", queues_endpoint)
    destination = queues.create_queue(QueueName="orders-discarded")["QueueUrl"]
    gatherer = Gatherer(journals, directory / "headrace.log")
    variables = {
        "AWS_ENDPOINT_URL": endpoint,
        "DEMO_QUEUES_URL": queues_endpoint,
        "DEMO_SOURCE_ARN": sent.arn,
        "DEMO_DESTINATION_ARN": arn_of(queues, destination),
        "DEMO_JOURNAL": str(journals),
    }
    began = time.monotonic()
    with sending(sent.send, orders, 25) as under_way, daemon(directory, f"{source}.yaml", variables) as process:
        follow(process, lambda: look(under_way, gatherer, count(queues, destination)))
    stream = Stream(sent.placed())
    documents = [GivenUp.read(json.loads(body), stream) for body in drained(queues, destination)]
    compare(gatherer, stream, documents, journals)
    tell(gatherer, stream, documents)
    code = report(gatherer, orders, process.returncode, WORDS, directory)
    print(f"{time.monotonic() - began:.0f} s")
    return code


def look(under_way: list[Future[int]], gatherer: Gatherer, documents: int) -> str:
    """Takes in what was found since the last look; where the orders are."""
    gatherer.look()
    total = gatherer.evidence
    return (
        f"sent {sum(each.result() for each in under_way if each.done())}, delivered {len(total.taken)}, "
        f"failed {total.failed.total()} times, filtered {gatherer.filtered}, discarded {documents}"
    )


def compare(gatherer: Gatherer, stream: Stream, documents: list[GivenUp], journals: Path) -> None:
    """The evidence, compared with the stream itself."""
    evidence = gatherer.evidence
    for each in stream.placed:
        gatherer.sent(each.record, each.order)
    gatherer.look()
    for document in documents:
        evidence.given_up.update(document.orders)
    taken = [line for line in Lines(journals / "stream.jsonl").new() if line["taken"]]
    evidence.amiss["came out of their shard's order"] = disordered(taken, stream)
    evidence.amiss["were not alone in their document, with all their attempts"] = {
        order for document in documents if not document.isolated for order in document.orders
    }


def tell(gatherer: Gatherer, stream: Stream, documents: list[GivenUp]) -> None:
    """The story, shard by shard."""
    evidence = gatherer.evidence
    cut = f"{gatherer.bisected} failing batches were cut in two until each poison order stood alone"
    print(f"\n{cut}; of the {len(documents)} documents that tell of one:")
    for document in documents[:SHOWN]:
        which = ", ".join(f"order {order}" for order in document.orders)
        print(
            f"  {which}: {document.condition} after {document.attempts} attempts, {document.first} in {document.shard}"
        )
    for shard, orders in stream.shards.items():
        delivered = sum(order in evidence.taken for order in orders)
        discarded = sum(order in evidence.given_up for order in orders)
        print(f"{shard}: {len(orders)} orders, {delivered} delivered in order, {discarded} discarded")
