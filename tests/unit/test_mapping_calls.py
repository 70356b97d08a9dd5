"""The calls of event source mappings, past HTTP: what they look at, and what they show."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from headrace.config.kinds import kinesis, sqs
from support.function_api import creation
from support.mapping_requests import KINESIS, QUEUE, SQS, STREAM
from support.whole_api import WholeApi, whole_api


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[WholeApi]:
    async with whole_api(tmp_path) as api:
        await api.ask("CreateFunction", **creation())
        yield api


async def created(api: WholeApi, request: dict[str, Any], **more: Any) -> Any:
    return await api.ask("CreateEventSourceMapping", **{**request, "FunctionName": "orders", **more})


async def listed(api: WholeApi) -> dict[str, Any]:
    """By UUID."""
    answer = await api.ask("ListEventSourceMappings")
    return {each["UUID"]: each for each in answer["EventSourceMappings"]}


@pytest.mark.semantics("ESM-13")
async def test_a_source_that_is_not_there_lets_no_mapping_be_made(api: WholeApi) -> None:
    stream, before = STREAM.replace("orders", "missing"), await listed(api)
    assert sqs.STANDARD.api.missing in await created(api, SQS, EventSourceArn=QUEUE.replace("orders", "missing"))
    assert kinesis.STREAM.api.missing.format(source=stream) in await created(api, KINESIS, EventSourceArn=stream)
    assert await listed(api) == before


@pytest.mark.semantics("ESM-03")
async def test_filters_that_a_key_encrypts_are_shown_alone_and_in_no_list(api: WholeApi) -> None:
    filters = {"Filters": [{"Pattern": '{"body":["a"]}'}]}
    key = "arn:aws:kms:us-east-1:000000000000:key/1"
    made = await created(api, SQS, FilterCriteria=filters, KMSKeyArn=key)
    found = await api.ask("GetEventSourceMapping", UUID=made["UUID"])
    entry = (await listed(api))[made["UUID"]]
    assert made["FilterCriteria"] == found["FilterCriteria"] == filters
    assert "FilterCriteria" not in entry
    assert entry["KMSKeyArn"] == key
