"""The documents that reach queues, topics and buckets, and the reports when a destination refuses one, on real
servers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import orjson
import pytest

from headrace.config.clients.aws import AwsSettings, Clients
from headrace.config.clock import SystemClock
from headrace.config.errors import SourceMissing, SourceRefused, SourceUnavailable
from headrace.config.fields.arn import Arn
from headrace.dispatch.core.backoff import Backoff
from headrace.dispatch.core.events import RecordsEnvelope
from headrace.dispatch.core.model import Lane, Position, Record
from headrace.dispatch.core.pages import Records
from headrace.dispatch.destinations.aws import make_destination
from headrace.dispatch.destinations.base import Destination
from headrace.dispatch.destinations.persistence import FailureDestination, GivenUp, Persistence, Written
from headrace.dispatch.kinds import dynamodb, kinesis
from headrace.dispatch.kinds.fragments import shard_documents
from headrace.service.testing.destination_contract import report
from support.destination_labs import ACCOUNTS, KEY, LABS, MAPPING, S3Lab, SqsLab
from support.rigs import discards_to
from support.servers.running import free_port
from support.world import Watch

QUICK = Persistence(backoff=Backoff(base=0.01))


@pytest.fixture(params=list(ACCOUNTS))
def server(request: pytest.FixtureRequest) -> str:
    request.getfixturevalue(request.param)
    return str(request.param)


@pytest.fixture
async def clients(server: str, request: pytest.FixtureRequest) -> AsyncIterator[Clients]:
    endpoint = request.getfixturevalue(server).endpoint_url
    async with Clients(AwsSettings(endpoint_url=endpoint, region="us-east-1")) as clients:
        yield clients


@pytest.fixture
async def queue(clients: Clients, server: str) -> SqsLab:
    return SqsLab(clients, ACCOUNTS[server])


@pytest.fixture
async def bucket(clients: Clients, server: str) -> S3Lab:
    bucket = S3Lab(clients, ACCOUNTS[server])
    await bucket.create()
    return bucket


def persistent(destination: Destination) -> FailureDestination:
    return discards_to(destination, Watch(), clock=SystemClock(), mapping="m", persistence=QUICK)


@pytest.mark.semantics("DEST-07", "DEST-13")
async def test_an_object_that_is_written_again_is_one_object_under_the_key_of_the_first(bucket: S3Lab) -> None:
    destination = await bucket.destination()
    for _ in range(2):
        await destination.write(report())
    assert list(await bucket.objects()) == [KEY]


@pytest.mark.semantics("DEST-07", "DEST-10")
async def test_an_event_of_the_largest_size_arrives_whole_in_a_bucket(bucket: S3Lab) -> None:
    """Quotes double in a string: the object is larger than any event."""
    large = Record(Lane("s", "shard"), "1", {"pad": '"' * 2_900_000}, 0.0, Position(1))
    event = RecordsEnvelope().render(Records.of([large]))
    assert 5_500_000 < len(event) < 6_291_456
    await (await bucket.destination()).write(replace(report(), render=lambda _: event))
    (body,) = await bucket.arrived(1)
    assert orjson.loads(body)["payload"].encode() == event


@pytest.mark.semantics("DEST-05")
async def test_the_document_of_a_table_has_whole_seconds(queue: SqsLab) -> None:
    await queue.create()
    documents = shard_documents(dynamodb.BATCH_INFO, "f")
    destination = await make_destination(Arn.parse(queue.arn), queue.clients, documents, MAPPING)
    await destination.write(report())
    (body,) = await queue.arrived(1)
    assert body.endswith(
        '"DDBStreamBatchInfo":{"shardId":"shardId-000000000000","startSequenceNumber":"0049",'
        '"endSequenceNumber":"0050","approximateArrivalOfFirstRecord":"2022-07-13T13:48:00Z",'
        '"approximateArrivalOfLastRecord":"2022-07-13T13:48:00Z","batchSize":2,'
        '"streamArn":"arn:aws:kinesis:us-east-1:000000000000:stream/s"}}'
    )


@pytest.mark.semantics("DEST-12")
async def test_a_document_over_the_queues_limit_is_a_cause_and_no_crash(queue: SqsLab) -> None:
    await queue.create()
    client = await queue.clients.get("sqs")
    await client.set_queue_attributes(QueueUrl=queue.url, Attributes={"MaximumMessageSize": "1024"})
    long = shard_documents(kinesis.BATCH_INFO, "arn:aws:lambda:us-east-1:000000000000:function:" + "f" * 1024)
    destination = await make_destination(Arn.parse(queue.arn), queue.clients, long, MAPPING)
    with pytest.raises(SourceRefused, match=queue.arn):
        await destination.write(report())
    ending = await persistent(destination).handover(report()).run()
    assert isinstance(ending, GivenUp)
    assert queue.arn in str(ending.cause)


@pytest.mark.semantics("DEST-12")
async def test_a_queue_that_was_made_anew_is_found_again(queue: SqsLab) -> None:
    await queue.create()
    destination = await queue.destination()
    await destination.write(report())
    client = await queue.clients.get("sqs")
    await client.delete_queue(QueueUrl=queue.url)
    with pytest.raises(SourceMissing, match="create it"):
        await destination.write(report())
    await queue.create()
    await destination.write(report())
    assert len(await queue.arrived(1)) == 1


@pytest.mark.semantics("DEST-09")
@pytest.mark.parametrize("kind", list(LABS))
async def test_a_destination_that_comes_after_the_start_is_noticed(clients: Clients, server: str, kind: str) -> None:
    lab = LABS[kind](clients, ACCOUNTS[server])
    failure = persistent(await lab.destination())
    await failure.probe()
    assert lab.arn in str(failure.trouble)
    await lab.create()
    await failure.probe()
    assert failure.trouble is None
    assert await failure.handover(report()).run() == Written(lab.arn)


async def test_a_server_that_is_away_is_a_passing_fault_and_named() -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    async with Clients(AwsSettings(endpoint_url=nobody, region="us-east-1")) as clients:
        for lab in (kind(clients, "000000000000") for kind in LABS.values()):
            destination = await lab.destination()
            for call in (destination.probe, lambda destination=destination: destination.write(report())):
                with pytest.raises(SourceUnavailable, match=lab.arn):
                    await call()
