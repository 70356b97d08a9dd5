"""A daemon with something to see: mappings of four kinds, functions that print and fail, and records without end."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from support import daemons
from support.servers.running import Server
from support.streams import Streams
from support.topics import Topics

CODE = """
import base64
import time


def orders(event, context):
    for record in event["Records"]:
        print("order", record["body"][:60])


def clicks(event, context):
    for record in event["Records"]:
        data = base64.b64decode(record["kinesis"]["data"]).decode()
        print("click", data[:60])
        if "poison" in data:
            raise ValueError("this click has no session: " + data[:200])


def index(event, context):
    print("indexed", len(event["Records"]), "changes")


def notify(event, context):
    time.sleep(0.02)
    print("notified", sum(len(each) for each in event["records"].values()))
"""
ORDERS = {"filter_criteria": {"filters": [{"pattern": {"body": {"type": ["created", "paid"]}}}]}}
KINDS = ("created", "paid", "cancelled")


@dataclass
class PageLab:
    """The daemon, and its sources. Each `feed` sends one round of records."""

    directory: Path
    config: Path
    queues: daemons.Queues
    streams: Streams
    topics: Topics | None
    names: dict[str, str]
    rounds: int = 0

    def feed(self) -> None:
        self.rounds += 1
        number = self.rounds
        for part in range(1 + number % 3):
            order = {"type": KINDS[(number + part) % 3], "order": number, "item": "bolt"}
            self.queues.send(self.names["orders"], json.dumps(order))
        self.streams.put(self.names["clicks"], {"session": f"s{number}", "path": "/cart"})
        item = {"id": {"S": str(number % 20)}, "total": {"N": str(number)}}
        self.streams.dynamodb.put_item(TableName=self.names["items"], Item=item)
        if self.topics is not None:
            self.topics.send(self.names["notices"], json.dumps({"to": f"user-{number}"}).encode())

    @contextmanager
    def feeding(self, pause: float = 0.15) -> Iterator[None]:
        """Records without end while the block runs."""
        over = threading.Event()

        def feed() -> None:
            while not over.wait(pause):
                self.feed()

        thread = threading.Thread(target=feed)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def close(self) -> None:
        self.queues.close()
        self.streams.close()


def prepare(directory: Path, ministack: Server, broker: Server | None, **more: object) -> PageLab:
    """Sources and a configuration; whoever wants it starts the daemon."""
    queues, streams = daemons.Queues(ministack.endpoint_url), Streams(ministack.endpoint_url)
    topics = Topics(f"{broker.host}:{broker.port}") if broker is not None else None
    names = {"orders": queues.create(), "clicks": streams.create(), "items": streams.table()}
    (directory / "code").mkdir(exist_ok=True)
    (directory / "code" / "app.py").write_text(CODE)
    functions = {
        name: {"handler": f"app.{name}", "code": str(directory / "code"), "runtime": "python", "concurrency": 2}
        for name in ("orders", "clicks", "index", "notify")
    }
    table = streams.dynamodb.describe_table(TableName=names["items"])["Table"]["LatestStreamArn"]
    mappings: dict[str, dict[str, object]] = {
        "orders": {"source": queues.arn(names["orders"]), "function": "orders", **ORDERS},
        "clicks": {
            "source": streams.arn(names["clicks"]),
            "function": "clicks",
            "starting_position": "TRIM_HORIZON",
            "batch_size": 1,
        },
        "search-index": {"source": table, "function": "index", "starting_position": "TRIM_HORIZON"},
        "refunds": {"source": queues.arn("refunds"), "function": "orders"},
    }
    if topics is not None and broker is not None:
        names["notices"] = topics.create()
        own = {"endpoints": {"kafka_bootstrap_servers": [topics.server]}}
        source = {"self_managed_event_source": own, "topics": [names["notices"]]}
        mappings["notices"] = {**source, "function": "notify", "starting_position": "TRIM_HORIZON"}
    config = daemons.write_config(directory, ministack.endpoint_url, "", mappings, functions=functions, **more)
    return PageLab(directory, config, queues, streams, topics, names)
