"""When a queue is known to be empty, so that nobody has to receive from it to find out."""

from __future__ import annotations

from typing import Any

import pytest

from headrace.config.clock import LoopClock
from headrace.config.fields.arn import Arn
from headrace.pollers.sqs.source import QueueSettings, SqsSource
from support.virtual_time import EPOCH

TOTAL, LENT, DELAYED = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)
NONE = {TOTAL: "0", LENT: "0", DELAYED: "0"}


@pytest.mark.semantics("SQS-29")
@pytest.mark.parametrize(
    ("told", "empty"),
    [
        (NONE, True),
        (NONE | {TOTAL: "1"}, False),
        (NONE | {LENT: "1"}, False),
        (NONE | {DELAYED: "1"}, False),
        ({TOTAL: "0"}, False),
        ({}, False),
        (NONE | {TOTAL: ""}, False),
        (NONE | {TOTAL: "many"}, False),
    ],
)
async def test_a_queue_is_empty_when_it_says_so_of_every_kind_of_message(told: dict[str, str], empty: bool) -> None:
    class Client:
        async def get_queue_attributes(self, **parameters: Any) -> dict[str, Any]:
            assert set(parameters["AttributeNames"]) == set(NONE)
            return {"Attributes": told} if told else {}

    async def connect() -> Client:
        return Client()

    settings = QueueSettings(Arn.parse("arn:aws:sqs:us-east-1:000000000000:orders"), 0.0, 3.0, 5)
    assert await SqsSource(settings, connect, LoopClock(EPOCH), lambda: 0.0).empty() is empty
