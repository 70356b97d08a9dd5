"""1,000 records that were discarded to a queue, a bucket and a topic are replayed, by document and by position, on each
server of each kind; a kill in the middle is told, and the rest comes. So do 1,000 messages of a dead-letter queue."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support import daemons, replay_bench
from support.counts import count
from support.daemons import Queues, headrace
from support.eventually import PATIENCE, eventually
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


# --- a dead-letter queue --------------------------------------------------------------------------------------------


@pytest.mark.semantics("REDRIVE-03", "REDRIVE-04", "REDRIVE-05")
def test_a_redrive_by_hand_that_is_killed_is_said_and_the_next_one_moves_the_rest(
    ministack: Server, tmp_path: Path
) -> None:
    queues, number = Queues(ministack.endpoint_url), count(60, 1000)
    dead = queues.create()
    policy = json.dumps({"deadLetterTargetArn": queues.arn(dead), "maxReceiveCount": "3"})
    source = queues.create(RedrivePolicy=policy)
    for start in range(0, number, 10):
        entries = [{"Id": str(each), "MessageBody": str(each)} for each in range(start, start + 10)]
        queues.client.send_message_batch(QueueUrl=queues.url(dead), Entries=entries)
    command = ["redrive", dead, "--yes", "--endpoint-url", ministack.endpoint_url]
    kill_when(lambda: queues.depth(source)[0] >= number // 3 + 5, [*command, "--rate", str(number // 6)], tmp_path)
    left, hidden = queues.depth(dead)
    assert left + hidden >= number // 3
    again = headrace(*command, cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert f"moved {left} messages of" in again.stdout
    assert hidden
    assert f"about {hidden} message" in again.stderr
    eventually(lambda: queues.depth(dead) == (hidden, 0), "what it had is shown again", 2 * PATIENCE)
    assert headrace(*command, cwd=tmp_path).returncode == 0
    assert queues.depth(dead) == (0, 0)
    check_moved(queues, source, number)
    queues.close()


def kill_when(reached: Callable[[], bool], command: list[str], directory: Path) -> None:
    with subprocess.Popen(
        [*daemons.command(), *command],
        cwd=directory,
        env=daemons.environment(AWS_REGION="us-east-1"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            eventually(reached, "so many are moved")
            assert process.poll() is None
        finally:
            process.kill()


def check_moved(queues: Queues, source: str, number: int) -> None:
    """Each came at least once, and only the one that was under way at the kill twice."""
    found: list[int] = []
    while len(found) < number or queues.depth(source)[0]:
        answer = queues.client.receive_message(
            QueueUrl=queues.url(source), MaxNumberOfMessages=10, WaitTimeSeconds=1, VisibilityTimeout=600
        )
        messages = answer.get("Messages", [])
        assert messages
        found += [int(message["Body"]) for message in messages]
    assert set(found) == set(range(number))
    assert len(found) <= number + 1
