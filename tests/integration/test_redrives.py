"""A dead-letter queue goes back to its source: by hand where the endpoint has no call for it, else by its call."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from headrace.service.cli.main import main
from support.counts import count
from support.daemons import Queues
from support.eventually import eventually
from support.servers.running import Server

PATIENT = {"VisibilityTimeout": "0"}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")


class Dead:
    """A queue with its dead-letter queue."""

    def __init__(self, server: Server, *, fifo: bool = False) -> None:
        self.queues = Queues(server.endpoint_url)
        more = {"FifoQueue": "true"} if fifo else {}
        suffix = ".fifo" if fifo else ""
        self.dead = self.queues.create(self.queues.name() + suffix, **more)
        policy = f'{{"deadLetterTargetArn": "{self.queues.arn(self.dead)}", "maxReceiveCount": "1"}}'
        self.source = self.queues.create(self.queues.name() + suffix, RedrivePolicy=policy, **PATIENT, **more)

    def take(self, name: str, number: int) -> list[dict[str, Any]]:
        """So many messages of a queue, which are deleted from it."""
        found: list[dict[str, Any]] = []

        def all_of_them() -> bool:
            answer = self.queues.client.receive_message(
                QueueUrl=self.queues.url(name),
                MaxNumberOfMessages=10,
                WaitTimeSeconds=1,
                VisibilityTimeout=30,
                AttributeNames=["All"],
                MessageAttributeNames=["All"],
            )
            for message in answer.get("Messages", []):
                found.append(message)
                self.queues.client.delete_message(
                    QueueUrl=self.queues.url(name), ReceiptHandle=message["ReceiptHandle"]
                )
            return len(found) >= number

        eventually(all_of_them)
        return found

    def redrive(self, *arguments: str) -> int:
        return main(["redrive", *arguments, "--yes", "--endpoint-url", self.queues.endpoint_url])


@pytest.mark.semantics("REDRIVE-01", "REDRIVE-02", "REDRIVE-03", "REDRIVE-04")
def test_messages_go_back_by_hand_with_their_attributes(
    here: None, ministack: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    dead, number = Dead(ministack), count(25, 1000)
    colors = {"color": {"DataType": "String", "StringValue": "red"}}
    for each in range(number):
        dead.queues.client.send_message(
            QueueUrl=dead.queues.url(dead.dead), MessageBody=str(each), MessageAttributes=colors
        )
    assert dead.redrive(dead.dead) == 0
    said = capsys.readouterr()
    assert f"go to {dead.queues.arn(dead.source)}" in said.err
    assert f"moved {number} messages of {dead.queues.arn(dead.dead)}" in said.out
    found = dead.take(dead.source, number)
    assert sorted(int(each["Body"]) for each in found) == list(range(number))
    assert {each["MessageAttributes"]["color"]["StringValue"] for each in found} == {"red"}
    assert dead.queues.depth(dead.dead) == (0, 0)
    dead.queues.close()


@pytest.mark.semantics("REDRIVE-03")
def test_a_fifo_queue_gets_its_groups_in_order_although_it_remembers_the_ids(here: None, ministack: Server) -> None:
    dead = Dead(ministack, fifo=True)
    for each in range(12):
        dead.queues.client.send_message(
            QueueUrl=dead.queues.url(dead.source),
            MessageBody=str(each),
            MessageGroupId=f"g{each % 2}",
            MessageDeduplicationId=f"d{each}",
        )

    def all_are_dead() -> bool:
        dead.queues.client.receive_message(QueueUrl=dead.queues.url(dead.source), MaxNumberOfMessages=10)
        return dead.queues.depth(dead.dead)[0] == 12

    eventually(all_are_dead)
    assert dead.redrive(dead.queues.arn(dead.dead), "--rate", "100") == 0
    assert dead.queues.depth(dead.dead) == (0, 0)
    found = dead.take(dead.source, 12)
    groups: dict[str, list[int]] = {}
    for message in found:
        groups.setdefault(message["Attributes"]["MessageGroupId"], []).append(int(message["Body"]))
    assert groups == {"g0": list(range(0, 12, 2)), "g1": list(range(1, 12, 2))}
    dead.queues.close()


@pytest.mark.needs("java", "maven")
@pytest.mark.semantics("REDRIVE-02")
def test_an_endpoint_that_has_the_call_moves_them_itself(
    here: None, elasticmq: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    dead = Dead(elasticmq)
    dead.queues.send(dead.dead, *map(str, range(10)))
    assert dead.redrive(dead.dead, "--rate", "500") == 0, capsys.readouterr()
    tasks = dead.queues.client.list_message_move_tasks(SourceArn=dead.queues.arn(dead.dead))["Results"]
    assert [each["Status"] for each in tasks] == ["COMPLETED"]
    assert sorted(int(each["Body"]) for each in dead.take(dead.source, 10)) == list(range(10))
    dead.queues.close()


@pytest.mark.needs("java", "maven")
@pytest.mark.semantics("REDRIVE-02")
def test_a_task_that_runs_already_is_looked_at_and_no_other_is_started(
    here: None, elasticmq: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    dead = Dead(elasticmq)
    dead.queues.send(dead.dead, *map(str, range(6)))
    arn = dead.queues.arn(dead.dead)
    dead.queues.client.start_message_move_task(SourceArn=arn, MaxNumberOfMessagesPerSecond=2)  # as one that was killed
    assert dead.redrive(dead.dead) == 0, capsys.readouterr()
    said = capsys.readouterr()
    assert "a task that was started before" in said.err
    assert f"moved 6 messages of {arn}" in said.out
    assert len(dead.queues.client.list_message_move_tasks(SourceArn=arn, MaxResults=10)["Results"]) == 1
    assert sorted(int(each["Body"]) for each in dead.take(dead.source, 6)) == list(range(6))
    dead.queues.close()


@pytest.mark.semantics("REDRIVE-01")
def test_a_queue_that_is_nobodys_dead_letter_queue_says_what_to_do(
    here: None, ministack: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    dead = Dead(ministack)
    dead.queues.send(dead.source, "a")
    assert dead.redrive(dead.source) == 1
    assert "name where its messages go with --to" in capsys.readouterr().err
    other = dead.queues.create()
    assert dead.redrive(dead.source, "--to", other) == 0
    assert [each["Body"] for each in dead.take(other, 1)] == ["a"]
    dead.queues.close()
