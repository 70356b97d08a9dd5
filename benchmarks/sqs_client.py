"""G5: what SQS costs without all else: receive ten, make records of them, delete them; MD5 checked.

    python benchmarks/sqs_client.py [--rounds 7] [--quick]

Beside it: plain aiobotocore with the same two calls, without a check and without records. CPU time of the process.
"""

from __future__ import annotations

import sys
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from aiobotocore.session import get_session
from measuring.in_process import KEYS, counted, run_of
from measuring.ratios import Sample
from measuring.report import Report
from measuring.sources import source

from headrace.config.clients.aws import AwsSettings, Clients
from headrace.config.clock import SystemClock
from headrace.config.fields.arn import Arn
from headrace.dispatch.core.model import DELIVERED, Settlement
from headrace.pollers.sqs.source import QueueSettings, SqsSource

ARN = "arn:aws:sqs:us-east-1:000000000000:q"
WARM = 300


async def ours(count: int, directory: Path) -> Sample:
    with source(directory) as stub:
        stub.queue("q", count + WARM)
        stub.open("q")
        settings = AwsSettings(stub.url, region="us-east-1", access_key_id="test", secret_access_key="test")
        async with Clients(settings) as clients:
            client = await clients.get("sqs")

            async def connect() -> Any:
                return client

            queue = QueueSettings(Arn.parse(ARN), 0, 3.0, 5, stub.url)
            sqs = SqsSource(queue, connect, SystemClock(), lambda: 0.0)
            await sqs.open()
            reader = await sqs.reader("feed")

            async def take(number: int) -> None:
                while number > 0:
                    fetched = await reader.fetch(10, None)
                    assert not await reader.settle([Settlement(fetched.records, DELIVERED)])
                    number -= len(fetched.records)

            await take(WARM)
            return await counted(count, partial(take, count))


async def plain(count: int, directory: Path) -> Sample:
    with source(directory) as stub:
        stub.queue("q", count + WARM)
        stub.open("q")
        url = f"{stub.url}/000000000000/q"
        async with get_session().create_client("sqs", endpoint_url=stub.url, **KEYS) as client:

            async def take(number: int) -> None:
                while number > 0:
                    reply = await client.receive_message(
                        QueueUrl=url,
                        MaxNumberOfMessages=10,
                        WaitTimeSeconds=5,
                        AttributeNames=["All"],
                        MessageAttributeNames=["All"],
                    )
                    messages = reply["Messages"]
                    entries = [{"Id": str(at), "ReceiptHandle": m["ReceiptHandle"]} for at, m in enumerate(messages)]
                    await client.delete_message_batch(QueueUrl=url, Entries=entries)
                    number -= len(messages)

            await take(WARM)
            return await counted(count, partial(take, count))


def main() -> int:
    report = Report.from_arguments(__doc__, rounds=7)
    report.versions["aiobotocore"] = f"aiobotocore {version('aiobotocore')}"
    count = report.size(500, 5_000)
    rounds = report.rounds({"ours": run_of(partial(ours, count)), "aiobotocore": run_of(partial(plain, count))})
    report.compare("G5", "aiobotocore", rounds, "aiobotocore", lambda sample: sample.cpu_rate, "messages/s of CPU")
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
