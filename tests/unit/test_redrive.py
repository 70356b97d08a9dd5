"""Where the messages of a dead-letter queue go, and what is sent for each."""

from __future__ import annotations

from typing import Any

import pytest

from headrace.service.running.core.redrive import (
    NoRoute,
    RedriveRoute,
    at_once,
    is_repetition,
    names_dead_letters,
    resent,
    route,
)

DEAD = "arn:aws:sqs:us-east-1:000000000000:dead"
ORDERS = "arn:aws:sqs:us-east-1:000000000000:orders"
BILLS = "arn:aws:sqs:us-east-1:000000000000:bills"


def message(**attributes: str) -> dict[str, Any]:
    return {"MessageId": "m-1", "Body": "body", "ReceiptHandle": "r", "Attributes": attributes}


@pytest.mark.semantics("REDRIVE-01")
@pytest.mark.parametrize(
    ("sources", "to", "found"),
    [
        ([ORDERS], "", RedriveRoute(ORDERS, named=False)),
        ([ORDERS, BILLS], "", RedriveRoute("", named=False)),
        ([], BILLS, RedriveRoute(BILLS, named=True)),
        ([ORDERS], BILLS, RedriveRoute(BILLS, named=True)),
    ],
)
def test_messages_go_to_where_they_came_from_or_where_somebody_says(
    sources: list[str], to: str, found: RedriveRoute
) -> None:
    assert route(DEAD, sources, to) == found


@pytest.mark.semantics("REDRIVE-01")
@pytest.mark.parametrize(
    ("sources", "to", "why"),
    [([], "", "--to"), ([ORDERS], DEAD, "to itself"), ([ORDERS], f"{ORDERS}.fifo", "both be FIFO")],
)
def test_a_queue_without_a_way_says_what_to_do(sources: list[str], to: str, why: str) -> None:
    found = route(DEAD, sources, to)
    assert isinstance(found, NoRoute)
    assert why in found.why


@pytest.mark.semantics("REDRIVE-01")
def test_of_several_sources_a_message_names_its_own() -> None:
    several = RedriveRoute("", named=False)
    assert several.of(message(DeadLetterQueueSourceArn=BILLS)) == BILLS
    assert several.of(message()) == ""
    assert RedriveRoute(ORDERS, named=True).of(message(DeadLetterQueueSourceArn=BILLS)) == ORDERS


@pytest.mark.semantics("REDRIVE-03")
def test_a_message_keeps_its_attributes_group_and_ids() -> None:
    given = message(MessageGroupId="g", MessageDeduplicationId="d", AWSTraceHeader="Root=1-2-3", SentTimestamp="5")
    given["MessageAttributes"] = {
        "color": {"DataType": "String", "StringValue": "red", "StringListValues": []},
        "raw": {"DataType": "Binary", "BinaryValue": b"\0", "BinaryListValues": []},
    }
    assert resent(given, fifo=True) == {
        "MessageBody": "body",
        "MessageAttributes": {
            "color": {"DataType": "String", "StringValue": "red"},
            "raw": {"DataType": "Binary", "BinaryValue": b"\0"},
        },
        "MessageSystemAttributes": {"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1-2-3"}},
        "MessageGroupId": "g",
        "MessageDeduplicationId": "d",
    }
    assert resent(message(), fifo=False) == {"MessageBody": "body"}


@pytest.mark.semantics("REDRIVE-03")
def test_a_message_that_a_fifo_queue_takes_for_a_repetition_is_sent_under_another_id() -> None:
    given = message(MessageGroupId="g", MessageDeduplicationId="d" * 128)
    assert is_repetition(given, "m-1")
    assert not is_repetition(given, "m-2")
    anew = resent(given, fifo=True, anew=True)["MessageDeduplicationId"]
    assert anew == resent(given, fifo=True, anew=True)["MessageDeduplicationId"] != "d" * 128
    assert (len(anew), anew.endswith("-m-1")) == (128, True)


@pytest.mark.parametrize("policy", [None, "no JSON", "[]", f'{{"deadLetterTargetArn": "{BILLS}"}}'])
def test_only_a_policy_that_names_the_queue_makes_it_a_dead_letter_queue(policy: object) -> None:
    assert not names_dead_letters(policy, DEAD)
    assert names_dead_letters(f'{{"deadLetterTargetArn": "{DEAD}"}}', DEAD)


@pytest.mark.semantics("REDRIVE-05")
@pytest.mark.parametrize(
    ("left", "rate", "number"), [(3, None, 3), (1000, None, 10), (1000, 500.0, 10), (1000, 0.1, 3), (1000, 0.001, 1)]
)
def test_no_more_is_received_than_is_moved_before_the_queue_shows_it_again(
    left: int, rate: float | None, number: int
) -> None:
    assert at_once(left, rate, 60) == number
