"""The functions' part of the Lambda API in a test: real documents, real code on the disk, no HTTP.

Each answer is checked against the AWS model that ships with botocore: nothing unknown, nothing missing, right types.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any

from headrace.config.clock import Clock, SystemClock
from headrace.config.errors import ConfigError, Problem
from headrace.config.function import AnyFunction
from headrace.service.api.calls.account import AccountCalls
from headrace.service.api.calls.aliases import AliasCalls
from headrace.service.api.calls.concurrency import ConcurrencyCalls
from headrace.service.api.calls.event_invoke_configs import EventInvokeConfigCalls
from headrace.service.api.calls.functions import FunctionCalls
from headrace.service.api.calls.layers import LayerCalls
from headrace.service.api.calls.policies import PolicyCalls
from headrace.service.api.calls.tags import TagCalls
from headrace.service.api.calls.versions import VersionCalls
from headrace.service.api.code_downloads import Downloads
from headrace.service.api.wire.call import Call, Group
from headrace.service.control.catalogue import Runnable
from headrace.service.control.names import Home
from headrace.service.control.store.attachments import Attachments, LayerSource
from headrace.service.control.store.code import DIRECTORY, CodeStore
from headrace.service.control.store.document_store import FILE, Documents
from headrace.service.control.store.function_plane import FunctionPlane
from headrace.service.control.store.layer_plane import LayerPlane
from headrace.service.control.store.networks import Networks
from headrace.service.control.store.uploads import Uploads
from headrace.service.control.tags import Change

HERE = Home("us-east-1", "000000000000")
ARN = "arn:aws:lambda:us-east-1:000000000000:function:orders"
ROLE = "arn:aws:iam::000000000000:role/lambda"
BASE = "http://127.0.0.1:4566"
UUID = "11111111-2222-3333-4444-555555555555"

AS_RECORDED = {"GetFunctionCodeSigningConfig"}
"""Answers that AWS itself gives without what its model requires."""


def zipped(files: Mapping[str, str] | None = None) -> bytes:
    """A package, the same bytes for the same files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as package:
        for name, text in (files or {"app.py": "def handler(event, context): return event\n"}).items():
            package.writestr(zipfile.ZipInfo(name), text)
    return buffer.getvalue()


ZIP = zipped()


def creation(**more: Any) -> dict[str, Any]:
    """A request of CreateFunction."""
    plain = {
        "FunctionName": "orders",
        "Runtime": "python3.12",
        "Role": ROLE,
        "Handler": "app.handler",
        "Code": {"ZipFile": ZIP},
    }
    return {key: value for key, value in {**plain, **more}.items() if value is not None}


class Mappings:
    """Tags of one event source mapping."""

    def __init__(self) -> None:
        self.kept: dict[str, Mapping[str, str]] = {UUID: {}}

    def tags(self, uuid: str) -> Mapping[str, str] | None:
        return self.kept.get(uuid)

    async def tag(self, uuid: str, change: Change) -> None:
        self.kept[uuid] = change(self.kept[uuid])


Obstacle = Callable[[Runnable], Awaitable[str]]


async def no_obstacle(runnable: Runnable) -> str:
    """A machine that has every runtime."""
    return ""


class NoS3:
    """There is no EC2."""

    async def get(self, service: str) -> Any:
        assert service == "ec2", "nobody should ask for S3 here"
        raise ConfigError([Problem("ec2 has no endpoint")])


class FunctionApi:
    """`await api("CreateAlias", FunctionName=…)` gives the output, or raises ApiError."""

    def __init__(
        self,
        documents: Documents,
        plane: FunctionPlane,
        layers: LayerPlane,
        downloads: Downloads,
        uploads: Uploads,
        networks: Networks,
        obstacle: Obstacle,
        given: Mapping[str, Path],
        upstream: LayerSource | None,
    ) -> None:
        self.documents = documents
        self.plane = plane
        self.downloads = downloads
        self.lost: list[str] = []
        groups: list[Group] = [
            FunctionCalls(plane, uploads, downloads, networks, Attachments(layers, uploads, given, upstream), obstacle),
            LayerCalls(layers, uploads, downloads),
            VersionCalls(plane),
            AliasCalls(plane),
            ConcurrencyCalls(plane),
            EventInvokeConfigCalls(plane),
            PolicyCalls(plane),
            TagCalls(plane, Mappings()),
            AccountCalls(plane, layers),
        ]
        self.served = {operation: serve for group in groups for operation, serve in group.calls().items()}

    async def __call__(self, operation: str, **parameters: Any) -> Mapping[str, Any]:
        output = await self.unchecked(operation, **parameters)
        check(operation, output)
        return output

    async def unchecked(self, operation: str, **parameters: Any) -> Mapping[str, Any]:
        call = Call(operation, parameters, "00000000-0000-4000-8000-000000000000")
        return (await self.served[operation](call)).output

    async def create(self, **more: Any) -> Mapping[str, Any]:
        return await self("CreateFunction", **creation(**more))


@asynccontextmanager
async def function_api(
    state: Path,
    *,
    configured: Mapping[str, AnyFunction] | None = None,
    window: float = 0.0,
    clock: Clock | None = None,
    clients: Any = None,
    here: Home = HERE,
    obstacle: Obstacle = no_obstacle,
    given_layers: Mapping[str, Path] | None = None,
    upstream: LayerSource | None = None,
    hot_reload: bool = True,
) -> AsyncIterator[FunctionApi]:
    """The API on this state directory; leaving it is a restart's first half."""
    documents = await Documents.open(state / FILE)
    try:
        code = CodeStore(state / DIRECTORY)
        clock = clock or SystemClock()
        layers = LayerPlane(documents, code, here, clock=clock)
        plane = FunctionPlane(
            documents, code, here, configured or {}, clock=clock, window=window, layers=layers.packages
        )
        lost = await plane.start()
        downloads = Downloads(code, lambda: BASE, b"secret")
        uploads = Uploads(code, clients or NoS3(), hot_reload=hot_reload)
        networks = Networks(clients or NoS3())
        given = given_layers or {}
        api = FunctionApi(documents, plane, layers, downloads, uploads, networks, obstacle, given, upstream)
        api.lost = lost
        yield api
    finally:
        await documents.aclose()


@cache
def model() -> Any:
    import botocore.loaders  # takes a while, and processes that only live to be killed do not need it
    import botocore.model

    return botocore.model.ServiceModel(botocore.loaders.Loader().load_service_model("lambda", "service-2"), "lambda")


def check(operation: str, output: Mapping[str, Any]) -> None:
    """Raises AssertionError when the model does not know this answer."""
    shape = model().operation_model(operation).output_shape
    if shape is None:
        assert not output, f"{operation} answers with nothing"
    elif operation not in AS_RECORDED:
        assert not list(_nulls(output)), f"{operation} answers with null: {output}"
        import botocore.validate

        report = botocore.validate.ParamValidator().validate(dict(output), shape)
        assert not report.has_errors(), f"{operation}: {report.generate_report()}"
        _known(output, shape)


def _nulls(value: Any) -> Any:
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from _nulls(each)
    elif value is None:
        yield value


def _known(value: Any, shape: Any) -> None:
    """botocore's validator refuses unknown members of some structures only."""
    if shape.type_name == "structure":
        unknown = set(value) - set(shape.members)
        assert not unknown, f"{shape.name} has no {unknown}"
        for key, each in value.items():
            _known(each, shape.members[key])
    elif shape.type_name == "list":
        for each in value:
            _known(each, shape.member)
