"""Tags of event source mappings, when several set and take them away at once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from pathlib import Path
from typing import Any

import anyio
import pytest

from support.function_api import creation
from support.mapping_requests import SQS
from support.whole_api import WholeApi, whole_api


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[WholeApi]:
    async with whole_api(tmp_path) as api:
        await api.ask("CreateFunction", **creation())
        yield api


async def mapping(api: WholeApi, tags: Iterable[str]) -> str:
    """The ARN of a new one."""
    made = await api.ask(
        "CreateEventSourceMapping", **{**SQS, "FunctionName": "orders"}, Tags=dict.fromkeys(tags, "before")
    )
    return str(made["EventSourceMappingArn"])


async def at_once(api: WholeApi, arn: str, calls: Iterable[tuple[str, Mapping[str, Any]]]) -> list[Any]:
    """What each is answered, those that were refused last."""
    answers: list[Any] = []

    async def ask(operation: str, parameters: Mapping[str, Any]) -> None:
        answers.append(await api.ask(operation, Resource=arn, **parameters))

    async with anyio.create_task_group() as tasks:
        for operation, parameters in calls:
            tasks.start_soon(ask, operation, parameters)
    return sorted(answers, key=lambda answer: isinstance(answer, str))


def setting(*keys: str) -> list[tuple[str, Mapping[str, Any]]]:
    return [("TagResource", {"Tags": {key: "after"}}) for key in keys]


def taking(*keys: str) -> list[tuple[str, Mapping[str, Any]]]:
    return [("UntagResource", {"TagKeys": [key]}) for key in keys]


@pytest.mark.semantics("ESM-22")
async def test_calls_at_once_lose_no_tag_and_bring_none_back(api: WholeApi) -> None:
    arn = await mapping(api, ["stays", "goes", "goes-too"])
    answers = await at_once(api, arn, [*setting("a", "b", "c"), *taking("goes", "goes-too"), *setting("d")])
    assert answers == [{}] * 6
    left = {"stays": "before", **dict.fromkeys("abcd", "after")}
    assert await api.ask("ListTags", Resource=arn) == {"Tags": left}


@pytest.mark.semantics("ESM-22")
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [(":000000000000:", ":111111111111:"), (":us-east-1:", ":eu-west-1:")],
    ids=["account", "region"],
)
async def test_a_mapping_of_another_account_or_region_is_none_of_ours(api: WholeApi, ours: str, theirs: str) -> None:
    arn = await mapping(api, ["stays"])
    other = arn.replace(ours, theirs)
    for operation, parameters in (("TagResource", {"Tags": {"a": ""}}), ("UntagResource", {"TagKeys": ["stays"]})):
        assert f"Event source mapping not found: {other}" in await api.ask(operation, Resource=other, **parameters)
    assert f"Event source mapping not found: {other}" in await api.ask("ListTags", Resource=other)
    assert await api.ask("ListTags", Resource=arn) == {"Tags": {"stays": "before"}}


@pytest.mark.semantics("ESM-22")
async def test_calls_at_once_do_not_pass_the_limit_together(api: WholeApi) -> None:
    arn = await mapping(api, map(str, range(48)))
    answers = await at_once(api, arn, setting("a", "b", "c", "d"))
    assert answers[:2] == [{}, {}]
    assert all("Number of tags exceeds resource tag limit." in each for each in answers[2:])
    assert len((await api.ask("ListTags", Resource=arn))["Tags"]) == 50
