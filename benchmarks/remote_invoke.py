"""G4: what one signed call of Invoke costs, with an event of ten records.

    python benchmarks/remote_invoke.py [--rounds 7] [--quick]

Beside it: plain aiobotocore's invoke, which reads the answer. CPU time of the process.
"""

from __future__ import annotations

import json
import sys
import uuid
from functools import partial
from importlib.metadata import version
from pathlib import Path

from aiobotocore.session import get_session
from measuring.in_process import KEYS, counted, run_of
from measuring.payloads import bodies
from measuring.ratios import Sample
from measuring.report import Report
from measuring.sources import source

from headrace.config.clients.aws import AwsSettings, Clients
from headrace.config.clock import SystemClock
from headrace.dispatch.core.model import Returned
from headrace.dispatch.invokers.base import Invocation
from headrace.dispatch.invokers.remote import RemoteInvoker

WARM = 50


def events(number: int) -> list[bytes]:
    texts = bodies(number * 10)
    return [json.dumps({"Records": texts[at : at + 10]}).encode() for at in range(0, len(texts), 10)]


async def ours(count: int, directory: Path) -> Sample:
    payloads = events(count)
    with source(directory) as stub:
        settings = AwsSettings(stub.url, region="us-east-1", access_key_id="test", secret_access_key="test")
        async with Clients(settings) as clients:
            invoker = RemoteInvoker(await clients.get("lambda"), "orders", clock=SystemClock(), timeout=3.0)

            async def take(number: int) -> None:
                for payload in payloads[:number]:
                    reply = await invoker.invoke(Invocation(payload, str(uuid.uuid4())))
                    assert isinstance(reply, Returned), reply

            await take(WARM)
            return await counted(count, partial(take, count))


async def plain(count: int, directory: Path) -> Sample:
    payloads = events(count)
    with source(directory) as stub:
        async with get_session().create_client("lambda", endpoint_url=stub.url, **KEYS) as client:

            async def take(number: int) -> None:
                for payload in payloads[:number]:
                    reply = await client.invoke(FunctionName="orders", Payload=payload)
                    assert await reply["Payload"].read() == b"null"

            await take(WARM)
            return await counted(count, partial(take, count))


def main() -> int:
    report = Report.from_arguments(__doc__, rounds=7)
    report.versions["aiobotocore"] = f"aiobotocore {version('aiobotocore')}"
    count = report.size(100, 800)
    rounds = report.rounds({"ours": run_of(partial(ours, count)), "aiobotocore": run_of(partial(plain, count))})
    report.compare("G4", "aiobotocore", rounds, "aiobotocore", lambda sample: sample.cpu_rate, "calls/s of CPU")
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
