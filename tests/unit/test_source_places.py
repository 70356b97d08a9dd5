"""Where a source is, as the first lines of the log tell it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from headrace.config.clients.aws import AwsSettings, Clients
from headrace.config.kinds import sqs
from headrace.config.kinds.profile import SourceKind
from headrace.config.mapping import EventSourceMapping
from headrace.service.wiring.endpoints import HERE, ServiceEndpoints

ENDPOINT = "http://127.0.0.1:9"
BROKERS = {"endpoints": {"KAFKA_BOOTSTRAP_SERVERS": ["b:9092"]}}


class OfFiles(EventSourceMapping):
    """A mapping of a kind that calls no service and names no servers."""

    @property
    def profile(self) -> SourceKind:
        return replace(sqs.STANDARD, services=lambda mapping: ())


QUEUE = {"name": "m", "source": "arn:aws:sqs:us-east-1:000000000000:q", "function": "f"}
TOPIC = {"name": "m", "self_managed_event_source": BROKERS, "topics": ["t"], "function": "f"}


@pytest.mark.parametrize(
    ("mapping", "place"),
    [
        (EventSourceMapping.model_validate(QUEUE), ENDPOINT),
        (EventSourceMapping.model_validate(TOPIC), "b:9092"),
        (OfFiles.model_validate(QUEUE), HERE),
    ],
    ids=["a service's endpoint", "its own servers", "neither"],
)
async def test_the_place_of_a_source(mapping: EventSourceMapping, place: str) -> None:
    async with Clients(AwsSettings(endpoint_url=ENDPOINT)) as clients:
        endpoints = await ServiceEndpoints.find([mapping], clients)
        assert endpoints.told(mapping) == place
