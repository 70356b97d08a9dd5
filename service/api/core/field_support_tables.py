"""The tables of `field_support.py`: each call, and each field of the calls that are served.

A field's entry begins with its sign: `+` honoured, `-` refused, `=` refused in AWS's own sentence, `r` recorded; the
rest is the reason. A field without an entry of its own has its parent's. `Field=VALUE` is about one value. The support
of a mapping's fields comes from the kinds of source (`config/kinds/`).
"""

from __future__ import annotations

from collections.abc import Mapping

from ....config.fields.mapping_fields import MappingFields
from ....config.fields.mapping_limits import RECORDED, Support
from ....config.fields.spoken import aws_name
from ....config.kinds.support import FIELDS
from ....config.kinds.table import KINDS

NO_IMAGES = "functions run from code, not from container images; send a zip file"
NO_PROVIDERS = "there are no capacity providers here; remove it"
NO_ENCRYPTION = "nothing is encrypted at rest locally"
NO_ENFORCEMENT = "policies are stored and shown; nothing local enforces them"

_CODE = {
    "ZipFile": "+",
    "S3Bucket": "+",
    "S3Key": "+",
    "S3ObjectVersion": "+",
    "S3ObjectStorageMode": "+",
    "S3ObjectStorageMode=REFERENCE": "- code is copied when it is uploaded; remove it, or say COPY",
    "ImageUri": f"- {NO_IMAGES}",
    "SourceKMSKeyArn": f"r {NO_ENCRYPTION}",
}
_SETTINGS = {
    "FunctionName": "+",
    "Runtime": "+",
    "Role": "r nothing local assumes it",
    "Handler": "+",
    "Description": "+",
    "Timeout": "+",
    "MemorySize": "+",
    "VpcConfig": "r functions run in this machine's network",
    "DeadLetterConfig": "+",
    "Environment": "+",
    "KMSKeyArn": f"r {NO_ENCRYPTION}",
    "TracingConfig": "r nothing local collects traces",
    "Layers": "+",
    "FileSystemConfigs": "r nothing is mounted; the function sees this machine's files",
    "ImageConfig": f"- {NO_IMAGES}",
    "EphemeralStorage": "r the size of /tmp is this machine's",
    "SnapStart": "r no snapshots are taken",
    "LoggingConfig": "+",
    "CapacityProviderConfig": f"- {NO_PROVIDERS}",
    "DurableConfig": "- there are no durable executions here; remove it",
    "RuntimeConfig": "- custom runtime configurations are not possible here; give Runtime, or remove it",
    "AcceleratorConfig": "- functions have no accelerators here; remove it",
}
_PUBLISH_TO = {"PublishTo": f"- {NO_PROVIDERS}"}
_ARCHITECTURES = {"Architectures": "r functions run on this machine's processor"}
_QUALIFIED = {"FunctionName": "+", "Qualifier": "+"}
_PAGED = {"Marker": "+", "MaxItems": "+"}
_ASYNCHRONOUS = {**_QUALIFIED, "MaximumRetryAttempts": "+", "MaximumEventAgeInSeconds": "+", "DestinationConfig": "+"}

_FUNCTIONS: Mapping[str, Mapping[str, str]] = {
    "CreateFunction": {
        **_SETTINGS,
        "Code": "+",
        **{f"Code.{name}": entry for name, entry in _CODE.items()},
        "Publish": "+",
        **_PUBLISH_TO,
        "PackageType": "+",
        "PackageType=Image": f"- {NO_IMAGES}",
        "Tags": "+",
        "CodeSigningConfigArn": "- signatures of code are not checked here; remove it",
        **_ARCHITECTURES,
        "TenancyConfig": "- environments are not separated by tenant here; remove it",
    },
    "UpdateFunctionCode": {
        "FunctionName": "+",
        **_CODE,
        "ImageUri": "= Please don't provide ImageUri when updating a function with packageType Zip.",
        **_ARCHITECTURES,
        "Publish": "+",
        **_PUBLISH_TO,
        "DryRun": "+",
        "RevisionId": "+",
    },
    "UpdateFunctionConfiguration": {**_SETTINGS, "RevisionId": "+"},
    "GetFunction": _QUALIFIED,
    "GetFunctionConfiguration": _QUALIFIED,
    "DeleteFunction": _QUALIFIED,
    "ListFunctions": {
        "MasterRegion": "- there are no replicas at the edge; remove it",
        "FunctionVersion": "+",
        **_PAGED,
    },
    "PublishVersion": {
        "FunctionName": "+",
        "CodeSha256": "+",
        "Description": "+",
        "RevisionId": "+",
        **_PUBLISH_TO,
    },
    "ListVersionsByFunction": {"FunctionName": "+", **_PAGED},
    "CreateAlias": {"FunctionName": "+", "Name": "+", "FunctionVersion": "+", "Description": "+", "RoutingConfig": "+"},
    "UpdateAlias": {
        "FunctionName": "+",
        "Name": "+",
        "FunctionVersion": "+",
        "Description": "+",
        "RoutingConfig": "+",
        "RevisionId": "+",
    },
    "GetAlias": {"FunctionName": "+", "Name": "+"},
    "DeleteAlias": {"FunctionName": "+", "Name": "+"},
    "ListAliases": {"FunctionName": "+", "FunctionVersion": "+", **_PAGED},
    "PutFunctionConcurrency": {"FunctionName": "+", "ReservedConcurrentExecutions": "+"},
    "GetFunctionConcurrency": {"FunctionName": "+"},
    "DeleteFunctionConcurrency": {"FunctionName": "+"},
    "PutFunctionEventInvokeConfig": _ASYNCHRONOUS,
    "UpdateFunctionEventInvokeConfig": _ASYNCHRONOUS,
    "GetFunctionEventInvokeConfig": _QUALIFIED,
    "DeleteFunctionEventInvokeConfig": _QUALIFIED,
    "ListFunctionEventInvokeConfigs": {"FunctionName": "+", **_PAGED},
    "AddPermission": {
        **_QUALIFIED,
        "StatementId": "+",
        "RevisionId": "+",
        **dict.fromkeys(
            (
                "Action",
                "Principal",
                "SourceArn",
                "SourceAccount",
                "EventSourceToken",
                "FunctionUrlAuthType",
                "InvokedViaFunctionUrl",
                "PrincipalOrgID",
            ),
            f"r {NO_ENFORCEMENT}",
        ),
    },
    "GetPolicy": _QUALIFIED,
    "RemovePermission": {**_QUALIFIED, "StatementId": "+", "RevisionId": "+"},
    "GetAccountSettings": {},
    "PutFunctionRecursionConfig": {"FunctionName": "+", "RecursiveLoop": "r loops of invocations are not detected"},
    "GetFunctionRecursionConfig": {"FunctionName": "+"},
    "PutRuntimeManagementConfig": {
        **_QUALIFIED,
        "UpdateRuntimeOn": "r the runtime is the one that is installed on this machine",
        "RuntimeVersionArn": "r the runtime is the one that is installed on this machine",
    },
    "GetRuntimeManagementConfig": _QUALIFIED,
    "GetFunctionCodeSigningConfig": {"FunctionName": "+"},  # no function has one, but Terraform asks for it
    "TagResource": {"Resource": "+", "Tags": "+"},
    "UntagResource": {"Resource": "+", "TagKeys": "+"},
    "ListTags": {"Resource": "+"},
    "Invoke": {
        **_QUALIFIED,
        "InvocationType": "+",
        "LogType": "+",
        "ClientContext": "+",
        "Payload": "+",
        "DurableExecutionName": "- there are no durable executions here; remove it",
        "TenantId": "- environments are not separated by tenant here; remove it",
    },
    "InvokeAsync": {"FunctionName": "+", "InvokeArgs": "+"},
}

_LAYER_VERSION = {"LayerName": "+", "VersionNumber": "+"}
_FITTING = {"CompatibleRuntime": "+", "CompatibleArchitecture": "+", **_PAGED}

_LAYERS: Mapping[str, Mapping[str, str]] = {
    "PublishLayerVersion": {
        "LayerName": "+",
        "Description": "+",
        "Content": "+",
        **{f"Content.{name}": entry for name, entry in _CODE.items() if name not in ("ImageUri", "SourceKMSKeyArn")},
        "CompatibleArchitectures": "+",
        "CompatibleRuntimes": "+",
        "LicenseInfo": "+",
    },
    "GetLayerVersion": _LAYER_VERSION,
    "GetLayerVersionByArn": {"Arn": "+"},
    "ListLayers": _FITTING,
    "ListLayerVersions": {"LayerName": "+", **_FITTING},
    "DeleteLayerVersion": _LAYER_VERSION,
    "AddLayerVersionPermission": {
        **_LAYER_VERSION,
        "StatementId": "+",
        "RevisionId": "+",
        **dict.fromkeys(("Action", "Principal", "OrganizationId"), f"r {NO_ENFORCEMENT}"),
    },
    "GetLayerVersionPolicy": _LAYER_VERSION,
    "RemoveLayerVersionPermission": {**_LAYER_VERSION, "StatementId": "+", "RevisionId": "+"},
}

_ONLY_AT_CREATION = (
    "EventSourceArn",
    "StartingPosition",
    "StartingPositionTimestamp",
    "Topics",
    "Queues",
    "SelfManagedEventSource",
    "Tags",
)
_NOT_IN_THE_API = {"uuid", *MappingFields.ours()}
_ON_SUCCESS = {
    "DestinationConfig.OnSuccess": "= Unsupported DestinationConfig parameter for given event source mapping type."
}


def _mapping_field(name: str) -> str:
    """The entry of a mapping's field, from the table of the sources."""
    standings = set(FIELDS[name].values())
    if standings == {Support.RECORDED}:
        return f"r {RECORDED[name]}"
    if standings == {Support.REFUSED}:
        return "- no source that Headrace polls has it; remove it"
    return "+"


_SIGNS = {Support.HONOURED: "+", Support.REFUSED: "-", Support.RECORDED: "r"}
_PARTS = {
    path: f"{_SIGNS[support]} {reason}".strip() for kind in KINDS for path, (support, reason) in kind.api.parts.items()
}
_MAPPING = {
    **{aws_name(name): _mapping_field(name) for name in FIELDS if name not in _NOT_IN_THE_API},
    "ProvisionedPollerConfig.PollerGroupName": "r mappings share no pollers",
    "MetricsConfig.Metrics=ErrorCount": "r only EventCount goes to CloudWatch",
    "MetricsConfig.Metrics=KafkaMetrics": "r only EventCount goes to CloudWatch",
    **_PARTS,
}

_MAPPINGS: Mapping[str, Mapping[str, str]] = {
    "CreateEventSourceMapping": {**_MAPPING, **_ON_SUCCESS},
    "UpdateEventSourceMapping": {
        "UUID": "+",
        **{name: entry for name, entry in _MAPPING.items() if name not in _ONLY_AT_CREATION},
        **_ON_SUCCESS,
    },
    "GetEventSourceMapping": {"UUID": "+"},
    "DeleteEventSourceMapping": {"UUID": "+"},
    "ListEventSourceMappings": {"EventSourceArn": "+", "FunctionName": "+", **_PAGED},
}

SERVED: Mapping[str, Mapping[str, str]] = {**_FUNCTIONS, **_LAYERS, **_MAPPINGS}
"""By call: each input member, with its sign and reason."""

MEMBERS: Mapping[str, frozenset[str]] = {
    "VpcConfig": frozenset({"SubnetIds", "SecurityGroupIds", "Ipv6AllowedForDualStack"}),
    "DeadLetterConfig": frozenset({"TargetArn"}),
    "Environment": frozenset({"Variables"}),
    "TracingConfig": frozenset({"Mode"}),
    "FileSystemConfigs": frozenset({"Arn", "LocalMountPath"}),
    "EphemeralStorage": frozenset({"Size"}),
    "SnapStart": frozenset({"ApplyOn"}),
    "LoggingConfig": frozenset({"LogFormat", "ApplicationLogLevel", "SystemLogLevel", "LogGroup"}),
    "RoutingConfig": frozenset({"AdditionalVersionWeights"}),
    "DestinationConfig": frozenset({"OnSuccess", "OnFailure"}),
    "DestinationConfig.OnSuccess": frozenset({"Destination"}),
    "DestinationConfig.OnFailure": frozenset({"Destination"}),
}
"""The known members of structures that have one entry for all members. A member that a newer model adds is
refused. (Those of a mapping alone are known by its own model, `config/mapping.py`.)"""

FORWARDED: Mapping[str, tuple[str, ...]] = {
    "provisioned concurrency": (
        "PutProvisionedConcurrencyConfig",
        "GetProvisionedConcurrencyConfig",
        "DeleteProvisionedConcurrencyConfig",
        "ListProvisionedConcurrencyConfigs",
    ),
    "function URLs": (
        "CreateFunctionUrlConfig",
        "GetFunctionUrlConfig",
        "UpdateFunctionUrlConfig",
        "DeleteFunctionUrlConfig",
        "ListFunctionUrlConfigs",
    ),
    "streamed answers": ("InvokeWithResponseStream",),
    "code signing": (
        "CreateCodeSigningConfig",
        "GetCodeSigningConfig",
        "UpdateCodeSigningConfig",
        "DeleteCodeSigningConfig",
        "ListCodeSigningConfigs",
        "ListFunctionsByCodeSigningConfig",
        "PutFunctionCodeSigningConfig",
        "DeleteFunctionCodeSigningConfig",
    ),
    "durable executions": (
        "GetDurableExecution",
        "GetDurableExecutionHistory",
        "GetDurableExecutionState",
        "ListDurableExecutionsByFunction",
        "CheckpointDurableExecution",
        "DeleteDurableExecution",
        "PauseDurableExecution",
        "ResumeDurableExecution",
        "StopDurableExecution",
        "SendDurableExecutionCallbackSuccess",
        "SendDurableExecutionCallbackFailure",
        "SendDurableExecutionCallbackHeartbeat",
    ),
    "capacity providers": (
        "CreateCapacityProvider",
        "GetCapacityProvider",
        "UpdateCapacityProvider",
        "DeleteCapacityProvider",
        "ListCapacityProviders",
        "ListFunctionVersionsByCapacityProvider",
        "PutFunctionScalingConfig",
        "GetFunctionScalingConfig",
    ),
    "resource policies": ("PutResourcePolicy", "GetResourcePolicy", "DeleteResourcePolicy"),
}
"""By subject: the calls that go to the configured upstream."""
