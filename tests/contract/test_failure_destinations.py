"""The suite of `headrace.service.testing.destination_contract`, for the shipped fake, a plug-in's destination, and SQS,
SNS and S3 on each server."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from headrace.config.clients.aws import AwsSettings, Clients
from headrace.service.testing.destination_contract import DestinationContract, DestinationLab
from support.destination_labs import ACCOUNTS, LABS, MemoryLab, PluginLab

pytest.mark.semantics("DEST-05", "DEST-06", "DEST-07")(DestinationContract.test_the_document_arrives_to_the_letter)
pytest.mark.semantics("DEST-09", "DEST-12")(DestinationContract.test_what_is_missing_is_named_and_found_when_it_comes)


class TestFailureDestinations(DestinationContract):
    @pytest.fixture(params=["memory", "plugin", *(f"{kind}-{server}" for server in ACCOUNTS for kind in LABS)])
    async def lab(self, request: pytest.FixtureRequest) -> AsyncIterator[DestinationLab]:
        kind, _, server = request.param.partition("-")
        if not server:
            yield MemoryLab() if kind == "memory" else PluginLab()
            return
        endpoint = request.getfixturevalue(server).endpoint_url
        async with Clients(AwsSettings(endpoint_url=endpoint, region="us-east-1")) as clients:
            yield LABS[kind](clients, ACCOUNTS[server])
