"""What is said of values that do not satisfy their shapes, to the letter."""

from __future__ import annotations

import functools
from typing import Any

import pytest

from headrace.service.api.core.recorded import DEVIATIONS
from headrace.service.api.service_model import load
from headrace.service.api.wire import constraints
from headrace.service.api.wire.model import Model
from headrace.service.api.wire.printing import printed
from headrace.service.api.wire.refusals import form_of
from headrace.service.control import refusals

READS = (
    r"(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?"
    r"([a-zA-Z0-9-_\.]+)(:(\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9-_]+))?"
)
NAMES = READS.replace(r"([a-zA-Z0-9-_\.]+)(:(\$LATEST(\.PUBLISHED)?|", r"([a-zA-Z0-9-_]+)(:(\$LATEST|")
ROLES = r"arn:(aws[a-zA-Z-]*)?:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+"
TAGGABLE = (
    r"arn:(aws[a-zA-Z-]*):lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:\d{12}:(function:[a-zA-Z0-9-_]+"
    r"(:(\$LATEST|[a-zA-Z0-9-_]+))?|layer:([a-zA-Z0-9-_]+)|code-signing-config:csc-[a-z0-9]{17}|event-source-mapping:"
    r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}|capacity-provider:[a-zA-Z0-9-_]+)"
)
QUALIFIERS = r"\$(LATEST(\.PUBLISHED)?)|[a-zA-Z0-9-_$]+"
DESTINATIONS = (
    r"$|kafka://([^.]([a-zA-Z0-9\-_.]{0,248}))|arn:(aws[a-zA-Z0-9-]*):([a-zA-Z0-9\-])+:((eusc-)?[a-z]{2}((-gov)|"
    r"(-iso([a-z]?)))?-[a-z]+-\d{1})?:(\d{12})?:(.*)"
)
LAYERS = (
    r"(arn:(aws[a-zA-Z-]*)?:lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:\d{12}:layer:[a-zA-Z0-9-_]+:"
    r"[0-9]+)|(arn:[a-zA-Z0-9-]+:lambda:::awslayer:[a-zA-Z0-9-_]+)"
)
TAG = r"([\p{L}\p{Z}\p{N}_.:/=+\-@]*)"
REGEX = "Member must satisfy regular expression pattern: "
FUNCTION = {"FunctionName": "f", "Role": "arn:aws:iam::000000000000:role/r", "Code": {}}
LONG = "a" * 200
UUID = "00000000-0000-4000-8000-000000000000"
DDBLOCAL = "arn:aws:dynamodb:ddblocal:000000000000:table/orders/stream/2024-01-01T00:00:00.000"
ELASTICMQ = "arn:aws:sqs:elasticmq:000000000000:orders"
"""As DynamoDB Local and ElasticMQ give them out."""
TAGGED = "arn:aws:lambda:us-east-1:000000000000:event-source-mapping:00000000-0000-4000-8000-000000000000:alias"


@functools.cache
def model() -> Model:
    return load("lambda", "2015-03-31", DEVIATIONS)


def faults(operation: str, values: dict[str, Any]) -> list[str]:
    return constraints.faults(model().operations[operation].input, values)


def said(value: str, path: str, constraint: str) -> str:
    return f"Value {value} at '{path}' failed to satisfy constraint: {constraint}"


@pytest.mark.semantics("API-04")
@pytest.mark.parametrize(
    ("operation", "values", "texts"),
    [
        ("GetFunction", {"FunctionName": "a b"}, [said("'a b'", "functionName", REGEX + READS)]),
        (
            "GetFunction",
            {"FunctionName": "", "Qualifier": ""},
            [
                said("''", "qualifier", "Member must have length greater than or equal to 1"),
                said("''", "qualifier", REGEX + QUALIFIERS),
                said("''", "functionName", "Member must have length greater than or equal to 1"),
                said("''", "functionName", REGEX + READS),
            ],
        ),
        ("GetFunction", {"FunctionName": "f", "Qualifier": "$latest"}, []),
        (
            "CreateFunction",
            {**FUNCTION, "FunctionName": LONG + "!"},
            [
                said(f"'{LONG}!'", "functionName", "Member must have length less than or equal to 140"),
                said(f"'{LONG}!'", "functionName", REGEX + NAMES),
            ],
        ),
        ("CreateFunction", {**FUNCTION, "FunctionName": "a" * 65}, []),
        ("CreateFunction", {**FUNCTION, "Runtime": "cobol"}, []),
        ("CreateFunction", {**FUNCTION, "Role": "r"}, [said("'r'", "role", REGEX + ROLES)]),
        (
            "CreateFunction",
            {"FunctionName": "f"},
            [said("null", "role", "Member must not be null"), said("null", "code", "Member must not be null")],
        ),
        (
            "CreateFunction",
            {**FUNCTION, "Timeout": 0, "MemorySize": 100_000},
            [
                said("'0'", "timeout", "Member must have value greater than or equal to 1"),
                said("'100000'", "memorySize", "Member must have value less than or equal to 10240"),
            ],
        ),
        (
            "CreateFunction",
            {**FUNCTION, "Timeout": 901},
            [said("'901'", "timeout", "Member must have value less than or equal to 900")],
        ),
        (
            "CreateFunction",
            {**FUNCTION, "Architectures": ["x86_64", "arm64"]},
            [said("'[x86_64, arm64]'", "architectures", "Member must have length less than or equal to 1")],
        ),
        (
            "CreateFunction",
            {**FUNCTION, "Architectures": ["X86_64"]},
            [
                said(
                    "'[X86_64]'",
                    "architectures",
                    "Member must satisfy constraint: [Member must satisfy enum value set: [x86_64, arm64], "
                    "Member must not be null]",
                )
            ],
        ),
        (
            "CreateFunction",
            {**FUNCTION, "Layers": ["arn:aws:lambda:us-east-1:000000000000:layer:l", None]},
            [
                said(
                    "'[arn:aws:lambda:us-east-1:000000000000:layer:l, null]'",
                    "layers",
                    "Member must satisfy constraint: [Member must have length less than or equal to 2048, "
                    f"Member must have length greater than or equal to 1, {REGEX}{LAYERS}, Member must not be null]",
                )
            ],
        ),
        (
            "CreateFunction",
            {**FUNCTION, "VpcConfig": {"SubnetIds": ["s"], "SecurityGroupIds": ["sg-1", "default"]}},
            [
                said(
                    f"'[{value}]'",
                    f"vpcConfig.{member}",
                    "Member must satisfy constraint: [Member must have length less than or equal to 1024, "
                    f"Member must have length greater than or equal to 0, {REGEX}{form}]",
                )
                for member, value, form in (
                    ("subnetIds", "s", "^subnet-[0-9a-z]*$"),
                    ("securityGroupIds", "sg-1, default", "^sg-[0-9a-zA-Z]*$"),
                )
            ],
        ),
        (
            "CreateFunction",
            {**FUNCTION, "SnapStart": {"ApplyOn": "Some"}},
            [
                said(
                    "'Some'",
                    "snapStart.applyOn",
                    "Member must satisfy enum value set: [PublishedVersions, None]",
                )
            ],
        ),
        (
            "CreateFunction",
            {**FUNCTION, "EphemeralStorage": {}},
            [said("null", "ephemeralStorage.size", "Member must not be null")],
        ),
        (
            "CreateFunction",
            {**FUNCTION, "KMSKeyArn": "k"},
            [said("'k'", "kMSKeyArn", REGEX + r"(arn:(aws[a-zA-Z-]*)?:[a-z0-9-.]+:.*)|()")],
        ),
        ("CreateFunction", {**FUNCTION, "KMSKeyArn": ""}, []),
        (
            "CreateFunction",
            {**FUNCTION, "Environment": {"Variables": {"a": "secret"}}},
            [
                said(
                    "…",
                    "environment.variables",
                    f"Map keys must satisfy constraint: [{REGEX}[a-zA-Z]([a-zA-Z0-9_])+]",
                ).replace(" …", "")
            ],
        ),
        (
            "CreateFunction",
            {**FUNCTION, "Tags": {"größe": "x y", "a!": "b"}},
            [
                said(
                    "'{größe=x y, a!=b}'",
                    "tags",
                    "Map keys must satisfy constraint: [Member must have length less than or equal to 128, "
                    f"Member must have length greater than or equal to 1, {REGEX}{TAG}]",
                )
            ],
        ),
        ("CreateFunction", {**FUNCTION, "Tags": {"größe ٣": "x y"}}, []),
        (
            "CreateFunction",
            {**FUNCTION, "FileSystemConfigs": [None]},
            [said("null", "fileSystemConfigs.1.member", "Member must not be null")],
        ),
        (
            "CreateFunction",
            {**FUNCTION, "FileSystemConfigs": [{"Arn": "a" * 257}]},
            [
                said(
                    f"'{'a' * 257}'",
                    "fileSystemConfigs.1.member.arn",
                    "Member must have length less than or equal to 256",
                ),
                said(f"'{'a' * 257}'", "fileSystemConfigs.1.member.arn", REGEX + "…"),
                said("null", "fileSystemConfigs.1.member.localMountPath", "Member must not be null"),
            ],
        ),
        (
            "CreateAlias",
            {
                "FunctionName": "f",
                "Name": "1",
                "FunctionVersion": "1",
                "RoutingConfig": {"AdditionalVersionWeights": {"2": 2.0}},
            },
            [
                said("'1'", "name", REGEX + "(?!^[0-9]+$)([a-zA-Z0-9-_]+)"),
                said(
                    "'{2=2.0}'",
                    "routingConfig.additionalVersionWeights",
                    "Map value must satisfy constraint: [Member must have value less than or equal to 1.0, "
                    "Member must have value greater than or equal to 0.0, Member must not be null]",
                ),
            ],
        ),
        (
            "CreateAlias",
            {
                "FunctionName": "f",
                "Name": "2024-01-02",
                "FunctionVersion": "1",
                "RoutingConfig": {"AdditionalVersionWeights": {"$LATEST": 0.5}},
            },
            [
                said(
                    "'{$LATEST=0.5}'",
                    "routingConfig.additionalVersionWeights",
                    "Map keys must satisfy constraint: [Member must have length less than or equal to 1024, "
                    f"Member must have length greater than or equal to 1, {REGEX}[0-9]+]",
                )
            ],
        ),
        ("ListTags", {"Resource": TAGGED}, [said(f"'{TAGGED}'", "resource", REGEX + TAGGABLE)]),
        ("ListTags", {"Resource": TAGGED.removesuffix(":alias")}, []),
        (
            "UntagResource",
            {"Resource": TAGGED.removesuffix(":alias")},
            [said("null", "tagKeys", "Member must not be null")],
        ),
        (
            "CreateEventSourceMapping",
            {"FunctionName": "f", "StartingPosition": "invalid"},
            [
                said(
                    "'invalid'",
                    "startingPosition",
                    "Member must satisfy enum value set: [LATEST, AT_TIMESTAMP, TRIM_HORIZON]",
                )
            ],
        ),
        ("CreateEventSourceMapping", {"FunctionName": "f"}, []),
        ("CreateEventSourceMapping", {"FunctionName": "f", "MaximumRecordAgeInSeconds": 5}, []),
        (
            "CreateEventSourceMapping",
            {"FunctionName": "f", "FilterCriteria": {"Filters": [{"Pattern": "{}"}, {"Pattern": "x" * 4097}]}},
            [
                said(
                    f"'{'x' * 4097}'",
                    "filterCriteria.filters.2.member.pattern",
                    "Member must have length less than or equal to 4096",
                )
            ],
        ),
        (
            "CreateEventSourceMapping",
            {"FunctionName": "f", "SelfManagedEventSource": {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": ["nowhere"]}}},
            [
                said(
                    "'{KAFKA_BOOTSTRAP_SERVERS=[nowhere]}'",
                    "selfManagedEventSource.endpoints",
                    "Map value must satisfy constraint: [Member must have length less than or equal to 10, "
                    "Member must have length greater than or equal to 1, Member must satisfy constraint: […], "
                    "Member must not be null]",
                )
            ],
        ),
        (
            "PutFunctionEventInvokeConfig",
            {"FunctionName": "f", "DestinationConfig": {"OnFailure": {"Destination": "nowhere"}}},
            [said("'nowhere'", "destinationConfig.onFailure.destination", REGEX + DESTINATIONS)],
        ),
        (
            "PutFunctionEventInvokeConfig",
            {
                "FunctionName": "f",
                "DestinationConfig": {"OnFailure": {"Destination": "arn:aws:sqs:a b:000000000000:q"}},
            },
            [said("'arn:aws:sqs:a b:000000000000:q'", "destinationConfig.onFailure.destination", REGEX + DESTINATIONS)],
        ),
        (
            "PutFunctionEventInvokeConfig",
            {"FunctionName": "f", "DestinationConfig": {"OnFailure": {"Destination": ""}}, "MaximumRetryAttempts": 3},
            [said("'3'", "maximumRetryAttempts", "Member must have value less than or equal to 2")],
        ),
        (
            "PutFunctionRecursionConfig",
            {"FunctionName": "f", "RecursiveLoop": "allow"},
            [said("'allow'", "recursiveLoop", "Member must satisfy enum value set: [Terminate, Allow]")],
        ),
        (
            "ListFunctions",
            {"FunctionVersion": "SOME", "MaxItems": 0},
            [
                said("'SOME'", "functionVersion", "Member must satisfy enum value set: [ALL]"),
                said("'0'", "maxItems", "Member must have value greater than or equal to 1"),
            ],
        ),
        (
            "AddPermission",
            {"FunctionName": "f", "StatementId": "a.b", "Action": "lambda:InvokeFunction", "Principal": "*"},
            [said("'a.b'", "statementId", REGEX + "([a-zA-Z0-9-_]+)")],
        ),
        (
            "AddPermission",
            {"FunctionName": "f", "StatementId": "a", "Action": "*", "Principal": "*", "SourceAccount": "٣" * 12},
            [said(f"'{'٣' * 12}'", "sourceAccount", REGEX + r"\d{12}")],
        ),
        (
            "CreateFunctionUrlConfig",
            {"FunctionName": "f", "Qualifier": "1", "AuthType": "NONE", "InvokeMode": "slow"},
            [
                said("'1'", "qualifier", REGEX + r"((?!^\d+$)^[0-9a-zA-Z-_]+$)"),
                said("'slow'", "invokeMode", "Member must satisfy enum value set: [RESPONSE_STREAM, BUFFERED]"),
            ],
        ),
    ],
)
def test_the_texts(operation: str, values: dict[str, Any], texts: list[str]) -> None:
    found = faults(operation, values)
    assert len(found) == len(texts), found
    for text, expected in zip(found, texts, strict=True):
        begin, cut, end = expected.partition("…")
        assert text.startswith(begin)
        assert text.endswith(end)
        assert cut or text == expected


@pytest.mark.semantics("API-22")
@pytest.mark.parametrize(
    ("operation", "values"),
    [
        ("CreateEventSourceMapping", {"FunctionName": "f", "EventSourceArn": DDBLOCAL}),
        ("CreateEventSourceMapping", {"FunctionName": "f", "EventSourceArn": ELASTICMQ}),
        ("ListEventSourceMappings", {"EventSourceArn": DDBLOCAL}),
        (
            "CreateEventSourceMapping",
            {"FunctionName": "f", "DestinationConfig": {"OnFailure": {"Destination": ELASTICMQ}}},
        ),
        ("UpdateEventSourceMapping", {"UUID": UUID, "DestinationConfig": {"OnFailure": {"Destination": ELASTICMQ}}}),
        (
            "PutFunctionEventInvokeConfig",
            {"FunctionName": "f", "DestinationConfig": {"OnSuccess": {"Destination": ELASTICMQ}}},
        ),
        (
            "AddPermission",
            {"FunctionName": "f", "StatementId": "s", "Action": "lambda:*", "Principal": "*", "SourceArn": ELASTICMQ},
        ),
        ("CreateFunction", {**FUNCTION, "DeadLetterConfig": {"TargetArn": ELASTICMQ}}),
        ("CreateFunction", {**FUNCTION, "Layers": ["arn:aws:lambda:local:000000000000:layer:l:1"]}),
        ("GetFunction", {"FunctionName": "arn:aws:lambda:local:000000000000:function:f:live"}),
        ("CreateFunction", {**FUNCTION, "FunctionName": "arn:aws:lambda:local:000000000000:function:f"}),
        ("ListTags", {"Resource": "arn:aws:lambda:local:000000000000:function:f"}),
        ("ListTags", {"Resource": TAGGED.removesuffix(":alias").replace("us-east-1", "local")}),
    ],
)
def test_an_arn_may_have_the_region_that_an_emulator_made_up(operation: str, values: dict[str, Any]) -> None:
    assert not faults(operation, values)


@pytest.mark.semantics("API-04")
def test_all_of_a_request_are_told_together() -> None:
    one = refusals.validation("a")
    two = refusals.validation("a", "b")
    assert one.message == "1 validation error detected: a"
    assert two.message == "2 validation errors detected: a; b"
    assert (two.code, form_of(two).status, form_of(two).type, form_of(two).member) == (
        "ValidationException",
        400,
        None,
        "message",
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ([{"Type": "BASIC_AUTH"}], "[SourceAccessConfiguration(type=BASIC_AUTH, uRI=null)]"),
        ([], "[]"),
    ],
)
def test_structures_are_printed_with_their_names(value: list[Any], text: str) -> None:
    shape = model().operations["CreateEventSourceMapping"].input.members["SourceAccessConfigurations"].shape
    assert printed(shape, value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "null"), (True, "true"), (False, "false"), (b"abc", "java.nio.HeapByteBuffer[pos=0 lim=3 cap=3]")],
)
def test_values_are_printed_as_the_service_does(value: Any, text: str) -> None:
    assert printed(None, value) == text


@pytest.mark.semantics("LAYER-12")
def test_unknown_runtimes_and_architectures_of_a_layer_are_told_together() -> None:
    given = {"CompatibleRuntimes": ["python3.7", "pascal"], "CompatibleArchitectures": ["mips"]}
    runtimes, architectures = faults("PublishLayerVersion", {"LayerName": "l", "Content": {}, **given})
    assert runtimes.startswith(
        said(
            "'[python3.7, pascal]'",
            "compatibleRuntimes",
            "Member must satisfy constraint: [Member must satisfy enum value set: [ruby2.6, dotnetcore1.0, python3.7, ",
        )
    )
    assert runtimes.endswith("], Member must not be null]")
    assert architectures == said(
        "'[mips]'",
        "compatibleArchitectures",
        "Member must satisfy constraint: [Member must satisfy enum value set: [x86_64, arm64], "
        "Member must not be null]",
    )
    retired = ["provided", "python3.7", "go1.x", "python3.14", "nodejs24.x"]
    assert faults("PublishLayerVersion", {"LayerName": "l", "Content": {}, "CompatibleRuntimes": retired}) == []
