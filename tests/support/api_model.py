"""Botocore's own model of the Lambda API, for tests: what it would send, and whether it would understand an answer."""

from __future__ import annotations

import functools
import io
from collections.abc import Iterator, Mapping
from typing import Any

import orjson
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config
from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel, Shape
from botocore.parsers import create_parser
from botocore.session import Session

from headrace.service.api.core.newer import completed

ENDPOINT = "http://127.0.0.1:9470"
"""Where requests go that are never sent."""
STATUSES = {"DeleteFunction": (204,), "Invoke": (200, 202, 204)}
"""Where an answer's status is not the model's."""
BEYOND_ENUMS = {("LastUpdateStatusReasonCode", "Creating")}
"""Values that the service says and the model does not have."""
MAY_BE_EMPTY = {"GetFunctionCodeSigningConfig"}
"""Answers that the service was recorded to leave empty, although the model requires members."""
UNMODELLED = {
    "ValidationException",
    "RequestEntityTooLargeException",
    "AccessDeniedException",
    "SerializationException",
}


class NewestLoader(Loader):  # type: ignore[misc]
    """With what AWS added to the Lambda API since the installed botocore, as we know it."""

    def load_service_model(self, service_name: str, type_name: str, api_version: str | None = None) -> Any:
        data = super().load_service_model(service_name, type_name, api_version)
        return completed(data) if (service_name, type_name) == ("lambda", "service-2") else data


@functools.cache
def service() -> ServiceModel:
    return ServiceModel(NewestLoader().load_service_model("lambda", "service-2", "2015-03-31"), "lambda")


def operations() -> list[str]:
    return sorted(service().operation_names)


def operation(name: str) -> OperationModel:
    return service().operation_model(name)


def some(shape: Shape) -> Any:
    """Some value of a shape, with every member."""
    match shape.type_name:
        case "structure":
            return {name: some(member) for name, member in shape.members.items()}
        case "list":
            return [some(shape.member)] * 2
        case "map":
            return {some(shape.key): some(shape.value)}
        case "string":
            return (shape.enum or ["a/b:c d+é%?"])[0]
        case "boolean":
            return True
        case "double":
            return 0.5
        case "blob":
            return b"\x00\xffcode"
        case "timestamp":
            return 1700000000.0
        case _:
            return 7


def least_output(name: str) -> dict[str, Any]:
    """The smallest answer that the model allows."""
    shape = operation(name).output_shape
    return {member: some(shape.members[member]) for member in shape.required_members} if shape else {}


# --- what a client sends ---------------------------------------------------------------------------------------------


def sent(name: str, parameters: Mapping[str, Any], **credentials: str) -> AWSPreparedRequest:
    """The request that boto3 would send."""
    requests: list[AWSPreparedRequest] = []

    def keep(request: AWSPreparedRequest, **kwargs: Any) -> AWSResponse:
        requests.append(request)
        return AWSResponse(request.url, 200, {}, _Raw())

    client = _client(credentials.get("key", "LOCAL"), credentials.get("secret", "secret"), credentials.get("token"))
    client.meta.events.register("before-send.lambda", keep)
    try:
        client._make_api_call(name, dict(parameters))
    except Exception:  # the answer is none
        if not requests:
            raise
    finally:
        client.meta.events.unregister("before-send.lambda", keep)
    return requests[0]


class _Raw:
    """An empty body."""

    def stream(self, *args: object, **kwargs: object) -> Iterator[bytes]:
        yield b""

    def read(self, *args: object) -> bytes:
        return b""


@functools.cache
def _client(key: str, secret: str, token: str | None) -> Any:
    config = Config(retries={"total_max_attempts": 1}, parameter_validation=False, inject_host_prefix=False)
    session = Session()
    loader = NewestLoader(extra_search_paths=session.get_component("data_loader").search_paths)
    session.register_component("data_loader", loader)
    return session.create_client(
        "lambda",
        region_name="us-east-1",
        endpoint_url=ENDPOINT,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        aws_session_token=token,
        config=config,
    )


# --- whether a client understands what it gets -----------------------------------------------------------------------


def check(name: str, status: int, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """An answer as botocore parses it. Raises AssertionError for one that the model does not have: members that are
    unknown, missing or of the wrong type, a status that is not the operation's, an error that it does not declare."""
    model = operation(name)
    assert headers.get("x-amzn-RequestId"), "an answer has a request id"
    if status >= 300:
        _check_error(model, status, headers, body)
    else:
        assert status in STATUSES.get(name, (model.http["responseCode"],)), f"{name} is answered with {status}"
        _check_output(model, status, headers, body)
    streamed = model.has_streaming_output and status < 300
    response = {"status_code": status, "headers": _Headers(headers), "body": io.BytesIO(body) if streamed else body}
    parsed: dict[str, Any] = create_parser("rest-json").parse(response, model.output_shape)
    return {name: value.read() if isinstance(value, io.BytesIO) else value for name, value in parsed.items()}


class _Headers(dict[str, str]):
    """Case-insensitive, as botocore's are."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        super().__init__({name.lower(): value for name, value in headers.items()})

    def __contains__(self, name: object) -> bool:
        return super().__contains__(str(name).lower())

    def __getitem__(self, name: str) -> str:
        return super().__getitem__(name.lower())

    def get(self, name: str, default: Any = None) -> Any:
        return super().get(name.lower(), default)


def _check_output(model: OperationModel, status: int, headers: Mapping[str, str], body: bytes) -> None:
    shape = model.output_shape
    if status == 204 or shape is None:
        assert body == b"", f"{model.name} has no body"
        return
    outside = {member.serialization.get("location") for member in shape.members.values()}
    payload = shape.serialization.get("payload")
    if payload is None:
        assert headers["Content-Type"].startswith("application/json")
        inside = {n: m for n, m in shape.members.items() if "location" not in m.serialization}
        required = [name for name in shape.required_members if name in inside and model.name not in MAY_BE_EMPTY]
        _check_members(inside, required, orjson.loads(body), model.name)
    assert outside <= {None, "header", "statusCode"}


def _check_members(members: Mapping[str, Shape], required: list[str], value: Any, path: str) -> None:
    assert isinstance(value, dict), f"{path} is no object"
    names = {member.serialization.get("name", name): member for name, member in members.items()}
    assert not value.keys() - names.keys(), f"{path} has unknown members {value.keys() - names.keys()}"
    assert not set(required) - value.keys(), f"{path} lacks {set(required) - value.keys()}"
    for name, each in value.items():
        _check_value(names[name], each, f"{path}.{name}")


def _check_value(shape: Shape, value: Any, path: str) -> None:
    kind = shape.type_name
    if kind == "structure":
        _check_members(shape.members, shape.required_members, value, path)
    elif kind == "list":
        assert isinstance(value, list), f"{path} is no list"
        for each in value:
            _check_value(shape.member, each, f"{path}[]")
    elif kind == "map":
        assert isinstance(value, dict), f"{path} is no map"
        for each in value.values():
            _check_value(shape.value, each, f"{path}{{}}")
    else:
        assert isinstance(value, _TYPES[kind]), f"{path} is {value!r}, no {kind}"
        assert isinstance(value, bool) == (kind == "boolean"), f"{path} is {value!r}, no {kind}"
        if getattr(shape, "enum", None):
            assert value in shape.enum or (shape.name, value) in BEYOND_ENUMS, f"{path} is {value!r}"


_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "blob": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "long": (int,),
    "double": (int, float),
    "float": (int, float),
    "timestamp": (int, float),
}


def _check_error(model: OperationModel, status: int, headers: Mapping[str, str], body: bytes) -> None:
    code = headers["x-amzn-ErrorType"]
    shapes = {shape.name: shape for shape in model.error_shapes}
    assert code in shapes or code in UNMODELLED, f"{model.name} does not declare {code}"
    members = orjson.loads(body)
    if code not in shapes:
        assert members.keys() <= {"message", "Message"}, f"{code} has {members.keys()}"
        return
    assert status == shapes[code].metadata["error"]["httpStatusCode"], f"{code} is no {status}"
    inside = {n: m for n, m in shapes[code].members.items() if "location" not in m.serialization}
    _check_members(inside, [], members, code)
