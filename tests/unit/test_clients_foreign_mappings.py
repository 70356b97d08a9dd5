"""Finding the mappings that the emulator has for the same source."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from headrace.config.clients import foreign_mappings
from headrace.config.clients.emulator_mappings import EmulatorMappings
from headrace.config.clients.foreign_mappings import ForeignMapping

QUEUE = "arn:aws:sqs:us-east-1:000000000000:orders"
STREAM = "arn:aws:kinesis:us-east-1:000000000000:stream/orders"
FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:"


class Lambda:
    """A Lambda API with pages of mappings, or one that refuses."""

    def __init__(self, *pages: list[dict[str, Any]], refuses: Exception | None = None) -> None:
        self.pages, self.refuses = pages, refuses

    async def list_event_source_mappings(self, EventSourceArn: str = "", Marker: str = "0") -> dict[str, Any]:  # noqa: N803
        if self.refuses:
            raise self.refuses
        number = int(Marker)
        following = {"NextMarker": str(number + 1)} if number + 1 < len(self.pages) else {}
        return {"EventSourceMappings": self.pages[number], **following}


def mapping(uuid: str, function: str, source: str = QUEUE, state: str = "Enabled") -> dict[str, Any]:
    return {"UUID": uuid, "EventSourceArn": source, "FunctionArn": FUNCTION + function, "State": state}


async def test_pages_are_read_and_the_function_is_compared_by_name() -> None:
    client = Lambda([mapping("a", "orders")], [mapping("b", "orders:live"), mapping("c", "orders2")])
    found = await foreign_mappings.find(client, QUEUE, "orders")
    assert [(each.uuid, each.same_function) for each in found] == [("a", True), ("b", True), ("c", False)]


@pytest.mark.semantics("TAKE-22")
async def test_all_pages_of_an_emulators_mappings_are_read() -> None:
    client = Lambda([mapping("A", "orders")], [], [mapping("b", "orders:live", STREAM, "Disabled")])
    assert list(await EmulatorMappings(client).all()) == ["a", "b"]


@pytest.mark.parametrize(
    "name", ["orders", "orders:1", "function:orders", FUNCTION + "orders", FUNCTION + "orders:live"]
)
async def test_our_function_may_be_named_in_any_way(name: str) -> None:
    (found,) = await foreign_mappings.find(Lambda([mapping("a", "orders")]), QUEUE, name)
    assert found.same_function


async def test_other_sources_and_dormant_mappings_are_none() -> None:
    client = Lambda(
        [mapping("a", "f", STREAM), mapping("b", "f", state="Disabled"), mapping("c", "f", state="Deleting")]
    )
    assert await foreign_mappings.find(client, QUEUE, "f") == ()


@pytest.mark.parametrize(
    "refusal",
    [
        EndpointConnectionError(endpoint_url="http://x:1"),
        ClientError({"Error": {"Code": "InternalFailure"}, "ResponseMetadata": {"HTTPStatusCode": 501}}, "List"),
        ClientError({"Error": {"Code": "ResourceNotFoundException"}}, "List"),
        ClientError({"Error": {"Code": "AccessDenied"}, "ResponseMetadata": {"HTTPStatusCode": 403}}, "List"),
    ],
)
async def test_an_absent_api_is_quiet(refusal: Exception) -> None:
    assert await foreign_mappings.find(Lambda(refuses=refusal), QUEUE, "f") == ()


@pytest.mark.parametrize(
    ("source", "same", "competing", "words"),
    [
        (QUEUE, True, True, "both would invoke"),
        (QUEUE, False, True, "never sees"),
        (STREAM, False, False, "both would read"),
    ],
)
def test_the_warning_says_what_happens_and_what_to_do(source: str, same: bool, competing: bool, words: str) -> None:
    text = ForeignMapping("uuid-1", source, FUNCTION + "orders", same, competing).text
    assert words in text
    assert "uuid-1" in text
    assert source in text
    assert "disable it there" in text
