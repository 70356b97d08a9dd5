"""Requests that are refused by the API as a whole, each with code and message to the letter: what `function_refusals`
has not, for it concerns mappings, invocations, or the shapes.

They are sent to an API with what `function_refusals` wants, a function `making` that is being made, a function `full`
without concurrency, and one mapping of each kind to `orders`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from support.function_api import ARN, ROLE
from support.function_refusals import IPV, RC, RNF, F, new
from support.mapping_requests import CLUSTER, DYNAMODB, FIFO, KAFKA, KINESIS, MSK, QUEUE, SQS, STREAM, TABLE

VE, IRC = "ValidationException", "InvalidRequestContentException"
NO_UUID = "00000000-0000-4000-8000-000000000000"
OTHER = "arn:aws:sqs:us-east-1:000000000000:other"
DEAD = "arn:aws:sqs:us-east-1:000000000000:dead"
MISSING = {
    "sqs": "arn:aws:sqs:us-east-1:000000000000:missing",
    "kinesis": "arn:aws:kinesis:us-east-1:000000000000:stream/missing",
    "dynamodb": "arn:aws:dynamodb:us-east-1:000000000000:table/missing/stream/2024-01-01T00:00:00.000",
}
ESM = "arn:aws:lambda:us-east-1:000000000000:event-source-mapping:"
TAGGABLE = (
    r"arn:(aws[a-zA-Z-]*):lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:\d{12}:"
    r"(function:[a-zA-Z0-9-_]+(:(\$LATEST|[a-zA-Z0-9-_]+))?|layer:([a-zA-Z0-9-_]+)|"
    "code-signing-config:csc-[a-z0-9]{17}|event-source-mapping:[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-"
    "[0-9a-fA-F]{4}-[0-9a-fA-F]{12}|capacity-provider:[a-zA-Z0-9-_]+)"
)
READS = (
    r"(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?"
    r"([a-zA-Z0-9-_\.]+)(:(\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9-_]+))?"
)
NAMES = READS.replace(r"([a-zA-Z0-9-_\.]+)(:(\$LATEST(\.PUBLISHED)?|", r"([a-zA-Z0-9-_]+)(:(\$LATEST|")
NO_DESTINATION = "Unsupported DestinationConfig parameter for given event source mapping type."
BATCH = "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10"
TWICE = "Please update or delete the existing mapping with UUID {uuid}"


def shape(value: str, path: str, constraint: str) -> str:
    return f"1 validation error detected: Value {value} at '{path}' failed to satisfy constraint: {constraint}"


def pattern(value: str, path: str, expression: str) -> str:
    return shape(f"'{value}'", path, f"Member must satisfy regular expression pattern: {expression}")


def mapped(request: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """A request of CreateEventSourceMapping, for `orders`."""
    given = {**request, "FunctionName": "orders", **more}
    return {member: value for member, value in given.items() if value is not None}


def alias(**more: Any) -> dict[str, Any]:
    return {**F, "Name": "fresh", "FunctionVersion": "1", **more}


def weighted(weights: Mapping[str, float]) -> dict[str, Any]:
    return alias(RoutingConfig={"AdditionalVersionWeights": weights})


Row = tuple[str, Mapping[str, Any], str, str]
"""Operation, parameters, code, message. `{queue}` and its like are the UUIDs of the mappings that are there."""

CREATE, UPDATE = "CreateEventSourceMapping", "UpdateEventSourceMapping"
MAPPINGS: list[Row] = [
    *(
        (f"{verb}EventSourceMapping", {"UUID": NO_UUID}, RNF, "The resource you requested does not exist.")
        for verb in ("Get", "Update", "Delete")
    ),
    (CREATE, F, IPV, "Unrecognized event source."),
    *(
        (
            CREATE,
            mapped(request, EventSourceArn=arn.replace("us-east-1", "eu-west-1"), FunctionName=name),
            IPV,
            "Event source region must match Lambda region us-east-1",
        )
        for request, arn in ((SQS, QUEUE), (KINESIS, STREAM), (DYNAMODB, TABLE), (MSK, CLUSTER))
        for name in ("orders", "nobody")
    ),
    *((CREATE, mapped(SQS, FunctionName=name), IPV, "Function does not exist") for name in ("nobody", "orders:9")),
    (CREATE, mapped(SQS, DestinationConfig={"OnSuccess": {"Destination": DEAD}}), IPV, NO_DESTINATION),
    (UPDATE, {"UUID": "{sqs}", "DestinationConfig": {"OnSuccess": {"Destination": DEAD}}}, IPV, NO_DESTINATION),
    *(
        (
            CREATE,
            mapped(request, **{member[0].upper() + member[1:]: value}),
            IPV,
            f"Unsupported '{member}' parameter for given event source mapping type.",
        )
        for request, member, value in (
            (SQS, "parallelizationFactor", 2),
            (SQS, "tumblingWindowInSeconds", 5),
            (KINESIS, "scalingConfig", {"MaximumConcurrency": 2}),
            (KAFKA, "parallelizationFactor", 2),
        )
    ),
    *(
        (
            CREATE,
            mapped(request, StartingPosition=None),
            IPV,
            shape("null", "startingPosition", "Member must not be null."),
        )
        for request in (KINESIS, DYNAMODB)
    ),
    (
        CREATE,
        mapped(KINESIS, StartingPosition="invalid"),
        VE,
        shape(
            "'invalid'", "startingPosition", "Member must satisfy enum value set: [LATEST, AT_TIMESTAMP, TRIM_HORIZON]"
        ),
    ),
    (
        CREATE,
        mapped(DYNAMODB, StartingPosition="AT_TIMESTAMP", StartingPositionTimestamp=1.0),
        IPV,
        f"Unsupported starting position for arn type: {TABLE}",
    ),
    (CREATE, mapped(SQS, EventSourceArn=OTHER, BatchSize=11), IPV, BATCH),
    (UPDATE, {"UUID": "{sqs}", "BatchSize": 11}, IPV, BATCH),
    (
        CREATE,
        mapped(SQS, EventSourceArn=FIFO, MaximumBatchingWindowInSeconds=1),
        IPV,
        "Batching window is not supported for FIFO queues",
    ),
    *(
        (operation, request, IPV, "Queue visibility timeout: 2 seconds is less than Function timeout: 3 seconds")
        for operation, request in (
            (CREATE, mapped(SQS, EventSourceArn=f"{OTHER}-hasty")),
            (UPDATE, {"UUID": "{hasty}", "FunctionName": "orders"}),
        )
    ),
    *(
        (
            operation,
            {**request, "MaximumRecordAgeInSeconds": 59},
            IPV,
            "MaximumRecordAgeInSeconds must be either -1 (forever) or between 60 and 604800 (inclusive)",
        )
        for operation, request in ((CREATE, mapped(KINESIS)), (UPDATE, {"UUID": "{kinesis}"}))
    ),
    *(
        (
            CREATE,
            mapped(SQS, EventSourceArn=OTHER, FilterCriteria={"Filters": [{"Pattern": text}]}),
            IPV,
            "Invalid filter pattern definition.",
        )
        for text in ("{", "null", '"body"', '{"body":"a"}', '{"body":[]}')
    ),
    (
        CREATE,
        mapped(SQS, EventSourceArn=MISSING["sqs"]),
        IPV,
        (
            "Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. "
            "SQS Error Message: The specified queue does not exist."
        ),
    ),
    *(
        (CREATE, mapped(request, EventSourceArn=MISSING[kind]), IPV, f"Stream not found: {MISSING[kind]}")
        for request, kind in ((KINESIS, "kinesis"), (DYNAMODB, "dynamodb"))
    ),
    (
        CREATE,
        mapped(KAFKA, SourceAccessConfigurations=None),
        IPV,
        "Required 'sourceAccessConfigurations' parameter is missing.",
    ),
    (CREATE, mapped(MSK, Topics=None), IPV, "Required 'topics' parameter is missing."),
    (
        CREATE,
        mapped(KAFKA, SelfManagedKafkaEventSourceConfig={"ConsumptionMode": "Queue"}),
        IPV,
        (
            "The value Queue of SelfManagedKafkaEventSourceConfig.ConsumptionMode is not supported: it needs a share "
            "group of Kafka, and this version has consumer groups only; say Stream, or remove it."
        ),
    ),
    (
        CREATE,
        mapped(KAFKA, SelfManagedKafkaEventSourceConfig={"ConsumptionMode": "Both"}),
        VE,
        shape(
            "'Both'",
            "selfManagedKafkaEventSourceConfig.consumptionMode",
            "Member must satisfy enum value set: [Stream, Queue]",
        ),
    ),
    (
        CREATE,
        mapped(KAFKA, SourceAccessConfigurations=[{"Type": "OAUTHBEARER_SCOPE", "URI": "s"}]),
        IPV,
        "SourceAccessConfigurations: OAUTHBEARER_SCOPE needs OAUTHBEARER_AUTH",
    ),
    (
        CREATE,
        mapped(SQS),
        RC,
        (
            f'An event source mapping with SQS arn (" {QUEUE} ") and function (" orders ") already exists. '
            + TWICE.replace("uuid", "sqs")
        ),
    ),
    *(
        (
            CREATE,
            mapped(request),
            RC,
            (
                f'The event source arn (" {arn} ") and function (" orders ") provided mapping already exists. '
                + TWICE.replace("uuid", kind)
            ),
        )
        for request, arn, kind in ((KINESIS, STREAM, "kinesis"), (DYNAMODB, TABLE, "dynamodb"))
    ),
    (
        CREATE,
        mapped(KAFKA, SelfManagedEventSource={"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": ["kafka:1000", "kafka:2000"]}}),
        RC,
        (
            f'An event source mapping with event source ("kafka:1000,kafka:2000"), function ("{ARN}"), '
            'topics ("orders") already exists. ' + TWICE.replace("uuid", "kafka")
        ),
    ),
    *(
        (
            f"{verb}EventSourceMapping",
            {"UUID": "{busy}"},
            "ResourceInUseException",
            f"Cannot {verb.lower()} the event source mapping because it is in use.",
        )
        for verb in ("Update", "Delete")
    ),
    *(
        (operation, {"Resource": arn, **more}, RNF, f"Event source mapping not found: {arn}")
        for operation, more in (
            ("TagResource", {"Tags": {"a": "b"}}),
            ("UntagResource", {"TagKeys": ["a"]}),
            ("ListTags", {}),
        )
        for arn in (f"{ESM}{NO_UUID}",)
    ),
    *(
        ("ListTags", {"Resource": arn}, VE, pattern(arn, "resource", TAGGABLE))
        for arn in (f"{ESM}{NO_UUID}:alias", f"{ESM}{NO_UUID}".replace("event-source-mapping", "foobar"))
    ),
    (
        "TagResource",
        {"Resource": f"{ESM}{{sqs}}", "Tags": {str(number): "" for number in range(51)}},
        IPV,
        "Number of tags exceeds resource tag limit.",
    ),
]

STATE = "The operation cannot be performed at this time. The function is currently in the following state: Pending"
INVOKE: list[Row] = [
    ("Invoke", {"FunctionName": "nobody"}, RNF, f"Function not found: {ARN.replace('orders', 'nobody')}:$LATEST"),
    *(
        ("Invoke", {**F, "Qualifier": qualifier}, RNF, f"Function not found: {ARN}:{qualifier}")
        for qualifier in ("9", "dead", "$latest")
    ),
    *(
        (
            operation,
            {"FunctionName": ARN.replace("us-east-1", "eu-west-1")},
            RNF,
            "Functions from 'eu-west-1' are not reachable in this region ('us-east-1')",
        )
        for operation in ("Invoke", "GetFunction", "DeleteFunction")
    ),
    *(
        (operation, {"FunctionName": ARN.replace(":000000000000:", ":111111111111:")}, "AccessDeniedException", "")
        for operation in ("Invoke", "GetFunction")
    ),
    *(
        (
            operation,
            {"FunctionName": "orders:1", "Qualifier": "2"},
            IPV,
            "The derived qualifier from the function name does not match the specified qualifier.",
        )
        for operation in ("Invoke", "GetFunction", "GetFunctionConfiguration", "DeleteFunction")
    ),
    *(
        (
            "Invoke",
            {**F, "Payload": event},
            IRC,
            "Could not parse request body into json: Could not parse payload into json: …",
        )
        for event in (b"{", b"\x99", b'"\x87"')
    ),
    (
        "Invoke",
        {**F, "Payload": b" " * 6_291_457},
        "RequestEntityTooLargeException",
        "Request must be smaller than 6291456 bytes for the InvokeFunction operation",
    ),
    (
        "Invoke",
        {**F, "Payload": b" " * 1_048_577, "InvocationType": "Event"},
        "RequestEntityTooLargeException",
        "1048577 byte payload is too large for the Event invocation type (limit 1048576 bytes)",
    ),
    ("Invoke", {"FunctionName": "making"}, RC, STATE),
    ("Invoke", {"FunctionName": "full"}, "TooManyRequestsException", "Rate Exceeded."),
]

ROLES = r"arn:(aws[a-zA-Z-]*)?:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+"
DESTINATIONS = (
    r"$|kafka://([^.]([a-zA-Z0-9\-_.]{0,248}))|arn:(aws[a-zA-Z0-9-]*):([a-zA-Z0-9\-])+:((eusc-)?[a-z]{2}((-gov)|"
    r"(-iso([a-z]?)))?-[a-z]+-\d{1})?:(\d{12})?:(.*)"
)
LONG = "a" * 65
FUNCTIONS: list[Row] = [
    ("GetFunction", {"FunctionName": "a b"}, VE, pattern("a b", "functionName", READS)),
    ("CreateFunction", new(FunctionName="a.b"), VE, pattern("a.b", "functionName", NAMES)),
    (
        "CreateFunction",
        new(FunctionName=LONG),
        IPV,
        shape(f"'{LONG}'", "functionName", "Member must have length less than or equal to 64"),
    ),
    ("GetFunction", {"FunctionName": LONG}, RNF, f"Function not found: {ARN.replace('orders', LONG)}"),
    (
        "GetFunction",
        {"FunctionName": ARN.removesuffix(":orders")},
        RNF,
        f"Function not found: {ARN.replace('orders', 'function')}",
    ),
    ("CreateFunction", new(Role="r"), VE, pattern("r", "role", ROLES)),
    (
        "CreateFunction",
        new(Architectures=["x86_64", "arm64"]),
        VE,
        shape("'[x86_64, arm64]'", "architectures", "Member must have length less than or equal to 1"),
    ),
    (
        "CreateFunction",
        new(Architectures=["X86_64"]),
        VE,
        shape(
            "'[X86_64]'",
            "architectures",
            "Member must satisfy constraint: [Member must satisfy enum value set: [x86_64, arm64], "
            "Member must not be null]",
        ),
    ),
    (
        "CreateFunction",
        new(SnapStart={"ApplyOn": "Some"}),
        VE,
        shape("'Some'", "snapStart.applyOn", "Member must satisfy enum value set: [PublishedVersions, None]"),
    ),
    *(
        (
            operation,
            request,
            IPV,
            (
                "Error occurred while GetObject. S3 Error Code: NoSuchBucket. "
                "S3 Error Message: The specified bucket does not exist"
            ),
        )
        for operation, request in (
            ("CreateFunction", new(Code={"S3Bucket": "none", "S3Key": "k"})),
            ("UpdateFunctionCode", {**F, "S3Bucket": "none", "S3Key": "k"}),
        )
    ),
    *(
        (
            operation,
            {**request, "VpcConfig": {"SubnetIds": subnets, "SecurityGroupIds": groups}},
            IPV,
            f"Error occurred while {text}",
        )
        for operation, request in (("CreateFunction", new()), ("UpdateFunctionConfiguration", F))
        for subnets, groups, text in (
            (
                ["subnet-1", "subnet-2"],
                ["sg-1"],
                (
                    "DescribeSubnets. EC2 Error Code: InvalidSubnetID.NotFound. EC2 Error Message: "
                    "The subnet ID 'subnet-2' does not exist"
                ),
            ),
            (
                ["subnet-1"],
                ["sg-2"],
                (
                    "DescribeSecurityGroups. EC2 Error Code: InvalidGroup.NotFound. EC2 Error Message: "
                    "The security group 'sg-2' does not exist"
                ),
            ),
        )
    ),
    (
        "UpdateFunctionCode",
        {**F, "ImageUri": "image"},
        IPV,
        "Please don't provide ImageUri when updating a function with packageType Zip.",
    ),
    (
        "ListFunctions",
        {"FunctionVersion": "SOME"},
        VE,
        shape("'SOME'", "functionVersion", "Member must satisfy enum value set: [ALL]"),
    ),
    (
        "PutFunctionEventInvokeConfig",
        {**F, "DestinationConfig": {"OnFailure": {"Destination": "nowhere"}}},
        VE,
        pattern("nowhere", "destinationConfig.onFailure.destination", DESTINATIONS),
    ),
    ("CreateAlias", alias(Name="1"), VE, pattern("1", "name", "(?!^[0-9]+$)([a-zA-Z0-9-_]+)")),
    (
        "CreateAlias",
        weighted({"2": 2.0}),
        VE,
        shape(
            "'{2=2.0}'",
            "routingConfig.additionalVersionWeights",
            "Map value must satisfy constraint: [Member must have value less than or equal to 1.0, "
            "Member must have value greater than or equal to 0.0, Member must not be null]",
        ),
    ),
    (
        "CreateAlias",
        weighted({"$LATEST": 0.5}),
        VE,
        shape(
            "'{$LATEST=0.5}'",
            "routingConfig.additionalVersionWeights",
            "Map keys must satisfy constraint: [Member must have length less than or equal to 1024, "
            "Member must have length greater than or equal to 1, Member must satisfy regular expression pattern: "
            "[0-9]+]",
        ),
    ),
    *(
        (
            operation,
            {**request, "Environment": {"Variables": {"A\0": "x"}}},
            VE,
            (
                "1 validation error detected: Value at 'environment.variables' failed to satisfy constraint: "
                "Map keys must satisfy constraint: [Member must satisfy regular expression pattern: "
                "[a-zA-Z]([a-zA-Z0-9_])+]"
            ),
        )
        for operation, request in (("CreateFunction", new()), ("UpdateFunctionConfiguration", F))
    ),
    (
        "AddPermission",
        {**F, "StatementId": "a.b", "Action": "lambda:InvokeFunction", "Principal": "*"},
        VE,
        pattern("a.b", "statementId", "([a-zA-Z0-9-_]+)"),
    ),
    ("UntagResource", {"Resource": ARN}, VE, shape("null", "tagKeys", "Member must not be null")),
    (
        "PutFunctionRecursionConfig",
        {**F, "RecursiveLoop": "allow"},
        VE,
        shape("'allow'", "recursiveLoop", "Member must satisfy enum value set: [Terminate, Allow]"),
    ),
    (
        "CreateFunction",
        {"FunctionName": "a b", "Role": ROLE, "Code": {}, "Timeout": 0},
        VE,
        (
            "2 validation errors detected: "
            + pattern("a b", "functionName", NAMES).partition(": ")[2]
            + "; "
            + shape("'0'", "timeout", "Member must have value greater than or equal to 1").partition(": ")[2]
        ),
    ),
]

MESSAGES = [*MAPPINGS, *INVOKE, *FUNCTIONS]
