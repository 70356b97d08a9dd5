"""What the dispatcher relies on, asked of every failure destination: the shipped fake, and SQS, SNS and S3 on each
server."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator

import orjson
import pytest

from headrace.config.clients.aws import AwsSettings, Clients
from headrace.config.errors import SourceMissing
from headrace.dispatch.core.model import DiscardReason
from support.destination_labs import ACCOUNTS, LABS, Lab, MemoryLab, report

HEAD = (
    '{"requestContext":{"requestId":"22222222-2222-4222-8222-222222222222",'
    '"functionArn":"arn:aws:lambda:us-east-1:000000000000:function:f","condition":"RetryAttemptsExhausted",'
    '"approximateInvokeCount":2},'
    '"responseContext":{"statusCode":200,"executedVersion":"$LATEST","functionError":"Unhandled"},'
    '"version":"1.0","timestamp":"2022-07-13T13:48:01.250Z",'
    '"KinesisBatchInfo":{"shardId":"shardId-000000000000","startSequenceNumber":"0049","endSequenceNumber":"0050",'
    '"approximateArrivalOfFirstRecord":"2022-07-13T13:48:00.000Z",'
    '"approximateArrivalOfLastRecord":"2022-07-13T13:48:00.999Z","batchSize":2,'
    '"streamArn":"arn:aws:kinesis:us-east-1:000000000000:stream/s"}'
)
PAYLOAD = ',"payload":"{\\"Records\\":[{\\"a\\":\\"caf\u00e9 \U0001f600 \\\\\\"quoted\\\\\\"\\"},{\\"a\\":2}]}"'


@pytest.fixture(params=["memory", *(f"{kind}-{server}" for server in ACCOUNTS for kind in LABS)])
async def lab(request: pytest.FixtureRequest) -> AsyncIterator[Lab]:
    if request.param == "memory":
        yield MemoryLab()
        return
    kind, server = request.param.split("-")
    endpoint = request.getfixturevalue(server).endpoint_url
    async with Clients(AwsSettings(endpoint_url=endpoint, region="us-east-1")) as clients:
        yield LABS[kind](clients, ACCOUNTS[server])


@pytest.mark.semantics("DEST-05", "DEST-06", "DEST-07")
async def test_the_document_arrives_to_the_letter(lab: Lab) -> None:
    await lab.create()
    await (await lab.destination()).write(report())
    assert await lab.arrived(1) == [HEAD + (PAYLOAD if lab.with_event else "") + "}"]


async def test_each_report_is_a_document_of_its_own(lab: Lab) -> None:
    await lab.create()
    destination = await lab.destination()
    for reason in (DiscardReason.AGE_EXCEEDED, DiscardReason.OVERSIZED):
        await destination.write(report(reason, unique=str(uuid.uuid4())))
    documents = [orjson.loads(text) for text in await lab.arrived(2)]
    told = {each["requestContext"]["condition"]: each for each in documents}
    assert set(told) == {"RecordAgeExceeded", "MaximumPayloadSizeExceeded"}
    assert "responseContext" not in told["RecordAgeExceeded"]
    assert told["MaximumPayloadSizeExceeded"]["responseContext"] is None


@pytest.mark.semantics("DEST-09", "DEST-12")
async def test_what_is_missing_is_named_and_found_when_it_comes(lab: Lab) -> None:
    destination = await lab.destination()
    for call in (destination.probe, lambda: destination.write(report())):
        with pytest.raises(SourceMissing, match=f"^failure destination.* {destination.arn}: .*create it"):
            await call()
    await lab.create()
    await destination.probe()
    await destination.write(report())
    assert len(await lab.arrived(1)) == 1
