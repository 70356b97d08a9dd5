"""1,000 records that were discarded to a queue, a bucket and a topic are replayed, by document and by position, on each
server of each kind; a kill in the middle is told, and the rest comes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support import daemons, replay_bench
from support.counts import count
from support.replay_bench import KinesisOrigin, Origin, ReplayBench, TableOrigin, TopicOrigin
from support.servers import kafka
from support.servers.running import Server
from support.topics import Topics

SERVERS = [
    pytest.param(KinesisOrigin, "ministack", id="kinesis-ministack"),
    pytest.param(KinesisOrigin, "kinesalite", id="kinesis-kinesalite", marks=pytest.mark.needs("node", "npm")),
    pytest.param(TableOrigin, "ministack", id="dynamodb-ministack"),
    pytest.param(TableOrigin, "dynamodb_local", id="dynamodb-local", marks=pytest.mark.needs("java", "maven")),
]


def check(origin: Origin, ministack: Server, directory: Path) -> None:
    with daemons.function() as function:
        bench = ReplayBench(origin, ministack.endpoint_url, directory, function)
        replay_bench.check(bench, count(40, 1000))
        bench.close()


@pytest.mark.semantics("REPLAY-01", "REPLAY-03", "REPLAY-04")
@pytest.mark.parametrize(("make", "server"), SERVERS)
def test_a_stream_is_replayed(
    request: pytest.FixtureRequest, make: Callable[[str], Origin], server: str, ministack: Server, tmp_path: Path
) -> None:
    check(make(request.getfixturevalue(server).endpoint_url), ministack, tmp_path)


@pytest.fixture
def topics() -> Iterator[Topics]:
    with kafka.start() as broker:
        yield Topics(f"{broker.host}:{broker.port}")


@pytest.mark.needs("java", "maven")
@pytest.mark.semantics("REPLAY-01", "REPLAY-03", "REPLAY-04")
def test_a_topic_is_replayed(topics: Topics, ministack: Server, tmp_path: Path) -> None:
    check(TopicOrigin(topics), ministack, tmp_path)
