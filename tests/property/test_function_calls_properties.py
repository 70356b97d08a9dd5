"""Any request that the service model allows is answered in the model's form, or refused; it is never a fault of
ours."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.service.api.core.field_support_tables import SERVED
from headrace.service.api.wire.refusals import form_of
from headrace.service.control.refusals import ApiError
from headrace.service.control.runtimes import CREATABLE, RETIRED
from support.counts import count
from support.function_api import ARN, ROLE, UUID, ZIP, function_api, model, zipped

NAMES = ["orders", "orders", "orders", ARN, "function:orders", "orders:1", "orders:live", "nobody", f"{ARN}:$LATEST"]
KNOWN: dict[str, list[Any]] = {
    "FunctionName": NAMES,
    "Qualifier": ["1", "2", "live", "$LATEST", "nobody"],
    "Name": ["live", "beta"],
    "FunctionVersion": ["$LATEST", "1", "2", "3"],
    "Resource": [ARN, f"{ARN}:1", f"arn:aws:lambda:us-east-1:000000000000:event-source-mapping:{UUID}"],
    "Runtime": [*CREATABLE[:3], *sorted(RETIRED)[:1], "cobol"],
    "Role": [ROLE],
    "ZipFile": [ZIP, zipped({"b.py": "1"}), b"no zip"],
    "Destination": ["", ARN, "arn:aws:sqs:us-east-1:000000000000:q", "arn:aws:s3:::b", "kafka://x"],
    "Principal": ["*", "s3.amazonaws.com", "nobody", "123456789012"],
    "TargetArn": ["", "arn:aws:sqs:us-east-1:000000000000:q"],
    "KMSKeyArn": ["", "arn:aws:kms:us-east-1:000000000000:key/k"],
    "SourceKMSKeyArn": ["arn:aws:kms:us-east-1:000000000000:key/k"],
    "SourceArn": ["arn:aws:s3:::b"],
    "RuntimeVersionArn": ["arn:aws:lambda:us-east-1::runtime:x"],
    "Marker": ["", "b3JkZXJz", "%"],
    "LocalMountPath": ["/mnt/x"],
    "Arn": ["arn:aws:elasticfilesystem:us-east-1:000000000000:access-point/fsap-1"],
    "StatementId": ["a", "b"],
}
LEFT_OUT = {
    *("S3Bucket", "S3Key", "S3ObjectVersion", "S3ObjectStorageMode"),  # nobody is asked here
    *("ImageUri", "ImageConfig", "PackageType", "CodeSigningConfigArn", "TenancyConfig", "CapacityProviderConfig"),
    *("DurableConfig", "PublishTo", "MasterRegion"),  # refused before these calls are asked
}


def value(name: str, shape: Any) -> st.SearchStrategy[Any]:
    if name in KNOWN:
        return st.sampled_from(KNOWN[name])
    match shape.type_name:
        case "structure":
            return structure(shape)
        case "list":
            most = min(int(shape.metadata.get("max", 3)), 3)
            return st.lists(value(name, shape.member), min_size=int(shape.metadata.get("min", 0)), max_size=most)
        case "map":
            return st.dictionaries(st.sampled_from(["AB", "12", "AWS_REGION", "2"]), value("", shape.value), max_size=2)
        case "boolean":
            return st.booleans()
        case "integer" | "long":
            least, most = int(shape.metadata.get("min", 0)), int(shape.metadata.get("max", 2000))
            return st.one_of(st.just(least), st.integers(least, most))
        case "double":
            return st.floats(0, 1)
    if shape.enum:
        return st.sampled_from(shape.enum)
    return st.sampled_from(["x", "A1", "ü", "o-0123456789"])


@cache
def structure(shape: Any) -> st.SearchStrategy[dict[str, Any]]:
    members = {name: value(name, member) for name, member in shape.members.items() if name not in LEFT_OUT}
    needed = {name: members.pop(name) for name in shape.required_members}
    return st.fixed_dictionaries(needed, optional=members)


OPERATIONS = tuple(
    operation
    for operation in SERVED
    if not operation.startswith("Invoke") and not operation.endswith(("EventSourceMapping", "EventSourceMappings"))
)
"""All calls on functions but their invocation."""


@st.composite
def calls(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    operation = draw(st.sampled_from(OPERATIONS))
    shape = model().operation_model(operation).input_shape
    return operation, draw(structure(shape)) if shape else {}


@pytest.mark.semantics("FUNC-05", "FUNC-08")
@settings(max_examples=count(25, 1000))
@given(st.lists(calls(), min_size=10, max_size=25))
def test_every_answer_is_of_its_shape(sequence: list[tuple[str, dict[str, Any]]]) -> None:
    assert anyio.run(_faults, sequence) == []


async def _faults(sequence: list[tuple[str, dict[str, Any]]]) -> list[object]:
    """The calls that were refused as no call may be."""
    faults: list[object] = []
    with tempfile.TemporaryDirectory() as state:
        async with function_api(Path(state)) as api:
            assert set(api.served) == set(OPERATIONS)
            await api.create(Publish=True)
            await api("CreateAlias", FunctionName="orders", Name="live", FunctionVersion="1")
            for operation, parameters in sequence:
                try:
                    await api(operation, **parameters)
                except ApiError as error:
                    if form_of(error).status >= 500 or not (error.message or form_of(error).status == 403):
                        faults.append((operation, parameters, error))
    return faults
