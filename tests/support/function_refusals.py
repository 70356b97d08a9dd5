"""Requests on functions that are refused, each with code and message to the letter.

They are sent to an API with the function `orders` (versions 1 to 3, the alias `live` for 1, the permission `taken`) and
the function `filed` of the configuration file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from support.function_api import ARN, UUID, ZIP, creation

IPV, RNF, RC = "InvalidParameterValueException", "ResourceNotFoundException", "ResourceConflictException"
STATUS = {IPV: 400, RNF: 404, RC: 409, "PreconditionFailedException": 412, "ValidationException": 400}
STATUS |= {"RequestEntityTooLargeException": 413, "AccessDeniedException": 403, "PolicyLengthExceededException": 400}
NOBODY = ARN.replace("orders", "nobody")
F: Mapping[str, Any] = {"FunctionName": "orders"}
N: Mapping[str, Any] = {"FunctionName": "nobody"}
PERMISSION = {"StatementId": "s3", "Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com"}
ENVIRONMENT = (
    "Lambda was unable to configure your environment variables because the environment variables you have provided "
)
LEVEL = (
    'LogLevel is not supported when LogFormat is set to "Text". Remove LogLevel from your request or change the '
    'LogFormat to "JSON" and try again.'
)
WHOLE = (
    "This operation is permitted on Lambda functions only. Aliases and versions do not support this operation. Please "
    "specify either a function name or an unqualified function ARN."
)
REVISION = (
    "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the "
    "latest Revision Id"
)
POLICY_REVISION = (
    "The Revision Id provided does not match the latest Revision Id. Call the GetPolicy API to retrieve the latest "
    "Revision Id"
)
FILED = (
    "The function filed is defined in the configuration file: change it there and reload Headrace, or use another name."
)
NO_CONFIG = "The function {} doesn't have an EventInvokeConfig"
UNZIPPABLE = "Could not unzip uploaded file. Please check your file, then try to upload again."


def new(**more: Any) -> dict[str, Any]:
    return creation(**{"FunctionName": "fresh", **more})


def retired(runtime: str) -> str:
    return (
        f"The runtime parameter of {runtime} is no longer supported for creating or updating AWS Lambda functions. "
        "We recommend you use a supported runtime while creating or updating functions."
    )


def unknown(runtime: str) -> str:
    return (
        f"Value {runtime} at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: "
        "[nodejs20.x, python3.14, provided.al2023, python3.12, python3.13, nodejs24.x, nodejs22.x, java25, python3.10, "
        "python3.11, java21, ruby3.3, ruby3.4, ruby3.2, python3.8, python3.9, java17, nodejs16.x, dotnet10, dotnet8, "
        "java11, dotnet6, nodejs18.x, provided.al2, java8.al2] or be a valid ARN"
    )


def at_most(value: int, path: str, most: int) -> str:
    return (
        f"1 validation error detected: Value '{value}' at '{path}' failed to satisfy constraint: "
        f"Member must have value less than or equal to {most}"
    )


NUL = "a NUL character, which no process can be given"
LONG = {"A" * 10: "v" * 4080}  # one byte more than 4096, as JSON

ROWS: list[tuple[str, Mapping[str, Any], str, str]] = [
    # --- create
    ("CreateFunction", creation(), RC, "Function already exist: orders"),
    ("CreateFunction", new(Runtime="cobol"), IPV, unknown("cobol")),
    ("CreateFunction", new(Runtime="Python3.12"), IPV, unknown("Python3.12")),
    *(
        ("CreateFunction", new(Runtime=each), IPV, retired(each))
        for each in ("java8", "go1.x", "python3.7", "provided")
    ),
    ("CreateFunction", new(Code={"ZipFile": b"no zip"}), IPV, UNZIPPABLE),
    ("CreateFunction", new(Code={"ZipFile": ZIP[:-30]}), IPV, UNZIPPABLE),
    (
        "CreateFunction",
        new(Code={"ZipFile": bytes(52_428_801)}),
        "RequestEntityTooLargeException",
        "Zipped size must be smaller than 52428800 bytes",
    ),
    (
        "CreateFunction",
        new(Environment={"Variables": LONG}),
        IPV,
        f"{ENVIRONMENT}exceeded the 4KB limit. String measured: {json.dumps(LONG, separators=(',', ':'))}",
    ),
    (
        "CreateFunction",
        new(Environment={"Variables": {"AWS_REGION": "x", "MINE": "y", "AWS_SESSION_TOKEN": "z"}}),
        IPV,
        (
            f"{ENVIRONMENT}contains reserved keys that are currently not supported for modification. "
            "Reserved keys used in this request: AWS_REGION, AWS_SESSION_TOKEN"
        ),
    ),
    *(
        (operation, parameters, IPV, message)
        for more, message in (
            ({"Handler": "app.han\0dler"}, f"Handler contains {NUL}: take it out."),
            ({"Environment": {"Variables": {"A1": "x\0y"}}}, f"{ENVIRONMENT}contain {NUL}: take it out of A1"),
            (
                {"Environment": {"Variables": {"B1": "\0x", "GOOD": "y", "A1": "\0"}}},
                f"{ENVIRONMENT}contain {NUL}: take it out of B1, A1",
            ),
        )
        for operation, parameters in (
            ("CreateFunction", new(**more)),
            ("UpdateFunctionConfiguration", {**F, **more}),
        )
    ),
    (
        "CreateFunction",
        new(Tags={str(number): "" for number in range(51)}),
        IPV,
        "Number of tags exceeds resource tag limit.",
    ),
    ("CreateFunction", new(LoggingConfig={"SystemLogLevel": "WARN"}), IPV, LEVEL),
    *(
        (
            "CreateFunction",
            new(**{member: None}),
            IPV,
            "Runtime and Handler are mandatory parameters for functions created with deployment packages.",
        )
        for member in ("Runtime", "Handler")
    ),
    ("CreateFunction", new(Timeout=901), "ValidationException", at_most(901, "timeout", 900)),
    ("CreateFunction", new(MemorySize=10_241), "ValidationException", at_most(10_241, "memorySize", 10_240)),
    (
        "CreateFunction",
        new(EphemeralStorage={"Size": 10_241}),
        "ValidationException",
        at_most(10_241, "ephemeralStorage.size", 10_240),
    ),
    (
        "CreateFunction",
        new(Code={}),
        IPV,
        "Please provide a source for function code: either ZipFile, or S3Bucket and S3Key.",
    ),
    ("CreateFunction", new(FunctionName="fresh:1"), IPV, WHOLE),
    # --- update
    ("UpdateFunctionCode", {**N, "ZipFile": ZIP}, RNF, f"Function not found: {NOBODY}"),
    ("UpdateFunctionCode", {**F, "ZipFile": ZIP, "RevisionId": "x"}, "PreconditionFailedException", REVISION),
    ("UpdateFunctionCode", {**F, "ZipFile": b"no zip"}, IPV, UNZIPPABLE),
    ("UpdateFunctionCode", {"FunctionName": "orders:1", "ZipFile": ZIP}, IPV, WHOLE),
    ("UpdateFunctionConfiguration", {**N, "Timeout": 4}, RNF, f"Function not found: {NOBODY}"),
    (
        "UpdateFunctionConfiguration",
        {**F, "Timeout": 4, "RevisionId": "x"},
        "PreconditionFailedException",
        REVISION,
    ),
    ("UpdateFunctionConfiguration", {**F, "Runtime": "nodejs14.x"}, IPV, retired("nodejs14.x")),
    ("UpdateFunctionConfiguration", {**F, "LoggingConfig": {"ApplicationLogLevel": "INFO"}}, IPV, LEVEL),
    # --- look and delete
    ("GetFunction", N, RNF, f"Function not found: {NOBODY}"),
    ("GetFunction", {**F, "Qualifier": "9"}, RNF, f"Function not found: {ARN}:9"),
    ("GetFunction", {**F, "Qualifier": "$latest"}, RNF, f"Function not found: {ARN}:$latest"),
    ("GetFunctionConfiguration", {**F, "Qualifier": "dead"}, RNF, f"Function not found: {ARN}:dead"),
    ("DeleteFunction", {**N, "Qualifier": "1"}, RNF, f"Function not found: {NOBODY}"),
    (
        "DeleteFunction",
        {**N, "Qualifier": "$LATEST"},
        IPV,
        "$LATEST version cannot be deleted without deleting the function.",
    ),
    ("DeleteFunction", {**N, "Qualifier": "live"}, IPV, "Deletion of aliases is not currently supported."),
    (
        "DeleteFunction",
        {**F, "Qualifier": "$LATEST"},
        IPV,
        "$LATEST version cannot be deleted without deleting the function.",
    ),
    ("DeleteFunction", {**F, "Qualifier": "live"}, IPV, "Deletion of aliases is not currently supported."),
    (
        "DeleteFunction",
        {**F, "Qualifier": "1"},
        RC,
        "Unable to delete version because the following aliases reference it: [live]",
    ),
    (
        "ListFunctions",
        {"Marker": "%"},
        IPV,
        "The Marker is not the NextMarker of an earlier answer: leave it out to begin.",
    ),
    # --- versions
    ("PublishVersion", N, RNF, f"Function not found: {NOBODY}"),
    ("PublishVersion", {**F, "RevisionId": "x"}, "PreconditionFailedException", REVISION),
    (
        "PublishVersion",
        {**F, "CodeSha256": "x"},
        IPV,
        (
            "CodeSHA256 (x) is different from current CodeSHA256 in $LATEST ({sha}). "
            "Please try again with the CodeSHA256 in $LATEST."
        ),
    ),
    ("ListVersionsByFunction", N, RNF, f"Function not found: {NOBODY}"),
    # --- aliases
    ("CreateAlias", {**F, "Name": "live", "FunctionVersion": "1"}, RC, f"Alias already exists: {ARN}:live"),
    ("CreateAlias", {**F, "Name": "a", "FunctionVersion": "9"}, RNF, f"Function not found: {ARN}:9"),
    ("CreateAlias", {**N, "Name": "a", "FunctionVersion": "1"}, RNF, f"Function not found: {NOBODY}:1"),
    (
        "CreateAlias",
        {**F, "Name": "a", "FunctionVersion": "1", "RoutingConfig": {"AdditionalVersionWeights": {"9": 0.5}}},
        RNF,
        f"Function not found: {ARN}:9",
    ),
    (
        "CreateAlias",
        {**F, "Name": "a", "FunctionVersion": "1", "RoutingConfig": {"AdditionalVersionWeights": {"2": 0.1, "3": 0.1}}},
        IPV,
        "Number of items in AdditionalVersionWeights cannot be greater than 1",
    ),
    (
        "CreateAlias",
        {**F, "Name": "a", "FunctionVersion": "1", "RoutingConfig": {"AdditionalVersionWeights": {"1": 0.1}}},
        IPV,
        "Invalid function version 1. Function version 1 is already included in routing configuration.",
    ),
    (
        "CreateAlias",
        {**F, "Name": "a", "FunctionVersion": "$LATEST", "RoutingConfig": {"AdditionalVersionWeights": {"1": 0.1}}},
        IPV,
        "$LATEST is not supported for an alias pointing to more than 1 version",
    ),
    ("GetAlias", {**F, "Name": "dead"}, RNF, f"Cannot find alias arn: {ARN}:dead"),
    ("UpdateAlias", {**F, "Name": "dead"}, RNF, f"Alias not found: {ARN}:dead"),
    ("UpdateAlias", {**F, "Name": "live", "RevisionId": "x"}, "PreconditionFailedException", REVISION),
    # --- concurrency
    (
        "PutFunctionConcurrency",
        {**N, "ReservedConcurrentExecutions": 1},
        RNF,
        f"Function not found: {NOBODY}:$LATEST",
    ),
    ("GetFunctionConcurrency", N, RNF, f"Function not found: {NOBODY}"),
    ("PutFunctionConcurrency", {"FunctionName": "orders:1", "ReservedConcurrentExecutions": 1}, IPV, WHOLE),
    (
        "PutFunctionConcurrency",
        {**F, "ReservedConcurrentExecutions": 901},
        IPV,
        (
            "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution "
            "below its minimum value of [100]."
        ),
    ),
    # --- event-invoke configurations
    (
        "PutFunctionEventInvokeConfig",
        F,
        IPV,
        "You must specify at least one of error handling or destination setting.",
    ),
    ("PutFunctionEventInvokeConfig", {**N, "MaximumRetryAttempts": 1}, RNF, "The function doesn't exist."),
    (
        "PutFunctionEventInvokeConfig",
        {**F, "Qualifier": "9", "MaximumRetryAttempts": 1},
        RNF,
        "The function doesn't exist.",
    ),
    ("UpdateFunctionEventInvokeConfig", {**N, "MaximumRetryAttempts": 1}, RNF, "The function doesn't exist."),
    ("ListFunctionEventInvokeConfigs", N, RNF, "The function doesn't exist."),
    ("UpdateFunctionEventInvokeConfig", {**F, "MaximumRetryAttempts": 1}, RNF, NO_CONFIG.format(f"{ARN}:$LATEST")),
    ("GetFunctionEventInvokeConfig", {**N, "Qualifier": "a"}, RNF, NO_CONFIG.format(f"{NOBODY}:a")),
    ("DeleteFunctionEventInvokeConfig", F, RNF, NO_CONFIG.format(f"{ARN}:$LATEST")),
    *(
        ("PutFunctionEventInvokeConfig", {**F, "DestinationConfig": {side: {"Destination": arn}}}, IPV, text)
        for side, arn, text in (
            ("OnFailure", NOBODY, f"The destination ARN {NOBODY} is invalid."),
            ("OnSuccess", f"{ARN}:live", "You can't specify the function as a destination for itself."),
            (
                "OnSuccess",
                "arn:aws:ec2:us-east-1:000000000000:x",
                (
                    "The provided destination config DestinationConfig(onSuccess=OnSuccess("
                    "destination=arn:aws:ec2:us-east-1:000000000000:x), onFailure=null) is invalid."
                ),
            ),
            (
                "OnSuccess",
                "arn:aws:s3:::b",
                (
                    "The provided destination config DestinationConfig(onSuccess=OnSuccess(destination=arn:aws:s3:::b)"
                    ", onFailure=null) is invalid."
                ),
            ),
        )
    ),
    # --- permissions
    ("AddPermission", {**N, **PERMISSION}, RNF, f"Function not found: {NOBODY}"),
    ("AddPermission", {**F, **PERMISSION, "Qualifier": "dead"}, RNF, f"Cannot find alias arn: {ARN}:dead"),
    ("AddPermission", {**F, **PERMISSION, "Qualifier": "9"}, RNF, f"Function not found: {ARN}:9"),
    ("AddPermission", {**F, **PERMISSION, "Qualifier": "a$b"}, RNF, f"Function not found: {ARN}:a$b"),
    (
        "AddPermission",
        {**F, **PERMISSION, "Qualifier": "$LATEST"},
        IPV,
        "We currently do not support adding policies for $LATEST.",
    ),
    (
        "AddPermission",
        {**F, **PERMISSION, "StatementId": "taken"},
        RC,
        (
            "The statement id (taken) provided already exists. Please provide a new statement id, or remove the "
            "existing statement."
        ),
    ),
    *(
        (
            "AddPermission",
            {**F, **PERMISSION, "Principal": principal},
            IPV,
            "The provided principal was invalid. Please check the principal and try again.",
        )
        for principal in ("nobody", "s3.example.com", "12345", "arn:aws:s3:::bucket")
    ),
    ("AddPermission", {**F, **PERMISSION, "RevisionId": "x"}, "PreconditionFailedException", POLICY_REVISION),
    (
        "AddPermission",
        {**F, **PERMISSION, "SourceArn": f"arn:aws:s3:::{'b' * 20_400}"},
        "PolicyLengthExceededException",
        "The final policy size (20860) is bigger than the limit (20480).",
    ),
    ("GetPolicy", N, RNF, "The resource you requested does not exist."),
    ("GetPolicy", {**F, "Qualifier": "live"}, RNF, "The resource you requested does not exist."),
    (
        "RemovePermission",
        {**F, "Qualifier": "live", "StatementId": "s3"},
        RNF,
        "No policy is associated with the given resource.",
    ),
    (
        "RemovePermission",
        {**F, "Qualifier": "dead", "StatementId": "s3"},
        RNF,
        f"Cannot find alias arn: {ARN}:dead",
    ),
    ("RemovePermission", {**F, "Qualifier": "9", "StatementId": "s3"}, RNF, f"Function not found: {ARN}:9"),
    ("RemovePermission", {**N, "Qualifier": "dead", "StatementId": "s3"}, RNF, f"No policy found for: {NOBODY}"),
    (
        "AddPermission",
        {**N, **PERMISSION, "Qualifier": "$LATEST"},
        IPV,
        "We currently do not support adding policies for $LATEST.",
    ),
    ("RemovePermission", {**N, "StatementId": "s3"}, RNF, f"No policy found for: {NOBODY}"),
    ("RemovePermission", {**F, "StatementId": "s3"}, RNF, "Statement s3 is not found in resource policy."),
    (
        "RemovePermission",
        {**F, "StatementId": "taken", "RevisionId": "x"},
        "PreconditionFailedException",
        POLICY_REVISION,
    ),
    # --- tags
    ("TagResource", {"Resource": NOBODY, "Tags": {"a": "b"}}, RNF, f"Function not found: {NOBODY}"),
    ("ListTags", {"Resource": NOBODY}, RNF, f"Function not found: {NOBODY}"),
    *(
        (
            "TagResource",
            {"Resource": f"{ARN}:{qualifier}", "Tags": {"a": "b"}},
            IPV,
            "Tags on function aliases and versions are not supported. Please specify a function ARN.",
        )
        for qualifier in ("$LATEST", "1", "live")
    ),
    (
        "TagResource",
        {"Resource": ARN, "Tags": {}},
        IPV,
        "An error occurred and the request cannot be processed.",
    ),
    (
        "TagResource",
        {"Resource": ARN, "Tags": {str(number): "" for number in range(51)}},
        IPV,
        "Number of tags exceeds resource tag limit.",
    ),
    *(
        (operation, {"Resource": arn, **more}, RNF, f"Event source mapping not found: {arn}")
        for operation, more in (
            ("TagResource", {"Tags": {"a": "b"}}),
            ("UntagResource", {"TagKeys": ["a"]}),
            ("ListTags", {}),
        )
        for arn in (f"arn:aws:lambda:us-east-1:000000000000:event-source-mapping:{UUID.replace('1', '2')}",)
    ),
    (
        "ListTags",
        {"Resource": "arn:aws:lambda:us-east-1:000000000000:capacity-provider:x"},
        RNF,
        "Capacity provider not found: arn:aws:lambda:us-east-1:000000000000:capacity-provider:x",
    ),
    (
        "ListTags",
        {"Resource": "arn:aws:lambda:us-east-1:000000000000:foobar:x"},
        "ValidationException",
        (
            "1 validation error detected: Value 'arn:aws:lambda:us-east-1:000000000000:foobar:x' at 'resource' failed "
            "to satisfy constraint: Member must satisfy regular expression pattern: "
            r"arn:(aws[a-zA-Z-]*):lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:\d{12}:"
            r"(function:[a-zA-Z0-9-_]+(:(\$LATEST|[a-zA-Z0-9-_]+))?|layer:([a-zA-Z0-9-_]+)|"
            "code-signing-config:csc-[a-z0-9]{17}|event-source-mapping:"
            "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}|capacity-provider:[a-zA-Z0-9-_]+)"
        ),
    ),
    # --- the rest
    ("GetFunctionRecursionConfig", N, RNF, f"Function not found: {NOBODY}"),
    ("GetRuntimeManagementConfig", N, RNF, f"Function not found: {NOBODY}"),
    # --- functions of the file
    ("CreateFunction", creation(FunctionName="filed"), RC, FILED),
    ("DeleteFunction", {"FunctionName": "filed"}, RC, FILED),
    ("UpdateFunctionConfiguration", {"FunctionName": "filed", "Timeout": 9}, RC, FILED),
    ("UpdateFunctionCode", {"FunctionName": "filed", "ZipFile": ZIP}, RC, FILED),
    ("PublishVersion", {"FunctionName": "filed"}, RC, FILED),
    ("AddPermission", {"FunctionName": "filed", **PERMISSION}, RC, FILED),
    (
        "RemovePermission",
        {"FunctionName": "filed", "StatementId": "s3"},
        RNF,
        "No policy is associated with the given resource.",
    ),
    ("TagResource", {"Resource": ARN.replace("orders", "filed"), "Tags": {"a": "b"}}, RC, FILED),
]
