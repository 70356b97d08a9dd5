"""The table of calls and fields, held against botocore's model, and what it refuses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.loaders import Loader
from botocore.model import Shape

from headrace.config.fields import mapping_limits
from headrace.config.fields.mapping_limits import Support
from headrace.service.api.core import field_support
from headrace.service.api.core.field_support_tables import FORWARDED, SERVED
from headrace.service.api.core.newer import OPERATIONS, completed
from headrace.service.api.wire.refusals import form_of
from support import api_model

FORWARDED_CALLS = [name for names in FORWARDED.values() for name in names]
FUNCTION = {"FunctionName": "f", "Role": "r", "Code": {"ZipFile": b"zip"}, "Handler": "a.b", "Runtime": "python3.13"}


@pytest.mark.semantics("API-06")
def test_every_call_of_the_model_is_served_or_forwarded() -> None:
    assert sorted([*SERVED, *FORWARDED_CALLS]) == api_model.operations()


def paths(shape: Shape | None, prefix: str = "") -> Iterator[str]:
    """Every path of an input, through lists too."""
    while shape is not None and shape.type_name == "list":
        shape = shape.member
    if shape is None or shape.type_name != "structure":
        return
    for name, member in shape.members.items():
        yield prefix + name
        yield from paths(member, f"{prefix}{name}.")


@pytest.mark.semantics("API-06")
@pytest.mark.parametrize("operation", SERVED)
def test_every_field_has_a_standing_and_no_other_has_one(operation: str) -> None:
    known = list(paths(api_model.operation(operation).input_shape))
    assert [path for path in known if field_support.of(operation, path) is None] == []
    assert field_support.of(operation, "Nothing.Such") is None
    assert [path for path in field_support.FIELDS[operation] if path.partition("=")[0] not in known] == []


@pytest.mark.semantics("API-06")
@pytest.mark.parametrize("operation", SERVED)
def test_what_is_not_honoured_has_a_reason(operation: str) -> None:
    for field in field_support.FIELDS[operation].values():
        assert (field.standing is Support.HONOURED) == (not field.reason), field


@pytest.mark.semantics("API-07")
@pytest.mark.parametrize(
    ("operation", "given", "text"),
    [
        ("CreateFunction", {"DurableConfig": {"RetentionPeriodInDays": 1}}, "DurableConfig is not supported: there"),
        ("CreateFunction", {"TenancyConfig": {"TenantIsolationMode": "PER_TENANT"}}, "TenancyConfig is not supported"),
        ("CreateFunction", {"Code": {"ImageUri": "i"}}, "Code.ImageUri is not supported: functions run from code"),
        ("CreateFunction", {"PackageType": "Image"}, "The value Image of PackageType is not supported: functions run"),
        ("CreateFunction", {"PublishTo": "LATEST_PUBLISHED"}, "PublishTo is not supported: there are no capacity"),
        ("UpdateFunctionCode", {"ImageUri": "i"}, "Please don't provide ImageUri when updating a function"),
        ("UpdateFunctionCode", {"S3ObjectStorageMode": "REFERENCE"}, "The value REFERENCE of S3ObjectStorageMode"),
        ("ListFunctions", {"MasterRegion": "ALL"}, "MasterRegion is not supported"),
        ("Invoke", {"TenantId": "t"}, "TenantId is not supported"),
        ("CreateFunction", {"RuntimeConfig": {"RuntimeAlias": "a"}}, "RuntimeConfig is not supported: custom runtime"),
        (
            "UpdateFunctionConfiguration",
            {"AcceleratorConfig": {"AcceleratorMemorySize": 1}},
            "AcceleratorConfig is not",
        ),
        (
            "CreateEventSourceMapping",
            {"SelfManagedKafkaEventSourceConfig": {"ConsumptionMode": "Queue"}},
            "The value Queue of SelfManagedKafkaEventSourceConfig.ConsumptionMode is not supported: it needs a share",
        ),
        (
            "UpdateEventSourceMapping",
            {"SourceAccessConfigurations": [{"Type": "IAM_OAUTHBEARER_AUTH"}]},
            "The value IAM_OAUTHBEARER_AUTH of SourceAccessConfigurations.Type is not supported: it needs a web",
        ),
        ("CreateEventSourceMapping", {"Queues": ["q"]}, "Queues is not supported: no source that Headrace polls"),
        ("CreateEventSourceMapping", {"DocumentDBEventSourceConfig": {"DatabaseName": "d"}}, "DocumentDBEventSource"),
        (
            "UpdateEventSourceMapping",
            {"DestinationConfig": {"OnSuccess": {"Destination": "arn"}}},
            "Unsupported DestinationConfig parameter for given event source mapping type.",
        ),
    ],
)
def test_what_is_refused(operation: str, given: dict[str, Any], text: str) -> None:
    error = field_support.refusal(operation, given, [])
    assert error is not None
    assert (error.code, form_of(error).status) == ("InvalidParameterValueException", 400)
    assert error.message is not None
    assert error.message.startswith(text)


@pytest.mark.semantics("API-07")
@pytest.mark.parametrize(
    ("operation", "given"),
    [
        ("CreateFunction", FUNCTION),
        ("CreateFunction", {**FUNCTION, "PackageType": "Zip", "Code": {"S3ObjectStorageMode": "COPY"}}),
        ("CreateFunction", {**FUNCTION, "ImageConfig": {}, "CodeSigningConfigArn": ""}),
        ("CreateEventSourceMapping", {"DestinationConfig": {"OnFailure": {"Destination": "arn"}, "OnSuccess": {}}}),
        ("CreateFunction", {**FUNCTION, "Layers": [], "FileSystemConfigs": [None]}),
        ("Invoke", {"Payload": b"", "LogType": "Tail"}),
    ],
)
def test_what_asks_for_nothing_is_not_refused(operation: str, given: dict[str, Any]) -> None:
    assert field_support.refusal(operation, given, []) is None


@pytest.mark.semantics("API-07")
def test_what_the_model_does_not_know_is_refused_by_name() -> None:
    error = field_support.refusal("DeleteFunction", {"FunctionName": "f"}, ["qualifier"])
    assert error is not None
    assert error.message == "qualifier is not a parameter of DeleteFunction that Headrace knows; remove it."


@pytest.mark.semantics("API-07")
@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"FutureConfig": {"Size": 1}}, "FutureConfig"),
        ({"LoggingConfig": {"LogFormat": "JSON", "Future": 1}}, "LoggingConfig.Future"),
        ({"FileSystemConfigs": [{"Arn": "a"}, {"Future": True}]}, "FileSystemConfigs.Future"),
        ({"VpcConfig": {"SubnetIds": [], "Future": "x"}}, "VpcConfig.Future"),
    ],
)
def test_what_a_newer_model_knows_and_we_do_not_is_refused_by_name(given: dict[str, Any], path: str) -> None:
    error = field_support.refusal("CreateFunction", {**FUNCTION, **given}, [])
    assert error is not None
    assert error.message == f"{path} is not a parameter of CreateFunction that Headrace knows; remove it."


def test_names_that_users_choose_are_no_parameters() -> None:
    given = {**FUNCTION, "Environment": {"Variables": {"FUTURE": "x"}}, "Tags": {"future": "x"}}
    assert field_support.refusal("CreateFunction", given, []) is None


@pytest.mark.semantics("API-06")
def test_what_an_older_model_lacks_is_there_all_the_same() -> None:
    data = Loader().load_service_model("lambda", "service-2", "2015-03-31")
    whole = completed(data)
    assert set(data["operations"]) | set(OPERATIONS) == set(whole["operations"])
    mode = whole["shapes"]["SelfManagedKafkaEventSourceConfig"]["members"]["ConsumptionMode"]["shape"]
    assert whole["shapes"][mode]["enum"] == ["Stream", "Queue"]
    assert completed(whole) == whole
    for name, shape in data["shapes"].items():
        assert shape.get("members", {}).items() <= whole["shapes"][name].get("members", {}).items()


@pytest.mark.semantics("API-08")
def test_what_is_recorded() -> None:
    given = {**FUNCTION, "TracingConfig": {"Mode": "Active"}, "VpcConfig": {}}
    assert [field.path for field in field_support.recorded("CreateFunction", given)] == ["Role", "TracingConfig"]
    mapping = {"KMSKeyArn": "arn:aws:kms:a", "Tags": {"a": "b"}, "BatchSize": 1}
    recorded = field_support.recorded("CreateEventSourceMapping", mapping)
    assert {field.path for field in recorded} == {"KMSKeyArn", "Tags"}
    assert {field.reason for field in recorded} == {
        mapping_limits.RECORDED["kms_key_arn"],
        mapping_limits.RECORDED["tags"],
    }
