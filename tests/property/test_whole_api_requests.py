"""Whatever is sent to the whole Lambda API, one request after another: no fault of ours, answers that a client
understands, and nothing changed by what was refused. What is stored in the end is what a restart finds."""

from __future__ import annotations

import base64
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from headrace.service.api.core.field_support_tables import SERVED
from headrace.service.api.wire.call import Answer, Call, Serve
from support import api_model
from support.api_lab import Reply, Web, web
from support.api_requests import Asked, bent, fitting, varied, wild
from support.counts import count
from support.function_api import ARN, ROLE, ZIP, creation, zipped
from support.mapping_requests import CLUSTER, DYNAMODB, FIFO, KAFKA, KINESIS, MSK, QUEUE, SQS, STREAM, TABLE
from support.whole_api import FILED_UUID, WholeApi, over_http, whole_api

LENGTH = 10
"""Requests one after another."""
MANY = settings(
    max_examples=count(25, 10_000 // LENGTH),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)
NEWEST = "11111111-1111-4111-8111-111111111111"
"""Stands for the mapping that was made last."""
REVISION = "22222222-2222-4222-8222-222222222222"
"""Stands for the revision that `orders` has."""
DEAD = "arn:aws:sqs:us-east-1:000000000000:dead"
ESM = "arn:aws:lambda:us-east-1:000000000000:event-source-mapping:"
OTHERS = [ARN.replace("orders", "nobody"), f"{ARN}:live", f"{ESM}{NEWEST}", f"{ESM}{FILED_UUID}", "arn:aws:s3:::b"]
BILLS = ARN.replace("orders", "bills")

MEANT: Mapping[str, Any] = {
    "FunctionName": [
        *["orders"] * 6,
        "bills",
        "fresh",
        "fresh",
        "filed",
        ARN,
        "orders:live",
        "orders:1",
        "nobody",
        "a b",
    ],
    "Qualifier": ["1", "2", "9", "live", "dead", "$LATEST", "a$b"],
    "Name": ["live", "blue", "dead", "1"],
    "FunctionVersion": ["1", "2", "9", "$LATEST"],
    "Role": [ROLE, ROLE, ROLE, "r"],
    "Runtime": ["python3.12", "python3.12", "nodejs22.x", "java8", "cobol"],
    "Handler": ["app.handler", "b.handler", "b.handler", "a b"],
    "Code": [{"ZipFile": ZIP}, {"ZipFile": zipped({"b.py": "pass"})}, {"S3Bucket": "none", "S3Key": "k"}, {}],
    "ZipFile": [ZIP, zipped({"c.py": "pass"}), b"no zip"],
    "Description": ["", "text", "größer", "x" * 300],
    "Timeout": [1, 3, 900, 901, 0],
    "MemorySize": [128, 512, 10_240, 10_241],
    "Variables": [{}, {"STAGE": "x"}, {"AWS_REGION": "x"}, {"A" * 10: "v" * 4080}],
    "VpcConfig": [{}, {"SubnetIds": ["s"], "SecurityGroupIds": ["g"]}, {"SubnetIds": []}],
    "DeadLetterConfig": [{}, {"TargetArn": DEAD}, {"TargetArn": ""}],
    "LoggingConfig": [{}, {"LogFormat": "JSON"}, {"LogFormat": "Text"}, {"SystemLogLevel": "WARN"}, {"LogGroup": "g"}],
    "PublishTo": [""],
    "PackageType": ["Zip"],
    "Layers": [[], ["arn:aws:lambda:us-east-1:000000000000:layer:x:1"]],
    "KMSKeyArn": ["", "arn:aws:kms:us-east-1:000000000000:key/00000000-0000-0000-0000-000000000000"],
    "Tags": [{"a": "b"}, {"c": ""}, {}, {str(number): "" for number in range(51)}],
    "TagKeys": [["a"], ["c", "nothing"], []],
    "Resource": [ARN, BILLS, f"{ESM}{NEWEST}", *OTHERS],
    "RevisionId": [REVISION, "x"],
    "CodeSha256": ["x", "", base64.b64encode(bytes(32)).decode()],
    "RoutingConfig": [
        {"AdditionalVersionWeights": weights} for weights in ({}, {"1": 0.5}, {"2": 0.5}, {"9": 1}, {"1": 0, "2": 1})
    ],
    "ReservedConcurrentExecutions": [0, 1, 5, 900, 901, -1],
    "DestinationConfig": [
        {},
        {"OnFailure": {"Destination": DEAD}},
        {"OnFailure": {"Destination": ""}},
        {"OnFailure": {"Destination": BILLS}, "OnSuccess": {"Destination": DEAD}},
        {"OnSuccess": {}},
    ],
    "StatementId": ["taken", "s3", "a.b"],
    "Action": ["lambda:InvokeFunction", "*"],
    "Principal": ["s3.amazonaws.com", "*", "000000000000", "nobody"],
    "SourceArn": ["arn:aws:s3:::bucket"],
    "SourceAccount": ["000000000000", "1"],
    "Marker": ["%", "", "b3JkZXJz", base64.urlsafe_b64encode(b"orders").decode()],
    "UUID": [NEWEST, NEWEST, FILED_UUID, "00000000-0000-4000-8000-000000000000", "x"],
    "EventSourceArn": [QUEUE, FIFO, STREAM, TABLE, CLUSTER, f"{QUEUE}-hasty", f"{QUEUE}-missing", "arn:aws:mq:x:1:b"],
    "StartingPositionTimestamp": [1.0, 1_700_000_000, 4e9, "2024-01-01T00:00:00Z"],
    "Topics": [["orders"], ["others"]],
    "SelfManagedEventSource": [KAFKA["SelfManagedEventSource"]],
    "SourceAccessConfigurations": [KAFKA["SourceAccessConfigurations"], []],
    "FilterCriteria": [{}, {"Filters": [{"Pattern": '{"body":["a"]}'}]}, {"Filters": [{"Pattern": "{"}]}],
    "ScalingConfig": [{}, {"MaximumConcurrency": 2}],
    "Payload": [b"{}", b'{"do":"fail"}', b"{", b"", b"\x99"],
    "InvokeArgs": [b"{}", b"{"],
    "ClientContext": ["e30=", "{}", ""],
    **{name: [""] for name in ("ImageUri", "CodeSigningConfigArn", "DurableExecutionName", "TenantId")},
    **{name: [""] for name in ("S3ObjectVersion", "SourceKMSKeyArn")},
    **{name: [{}] for name in ("ImageConfig", "CapacityProviderConfig", "DurableConfig", "TenancyConfig")},
}

F = {"FunctionName": "orders"}
GOOD: list[tuple[str, Mapping[str, Any]]] = [
    ("CreateFunction", creation(FunctionName="fresh")),
    ("UpdateFunctionCode", {**F, "ZipFile": zipped({"d.py": "pass"})}),
    ("UpdateFunctionConfiguration", {**F, "Timeout": 2}),
    ("PublishVersion", F),
    ("PutFunctionConcurrency", {**F, "ReservedConcurrentExecutions": 1}),
    ("PutFunctionEventInvokeConfig", {**F, "MaximumRetryAttempts": 0}),
    ("CreateAlias", {**F, "Name": "blue", "FunctionVersion": "2"}),
    ("UpdateAlias", {**F, "Name": "live", "FunctionVersion": "2"}),
    ("AddPermission", {**F, "StatementId": "s3", "Action": "lambda:InvokeFunction", "Principal": "*"}),
    ("RemovePermission", {**F, "StatementId": "taken"}),
    ("TagResource", {"Resource": ARN, "Tags": {"c": "d"}}),
    ("TagResource", {"Resource": f"{ESM}{NEWEST}", "Tags": {"c": "d"}}),
    ("DeleteFunction", F),
    ("DeleteFunction", {**F, "Qualifier": "2"}),
    *(("CreateEventSourceMapping", {**each, "FunctionName": "bills"}) for each in (SQS, KINESIS, DYNAMODB, KAFKA, MSK)),
    ("UpdateEventSourceMapping", {"UUID": NEWEST, "BatchSize": 2}),
    ("DeleteEventSourceMapping", {"UUID": NEWEST}),
]


def asked(dice: int) -> st.SearchStrategy[Asked]:
    if dice == 0:
        return wild()
    if dice < 4:
        return bent(MEANT)
    return varied(GOOD, MEANT) if dice < 7 else fitting(MEANT)


STEPS = st.lists(st.tuples(st.integers(0, 9).flatmap(asked), st.booleans()), min_size=LENGTH, max_size=LENGTH)


class Switch:
    """The group of all calls, with another API behind it for each example; it knows which call came last."""

    def __init__(self) -> None:
        self.whole: WholeApi | None = None
        self.reached = ""

    def calls(self) -> Mapping[str, Serve]:
        return dict.fromkeys(SERVED, self._serve)

    async def _serve(self, call: Call) -> Answer:
        assert self.whole is not None
        self.reached = call.operation
        return await self.whole.calls[call.operation](call)


@dataclass
class Lab:
    portal: BlockingPortal
    web: Web
    switch: Switch
    state: Path
    """As each example finds it; each has a copy of its own."""

    async def run(self, steps: list[tuple[Asked, bool]]) -> list[str]:
        """Of each step what came of it."""
        with copied(self.state) as state:
            async with whole_api(state) as whole:
                self.switch.whole = whole
                ends = [await self._step(whole, drawn, settled) for drawn, settled in steps]
                await whole.settle()
                before = lasting(await whole.answers())
            async with whole_api(state) as restarted:
                assert lasting(await restarted.answers()) == before
            return ends

    async def _step(self, whole: WholeApi, drawn: Asked, settled: bool) -> str:
        if settled:
            await whole.settle()
        before = await whole.answers(), whole.documents()
        self.switch.reached = ""
        asked = meant(whole, drawn)
        reply = await self.web.ask(asked.method, asked.target, asked.body, asked.headers)
        understood(asked, reply, self.switch.reached)
        if reply.status >= 300 or self.switch.reached.startswith(("Get", "List")):
            assert (await whole.answers(), whole.documents()) == before, (asked, reply)
        for line in self.web.lines.getvalue().splitlines():
            assert json.loads(line)["action"] != "fault", (asked, line)
        return f"{self.switch.reached or 'no call'}: {reply.status}"


def understood(asked: Asked, reply: Reply, reached: str) -> None:
    """It is an answer of the API, of the call that was reached."""
    assert reply.status < 500, (asked, reply)
    assert b"Traceback" not in reply.body
    if reached:
        api_model.check(reached, reply.status, reply.headers, reply.body)
    else:
        assert reply.status >= 400, (asked, reply)
        assert reply.headers["x-amzn-ErrorType"]
        assert set(orjson.loads(reply.body)) <= {"Type", "message", "Message"}


def meant(whole: WholeApi, asked: Asked) -> Asked:
    """With what can be known only now."""
    newest = next(reversed(list(whole.planes.mappings.all)), NEWEST)
    orders = whole.planes.functions.find("orders")
    revision = orders.latest.revision if orders else REVISION
    target = asked.target.replace(NEWEST, newest).replace(REVISION, revision)
    body = asked.body.replace(NEWEST.encode(), newest.encode()).replace(REVISION.encode(), revision.encode())
    return Asked(asked.operation, asked.method, target, asked.headers, body)


def lasting(answers: Any) -> Any:
    """What is the same after a restart: not where code is fetched, nor since when the configuration file is read."""
    if isinstance(answers, Mapping):
        if answers.get("FunctionName") == "filed" or answers.get("UUID") == FILED_UUID:
            answers = {**answers, "LastModified": None, "RevisionId": None}
        return {key: lasting(value) for key, value in answers.items() if key != "Location"}
    return [lasting(each) for each in answers] if isinstance(answers, list) else answers


@contextmanager
def copied(state: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as directory:
        yield Path(shutil.copytree(state, Path(directory) / "state"))


async def prepared(state: Path) -> None:
    """Two functions, one of them with all that a function can have, and two mappings."""
    async with over_http(state) as api:
        await api.done("CreateFunction", **creation(Publish=True, Tags={"a": "b"}))
        await api.done("UpdateFunctionConfiguration", FunctionName="orders", Description="2")
        await api.done("PublishVersion", FunctionName="orders")
        await api.done("CreateFunction", **creation(FunctionName="bills"))
        await api.done("CreateAlias", FunctionName="orders", Name="live", FunctionVersion="1")
        permission = {"StatementId": "taken", "Action": "lambda:InvokeFunction", "Principal": "*"}
        await api.done("AddPermission", FunctionName="orders", **permission)
        await api.done("PutFunctionConcurrency", FunctionName="orders", ReservedConcurrentExecutions=5)
        await api.done("PutFunctionEventInvokeConfig", FunctionName="orders", MaximumRetryAttempts=1)
        for request in (SQS, KINESIS):
            await api.done("CreateEventSourceMapping", **{**request, "FunctionName": "orders"})


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    state, switch = tmp_path_factory.mktemp("prepared"), Switch()
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(web([switch])) as running:
        portal.call(prepared, state)
        yield Lab(portal, running, switch, state)


@pytest.mark.semantics("API-18", "API-19")
@MANY
@given(steps=STEPS)
def test_whatever_is_sent_one_after_another(lab: Lab, steps: list[tuple[Asked, bool]]) -> None:
    for end in lab.portal.call(lab.run, steps):
        event(end)
