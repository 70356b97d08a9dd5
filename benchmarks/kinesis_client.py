"""G6: what GetRecords costs: pages of 1,000 records of 1 KB, until there are the records that the loop works with.

    python benchmarks/kinesis_client.py [--rounds 7] [--quick]

Beside it: plain aiobotocore's get_records alone. CPU time of the process.
"""

from __future__ import annotations

import sys
from functools import partial
from importlib.metadata import version
from pathlib import Path

from aiobotocore.session import get_session
from measuring.in_process import KEYS, counted, run_of
from measuring.ratios import Sample
from measuring.report import Report
from measuring.sources import source

from headrace.config.clients.aws import AwsSettings, Clients
from headrace.config.clock import SystemClock
from headrace.config.fields.arn import Arn
from headrace.pollers.checkpoints.store import BEGINNING
from headrace.pollers.kinesis.service import KinesisService
from headrace.pollers.streams.polled_shard import Cadence

ARN = "arn:aws:kinesis:us-east-1:000000000000:stream/s"
SHARD = "shardId-000000000000"
PAGE = 1_000
WARM = 2_000
UNPACED = Cadence(idle=0.0, calls_per_second=None, bytes_per_second=None, page=PAGE)


async def ours(count: int, directory: Path) -> Sample:
    with source(directory) as stub:
        stub.stream("s", count + WARM, 1)
        stub.open("s")
        settings = AwsSettings(stub.url, region="us-east-1", access_key_id="test", secret_access_key="test")
        async with Clients(settings) as clients:
            client = await clients.get("kinesis")
            service = KinesisService(Arn.parse(ARN), client, SystemClock(), role="", cadence=UNPACED)
            pages = service.pages(ARN, SHARD, BEGINNING)

            async def take(number: int) -> None:
                while number > 0:
                    number -= len((await pages.next(PAGE, None)).records)

            await take(WARM)
            return await counted(count, partial(take, count))


async def plain(count: int, directory: Path) -> Sample:
    with source(directory) as stub:
        stub.stream("s", count + WARM, 1)
        stub.open("s")
        async with get_session().create_client("kinesis", endpoint_url=stub.url, **KEYS) as client:
            begin = {"StreamName": "s", "ShardId": SHARD, "ShardIteratorType": "TRIM_HORIZON"}
            iterator = (await client.get_shard_iterator(**begin))["ShardIterator"]

            async def take(number: int) -> None:
                nonlocal iterator
                while number > 0:
                    reply = await client.get_records(ShardIterator=iterator, Limit=PAGE)
                    iterator = reply["NextShardIterator"]
                    number -= len(reply["Records"])

            await take(WARM)
            return await counted(count, partial(take, count))


def main() -> int:
    report = Report.from_arguments(__doc__, rounds=7)
    report.versions["aiobotocore"] = f"aiobotocore {version('aiobotocore')}"
    count = report.size(5_000, 30_000)
    rounds = report.rounds({"ours": run_of(partial(ours, count)), "aiobotocore": run_of(partial(plain, count))})
    report.compare("G6", "aiobotocore", rounds, "aiobotocore", lambda sample: sample.cpu_rate, "records/s of CPU")
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
