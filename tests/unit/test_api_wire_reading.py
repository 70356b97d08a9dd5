"""From a request to an operation and its parameters: what clients send, and what nobody should."""

from __future__ import annotations

import base64
import functools
import re
import warnings
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from headrace.service.api.core.recorded import DEVIATIONS
from headrace.service.api.service_model import load
from headrace.service.api.wire import constraints
from headrace.service.api.wire.model import Model
from headrace.service.api.wire.model import Shape as OurShape
from headrace.service.api.wire.reading import ApiRequest, Parameters, read
from headrace.service.api.wire.refusals import form_of
from headrace.service.api.wire.routing import FoundOperation, Router
from headrace.service.control.refusals import ApiError
from support import api_model

ARN = "arn:aws:lambda:us-east-1:000000000000:function:orders"


@functools.cache
def model() -> Model:
    return load("lambda", "2015-03-31", DEVIATIONS)


def find(method: str, target: str) -> FoundOperation | None:
    path, _, query = target.partition("?")
    return Router(model()).find(method, path, parse_qs(query))


def ask(name: str, body: bytes = b"", **query: list[str]) -> Parameters:
    return read(model().operations[name], ApiRequest({}, query, {}, body))


@pytest.mark.semantics("API-01", "API-02")
@pytest.mark.parametrize("name", api_model.operations())
def test_every_call_arrives_as_a_client_meant_it(name: str) -> None:
    shape = api_model.operation(name).input_shape
    meant = api_model.some(shape) if shape else {}
    request = api_model.sent(name, meant)
    parts = urlsplit(request.url)
    query = parse_qs(parts.query, keep_blank_values=True)
    found = Router(model()).find(request.method, parts.path, query)
    assert found is not None
    assert found.operation.name == name
    headers = {key.lower(): text(value) for key, value in request.headers.items()}
    got = read(found.operation, ApiRequest(found.labels, query, headers, bytes(request.body or b"")))
    assert got.values == meant
    assert got.unknown == []


def text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


@pytest.mark.semantics("API-01")
@pytest.mark.parametrize(
    ("method", "target", "operation", "labels"),
    [
        ("GET", "/2015-03-31/functions", "ListFunctions", {}),
        ("GET", "/2015-03-31/functions/", "ListFunctions", {}),
        ("GET", "//2015-03-31/functions/", "ListFunctions", {}),
        ("POST", "/2015-03-31/event-source-mappings/", "CreateEventSourceMapping", {}),
        ("GET", "/2016-08-19/account-settings/", "GetAccountSettings", {}),
        ("GET", "/2015-03-31/functions/orders", "GetFunction", {"FunctionName": "orders"}),
        ("GET", f"/2015-03-31/functions/{quote(ARN, '')}", "GetFunction", {"FunctionName": ARN}),
        ("GET", f"/2015-03-31/functions/{ARN}/", "GetFunction", {"FunctionName": ARN}),
        ("GET", f"/2015-03-31/functions/{ARN}/code", None, {}),
        ("PUT", f"/2015-03-31/functions/{ARN}/code", "UpdateFunctionCode", {"FunctionName": ARN}),
        ("GET", "/2015-03-31/functions//configuration", "GetFunctionConfiguration", {"FunctionName": ""}),
        ("GET", "/2017-03-31/tags/a%2Fb", "ListTags", {"Resource": "a/b"}),
        ("GET", "/2017-03-31/tags/a/b", "ListTags", {"Resource": "a/b"}),
        ("GET", "/2015-03-31/functions/%FF", "GetFunction", {"FunctionName": "\ufffd"}),
        ("GET", "/2015-03-31/functions/f/aliases/%24x", "GetAlias", {"FunctionName": "f", "Name": "$x"}),
        ("GET", "/2018-10-31/layers", "ListLayers", {}),
        ("GET", "/2018-10-31/layers?find=LayerVersion&Arn=a", "GetLayerVersionByArn", {}),
        ("GET", "/2018-10-31/layers?find=Other", "ListLayers", {}),
        ("GET", "/2019-09-30/functions/f/provisioned-concurrency?List=ALL", "ListProvisionedConcurrencyConfigs", None),
        ("GET", "/2019-09-30/functions/f/provisioned-concurrency?Qualifier=1", "GetProvisionedConcurrencyConfig", None),
        ("GET", "/2019-09-25/functions/f/event-invoke-config/list", "ListFunctionEventInvokeConfigs", None),
        ("get", "/2015-03-31/functions", "ListFunctions", {}),
        ("DELETE", "/2015-03-31/functions", None, {}),
        ("PATCH", "/2015-03-31/functions/f", None, {}),
        ("GET", "/", None, {}),
        ("GET", "/2015-03-31", None, {}),
        ("GET", "/2015-03-32/functions", None, {}),
        ("GET", "/favicon.ico", None, {}),
    ],
)
def test_paths(method: str, target: str, operation: str | None, labels: dict[str, str] | None) -> None:
    found = find(method, target)
    if operation is None:
        assert found is None
        return
    assert found is not None
    assert found.operation.name == operation
    assert labels is None or found.labels == labels


@pytest.mark.semantics("API-03")
@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{", "Could not parse request body into json"),
        (b"\xff", "Could not parse request body into json"),
        (b'{"Description": "\\ud800"}', "Could not parse request body into json"),
        (b"[" * 2000, "Could not parse request body into json"),
        (b"[]", "Start of list found where not expected"),
        (b"1", "Unexpected field type"),
        (b'{"Code": []}', "Start of list found where not expected"),
        (b'{"Code": {"ZipFile": "*"}}', "ZipFile is not base64"),
        (b'{"Code": {"ZipFile": 1}}', "NUMBER_VALUE can not be converted to a Blob"),
        (b'{"Layers": {}}', "Start of structure or map found where not expected."),
        (b'{"Tags": []}', "Start of list found where not expected"),
        (b'{"Tags": {"a": 1}}', "NUMBER_VALUE can not be converted to a String"),
        (b'{"Description": true}', "TRUE_VALUE can not be converted to a String"),
        (b'{"Description": {}}', "Start of structure or map found where not expected."),
        (b'{"Description": []}', "Start of list found where not expected"),
        (b'{"Timeout": "3"}', "STRING_VALUE can not be converted to an Integer"),
        (b'{"Timeout": 3.5}', "NUMBER_VALUE can not be converted to an Integer"),
        (b'{"Timeout": true}', "TRUE_VALUE can not be converted to an Integer"),
        (b'{"Timeout": 2147483648}', "2147483648 is out of the range of Integer"),
        (b'{"Timeout": 1e300}', "is out of the range of Integer"),
        (b'{"Timeout": NaN}', "Could not parse request body into json"),
        (b'{"Publish": "true"}', "STRING_VALUE can not be converted to a Boolean"),
    ],
)
def test_what_is_no_request(body: bytes, message: str) -> None:
    with pytest.raises(ApiError, match=re.escape(message)) as caught:
        ask("CreateFunction", body)
    assert (caught.value.code, form_of(caught.value).status) == ("SerializationException", 400)


@pytest.mark.semantics("API-02")
@pytest.mark.parametrize(
    ("body", "values"),
    [
        (b"", {}),
        (b" \n", {}),
        (b"null", {}),
        (b'{"Timeout": null, "Code": {"ZipFile": null}}', {"Code": {}}),
        (b'{"Timeout": 3.0}', {"Timeout": 3}),
        (b'{"Layers": ["a", null]}', {"Layers": ["a", None]}),
        (b'{"Tags": {"a": null}}', {"Tags": {"a": None}}),
        (b'{"Code": {"ZipFile": ""}}', {"Code": {"ZipFile": b""}}),
        (b'{"Code": {"ZipFile": "%s"}}' % base64.b64encode(b"zip"), {"Code": {"ZipFile": b"zip"}}),
    ],
)
def test_what_a_body_says(body: bytes, values: dict[str, Any]) -> None:
    assert ask("CreateFunction", body).values == values


@pytest.mark.semantics("API-02")
@pytest.mark.parametrize(
    ("moment", "seconds"),
    [
        (b"1700000000", 1700000000.0),
        (b"1700000000.25", 1700000000.25),
        (b'"2023-11-14T22:13:20Z"', 1700000000.0),
        (b'"2023-11-14T22:13:20"', 1700000000.0),
        (b'"2023-11-14T23:13:20+01:00"', 1700000000.0),
        (b'"Tue, 14 Nov 2023 22:13:20 GMT"', 1700000000.0),
        (b'"tomorrow"', None),
        (b'""', None),
        (b"1e300", None),
        (b"true", None),
        (b"{}", None),
    ],
)
def test_timestamps(moment: bytes, seconds: float | None) -> None:
    body = b'{"StartingPositionTimestamp": %s}' % moment
    if seconds is not None:
        assert ask("CreateEventSourceMapping", body).values == {"StartingPositionTimestamp": seconds}
        return
    with pytest.raises(ApiError, match="StartingPositionTimestamp is not a timestamp") as caught:
        ask("CreateEventSourceMapping", body)
    assert caught.value.code == "SerializationException"


@pytest.mark.semantics("API-02")
def test_lists_and_numbers_of_the_query_string() -> None:
    assert ask("UntagResource", tagKeys=["a", "b"]).values == {"TagKeys": ["a", "b"]}
    assert ask("ListFunctions", MaxItems=["5"], Marker=[""]).values == {"MaxItems": 5, "Marker": ""}
    for wrong in ("five", "5.0", "", "٥", "9" * 30):
        with pytest.raises(ApiError, match=r"is not a number|out of the range"):
            ask("ListFunctions", MaxItems=[wrong])


def test_a_boolean_of_the_query_string_is_one_of_two_words() -> None:
    assert ask("GetDurableExecutionHistory", ReverseOrder=["true"]).values == {"ReverseOrder": True}
    with pytest.raises(ApiError, match="'yes' is not a Boolean"):
        ask("GetDurableExecutionHistory", ReverseOrder=["yes"])


@pytest.mark.semantics("API-02")
def test_a_payload_is_the_body_itself() -> None:
    assert ask("Invoke", b"\x00 no json").values == {"Payload": b"\x00 no json"}
    assert ask("Invoke").values == {}
    assert ask("InvokeAsync").values == {"InvokeArgs": b""}
    assert ask("StopDurableExecution", b'{"ErrorType": "E"}').values == {"Error": {"ErrorType": "E"}}
    assert ask("StopDurableExecution").values == {}


@pytest.mark.semantics("API-07")
def test_what_the_model_does_not_know_is_told() -> None:
    body = b'{"Timeoutt": 3, "Code": {"Zip": ""}, "VpcConfig": null, "Nothing": null}'
    assert ask("CreateFunction", body).unknown == ["Timeoutt", "Code.Zip"]
    assert ask("GetFunction", qualifier=["1"]).unknown == ["qualifier"]
    signed = ApiRequest({}, {"X-Amz-Date": ["x"], "x-id": ["GetFunction"]}, {}, b"")
    assert read(model().operations["GetFunction"], signed).unknown == []


def test_every_pattern_can_be_matched() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for shape in shapes():
            if shape.pattern is not None:
                constraints.matches(shape.pattern, "a" * 10_000)


def shapes() -> list[OurShape]:
    found: dict[str, OurShape] = {}

    def walk(shape: OurShape | None) -> None:
        if shape is None or shape.name in found:
            return
        found[shape.name] = shape
        for inner in (shape.item, shape.key, shape.value, *(member.shape for member in shape.members.values())):
            walk(inner)

    for operation in model().operations.values():
        walk(operation.input)
    return list(found.values())
