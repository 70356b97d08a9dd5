"""AWS's behaviour, compared with every SQS server that tests and demo use; each difference is a row of
docs/emulators.md.

A row's test asserts the difference itself, so that it fails, and the row goes, once an emulator has mended it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from support import sqs_probes as probes
from support.servers.running import Server

ROWS = Path(__file__).resolve().parents[2] / "docs" / "emulators.md"


@dataclass(frozen=True, slots=True)
class Quirk:
    """Row of docs/emulators.md, and what its server answers instead. The row's name says which server."""

    row: str
    answer: object

    @property
    def server(self) -> str:
        return self.row.partition("-")[0]


@dataclass(frozen=True, slots=True)
class Question:
    ask: probes.Probe
    aws: object
    """What AWS answers, or, where AWS says nothing, what a poller would wish for."""
    quirks: tuple[Quirk, ...] = field(default=())

    def expected(self, server: str) -> object:
        return next((quirk.answer for quirk in self.quirks if quirk.server == server), self.aws)


STANDARD = ["ApproximateFirstReceiveTimestamp", "ApproximateReceiveCount", "SenderId", "SentTimestamp"]
FIFO = sorted([*STANDARD, "MessageDeduplicationId", "MessageGroupId", "SequenceNumber"])
NO_QUEUE = "AWS.SimpleQueueService.NonExistentQueue"
BAD_RECEIPT = "ReceiptHandleIsInvalid"

QUESTIONS = [
    # receive
    Question(probes.empty_long_poll_waits, aws=True),
    Question(probes.long_poll_wakes_on_send, aws=("late", True)),
    Question(probes.limit_of_a_receive, aws=[3, 9]),
    Question(probes.concurrent_receives, aws=40),
    Question(probes.visibility_of_a_receive, aws=("", "a")),
    Question(probes.invisible_again_while_polled, aws=("a", True)),
    Question(
        probes.abandoned_long_poll,
        aws=False,
        quirks=(Quirk("ministack-sqs-01", True), Quirk("elasticmq-sqs-01", True), Quirk("moto-sqs-01", True)),
    ),
    # FIFO
    Question(probes.group_locked_in_flight, aws=("a1", "b1", "")),
    Question(probes.groups_in_one_receive, aws=(["a1", "a2"], ["b1", "b2"])),
    Question(probes.group_open_after_delete, aws="a2"),
    Question(
        probes.one_given_back_of_three, aws=("a1 a2 a3", ""), quirks=(Quirk("elasticmq-sqs-02", ("a1 a2 a3", "a1")),)
    ),
    Question(probes.all_given_back_in_order, aws="a1 a2 a3 a4"),
    Question(probes.all_given_back_in_reverse, aws="a1 a2 a3 a4"),
    Question(probes.order_after_expiry, aws="a1 a2 a3 a4", quirks=(Quirk("moto-sqs-02", "a3 a4"),)),
    Question(probes.sent_twice, aws="same"),
    # receipts and deletes
    Question(probes.late_delete, aws=("accepted", "")),
    Question(
        probes.late_delete_fifo,
        aws=("InvalidParameterValue", "a"),
        quirks=(
            Quirk("ministack-sqs-02", ("accepted", "")),
            Quirk("elasticmq-sqs-03", ("accepted", "")),
            Quirk("moto-sqs-03", ("accepted", "")),
        ),
    ),
    Question(
        probes.delete_by_an_old_receipt,
        aws=("accepted", True, "a"),
        quirks=(
            Quirk("ministack-sqs-03", (BAD_RECEIPT, True, "a")),
            Quirk("elasticmq-sqs-04", (BAD_RECEIPT, True, "a")),
            Quirk("moto-sqs-04", ("accepted", True, "")),
        ),
    ),
    Question(
        probes.delete_twice,
        aws="accepted",
        quirks=(Quirk("ministack-sqs-04", BAD_RECEIPT), Quirk("elasticmq-sqs-05", BAD_RECEIPT)),
    ),
    Question(probes.delete_by_no_receipt, aws=BAD_RECEIPT),
    Question(probes.batch_with_a_bad_receipt, aws=(["0", "2"], [("1", BAD_RECEIPT, True)], False)),
    Question(
        probes.late_give_back,
        aws="MessageNotInflight",
        quirks=(
            Quirk("ministack-sqs-05", "accepted"),
            Quirk("elasticmq-sqs-06", "accepted"),
            Quirk("moto-sqs-05", "accepted"),
        ),
    ),
    Question(probes.give_back_the_deleted, aws=True),
    # redrive
    Question(probes.redrive, aws=(2, "a", True)),
    Question(probes.redrive_fifo, aws=(2, "a", True)),
    Question(probes.group_goes_on_after_redrive, aws=("a2", "a1")),
    Question(probes.redrive_without_a_receive, aws=(1, 0)),
    Question(probes.attributes_of_the_redriven, aws=(True, "3"), quirks=(Quirk("moto-sqs-06", (False, "3")),)),
    # attributes of messages
    Question(probes.system_attributes, aws=STANDARD),
    Question(probes.system_attributes_by_the_old_name, aws=STANDARD),
    Question(probes.system_attributes_unasked, aws=[]),
    Question(
        probes.system_attributes_fifo,
        aws=FIFO,
        quirks=(Quirk("moto-sqs-07", [name for name in FIFO if name != "SequenceNumber"]),),
    ),
    Question(probes.one_system_attribute, aws=["SentTimestamp"]),
    Question(
        probes.sequence_number,
        aws=(True, True),
        quirks=(Quirk("elasticmq-sqs-07", (True, False)), Quirk("moto-sqs-07", (False, False))),
    ),
    Question(probes.times_of_a_message, aws=([True, True], [True, True], ["1", "2"])),
    Question(probes.trace_header, aws="Root=1-5759e988-bd862e3fe1be46a994272793"),
    Question(probes.message_attributes, aws=(True, "54b0c6335cde0941bae3331c98fc8af2")),
    Question(probes.message_attributes_unasked, aws=[]),
    Question(probes.md5_without_attributes, aws=(True, False)),
    # counts and queues
    Question(probes.counts, aws=["2", "1", "1"]),
    Question(probes.counts_after_expiry, aws=1),
    Question(probes.counts_after_delete, aws=(0, False)),
    Question(probes.visibility_timeout, aws=[{"VisibilityTimeout": "30"}, {"VisibilityTimeout": "77"}]),
    Question(probes.account, aws="000000000000", quirks=(Quirk("moto-sqs-08", "123456789012"),)),
    Question(probes.missing_queue_by_name, aws=NO_QUEUE, quirks=(Quirk("elasticmq-sqs-08", "QueueDoesNotExist"),)),
    Question(probes.missing_queue_by_url, aws=[NO_QUEUE], quirks=(Quirk("elasticmq-sqs-08", ["QueueDoesNotExist"]),)),
    Question(probes.status_of_a_missing_queue, aws=(400, "QueueDoesNotExist")),
    Question(probes.host_of_the_queue_url, aws=True),
    Question(probes.any_host_in_a_queue_url, aws="a"),
    # bodies
    Question(probes.large_bodies, aws=["verbatim", "verbatim"]),
    Question(probes.too_large_a_body, aws=True),
    Question(probes.unicode_bodies, aws=["verbatim"] * 3),
    Question(probes.control_characters, aws=0, quirks=(Quirk("moto-sqs-09", 4),)),
]

Answers = tuple[str, Mapping[probes.Probe, Future[object]]]


@pytest.fixture(
    scope="module",
    params=["ministack", pytest.param("elasticmq", marks=pytest.mark.needs("java", "maven")), "moto"],
)
def answers(request: pytest.FixtureRequest) -> Iterator[Answers]:
    """All questions at a time: most of them wait."""
    server: Server = request.getfixturevalue(request.param)
    with ThreadPoolExecutor(6) as pool:
        yield request.param, {question.ask: pool.submit(asked, server, question.ask) for question in QUESTIONS}


def asked(server: Server, probe: probes.Probe) -> object:
    lab = probes.Lab(server.endpoint_url)
    try:
        return probe(lab)
    finally:
        lab.close()


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.ask.__name__)
def test_answer(answers: Answers, question: Question) -> None:
    server, found = answers
    assert found[question.ask].result() == question.expected(server)


def test_every_row_is_tested_and_every_quirk_has_a_row() -> None:
    rows = re.findall(r"^\| (\w+-sqs-\d+) \| (\w+) \|", ROWS.read_text(), re.MULTILINE)
    quirks = {(quirk.row, quirk.server) for question in QUESTIONS for quirk in question.quirks}
    assert sorted(rows) == sorted(quirks)
