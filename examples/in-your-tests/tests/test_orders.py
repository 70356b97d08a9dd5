"""The configuration and its function, with queues and streams in memory."""

from __future__ import annotations

import pytest


@pytest.fixture
def daemon(headrace):
    return headrace("../headrace.yaml")


def test_orders_that_are_created_are_shipped(daemon):
    daemon.send("orders-queue", {"type": "created", "id": 1}, {"type": "cancelled", "id": 2})
    daemon.until_idle()
    (invocation,) = daemon.invocations("orders")
    assert [record["body"] for record in invocation.records] == ['{"type": "created", "id": 1}']
    assert invocation.response == {"batchItemFailures": []}


def test_an_order_that_is_not_there_is_discarded_and_the_others_are_shipped(daemon):
    daemon.send("orders-stream", {"id": 1}, {"id": -2}, {"id": 3})
    daemon.until_idle()
    (discarded,) = daemon.discarded("orders-stream")
    assert discarded.reason == "RetryAttemptsExhausted"
    assert discarded.destination == "arn:aws:sqs:us-east-1:000000000000:failed"
    assert any("no such order: -2" in invocation.error for invocation in daemon.invocations())


def test_nothing_is_left_of_the_test_before(daemon):
    daemon.until_idle()
    assert daemon.invocations() == []
