"""One suite for every failure destination: what the dispatcher relies on, whatever takes the documents.

    class TestNotes(DestinationContract):
        @pytest.fixture
        def lab(self, tmp_path: Path) -> NotesLab:
            return NotesLab(tmp_path)

The product's own destinations run it, and so do the tests of a plug-in. A lab makes the destination, and reads what
arrived there.
"""

from __future__ import annotations

import json
import uuid
from typing import Protocol

import pytest

from ...config.errors import SourceMissing
from ...dispatch.core.documents import Report
from ...dispatch.core.events import RecordsEnvelope
from ...dispatch.core.model import Attempt, DiscardReason, Failure, FunctionFailed, Lane, Position, Record
from ...dispatch.core.pages import Records
from ...dispatch.core.steps import DiscardStep
from ...dispatch.destinations.base import Destination
from ...dispatch.kinds.fragments import BatchInfo, shard_documents

ID = "11111111-1111-4111-8111-111111111111"
LANE = Lane("arn:aws:kinesis:us-east-1:000000000000:stream/s", "shardId-000000000000")
INFO = BatchInfo("KinesisBatchInfo", "milliseconds")
DOCUMENTS = shard_documents(INFO, "arn:aws:lambda:us-east-1:000000000000:function:f")
"""The documents of a mapping of a Kinesis stream: `DestinationRequest.document` of the suite."""
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


def report(reason: DiscardReason = DiscardReason.RETRIES_EXHAUSTED, *, unique: str = ID) -> Report:
    """The report of two discarded records of a Kinesis stream."""
    records = Records.of(
        [
            Record(LANE, "0049", {"a": 'caf\u00e9 \U0001f600 "quoted"'}, 1657720080.0, Position.parse("0049")),
            Record(LANE, "0050", {"a": 2}, 1657720080.9996, Position.parse("0050")),
        ]
    )
    attempt = Attempt("22222222-2222-4222-8222-222222222222", 0.0, 1.0, 200, "$LATEST", "Unhandled")
    step = DiscardStep(records, reason, attempt, 2, FunctionFailed(attempt, Failure.ERROR, "boom"))
    return Report(step, LANE, 1657720081.25, unique, lambda some: RecordsEnvelope().render(some))


class DestinationLab(Protocol):
    """One destination, seen from both sides."""

    with_event: bool
    """Whether it gets the event too, as a bucket does."""

    async def create(self) -> None:
        """Make what is written to. It is not there before."""
        ...

    async def destination(self) -> Destination: ...

    async def arrived(self, count: int) -> list[str]:
        """The documents that arrived, when at least so many did."""
        ...


@pytest.mark.anyio
class DestinationContract:
    """A subclass gives the fixture `lab`."""

    @pytest.fixture
    def anyio_backend(self) -> str:
        return "asyncio"

    async def test_the_document_arrives_to_the_letter(self, lab: DestinationLab) -> None:
        await lab.create()
        await (await lab.destination()).write(report())
        assert await lab.arrived(1) == [HEAD + (PAYLOAD if lab.with_event else "") + "}"]

    async def test_each_report_is_a_document_of_its_own(self, lab: DestinationLab) -> None:
        await lab.create()
        destination = await lab.destination()
        for reason in (DiscardReason.AGE_EXCEEDED, DiscardReason.OVERSIZED):
            await destination.write(report(reason, unique=str(uuid.uuid4())))
        documents = [json.loads(text) for text in await lab.arrived(2)]
        told = {each["requestContext"]["condition"]: each for each in documents}
        assert set(told) == {"RecordAgeExceeded", "MaximumPayloadSizeExceeded"}
        assert "responseContext" not in told["RecordAgeExceeded"]
        assert told["MaximumPayloadSizeExceeded"]["responseContext"] is None

    async def test_what_is_missing_is_named_and_found_when_it_comes(self, lab: DestinationLab) -> None:
        destination = await lab.destination()
        for call in (destination.probe, lambda: destination.write(report())):
            with pytest.raises(SourceMissing, match=f"^failure destination.* {destination.arn}: .*create it"):
                await call()
        await lab.create()
        await destination.probe()
        await destination.write(report())
        assert len(await lab.arrived(1)) == 1
