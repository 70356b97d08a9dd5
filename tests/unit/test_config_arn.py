from __future__ import annotations

import pytest

from headrace.config.fields.arn import Arn, ArnError
from headrace.config.kinds import dynamodb, kinesis
from headrace.config.kinds.table import check_form


def test_an_arn_is_read_and_written_back_unchanged() -> None:
    text = "arn:aws-cn:lambda:cn-north-1:123456789012:function:orders:live"
    arn = Arn.parse(text)
    assert (arn.partition, arn.service, arn.region, arn.account) == ("aws-cn", "lambda", "cn-north-1", "123456789012")
    assert arn.resource == "function:orders:live"
    assert str(arn) == text


@pytest.mark.parametrize(
    ("text", "queue", "fifo"),
    [
        ("arn:aws:sqs:us-east-1:000000000000:orders", "orders", False),
        ("arn:aws:sqs:us-east-1:000000000000:orders.fifo", "orders.fifo", True),
        ("arn:aws:sqs:elasticmq:000000000000:orders", "orders", False),
    ],
)
def test_queues(text: str, queue: str, fifo: bool) -> None:
    assert (Arn.parse(text).resource, Arn.parse(text).is_fifo) == (queue, fifo)


def test_streams_consumers_and_tables() -> None:
    stream = Arn.parse("arn:aws:kinesis:us-east-1:000000000000:stream/s/consumer/c:1")
    table = Arn.parse("arn:aws:dynamodb:us-east-1:000000000000:table/T/stream/2024-01-01T00:00:00.000")
    assert (kinesis.stream_of(stream), kinesis.consumer_of(stream)) == ("s", "c")
    assert (dynamodb.table_of(table), dynamodb.label_of(table)) == ("T", "2024-01-01T00:00:00.000")
    assert kinesis.consumer_of(Arn.parse("arn:aws:kinesis:us-east-1:000000000000:stream/s")) == ""
    assert dynamodb.label_of(Arn.parse("arn:aws:dynamodb:ddblocal:000000000000:table/T")) == ""


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("orders", "is not an ARN"),
        ("arn:aws:sqs:orders", "4 of the 6 parts"),
        ("arn:azure:sqs:us-east-1:000000000000:orders", "partition 'azure'"),
        ("arn:aws::us-east-1:000000000000:orders", "service ''"),
        ("arn:aws:sqs:us east:000000000000:orders", "region 'us east'"),
        ("arn:aws:sqs:us-east-1:0:orders", "account '0'"),
        ("arn:aws:sqs:us-east-1:000000000000:", "names no resource"),
        ("arn:aws:sqs:us-east-1:000000000000:a b", "queue name 'a b'"),
        ("arn:aws:sqs:us-east-1:000000000000:" + "a" * 81, "queue name"),
        ("arn:aws:sqs:::orders", "no region or no account"),
        ("arn:aws:kinesis:us-east-1::stream/s", "no region or no account"),
        ("arn:aws:kinesis:us-east-1:000000000000:s", "resource 's': stream/<name>"),
        ("arn:aws:kinesis:us-east-1:000000000000:stream/s/consumer", "resource 'stream/s/consumer'"),
        ("arn:aws:dynamodb:us-east-1:000000000000:T", "resource 'T': table/<name>"),
        ("arn:aws:dynamodb:us-east-1:000000000000:table/T/index/i", "resource 'table/T/index/i'"),
    ],
)
def test_the_message_says_which_part_is_wrong(text: str, part: str) -> None:
    with pytest.raises(ArnError) as caught:
        check_form(Arn.parse(text))
    assert part in str(caught.value)
