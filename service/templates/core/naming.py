"""What a resource of a template is called, and what `Ref` and `GetAtt` give for it, before anybody deployed it. Pure.

A resource without a name of its own is called `<stack>-<logical id>`, where AWS would add something random.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from ....config.fields.arn import Arn, ArnError
from .options import TemplateOptions
from .values import Unresolved, not_resolved

QUEUE, STREAM, CONSUMER = "AWS::SQS::Queue", "AWS::Kinesis::Stream", "AWS::Kinesis::StreamConsumer"
TABLE, GLOBAL_TABLE = "AWS::DynamoDB::Table", "AWS::DynamoDB::GlobalTable"
TOPIC, BUCKET = "AWS::SNS::Topic", "AWS::S3::Bucket"
FUNCTION, ALIAS, VERSION = "AWS::Lambda::Function", "AWS::Lambda::Alias", "AWS::Lambda::Version"
MAPPING, LAYER, STACK = "AWS::Lambda::EventSourceMapping", "AWS::Lambda::LayerVersion", "AWS::CloudFormation::Stack"


@dataclass(frozen=True, slots=True)
class ResourceNaming:
    """How resources of a type are named. `ref`: what `Ref` gives; `attributes`: what `GetAtt` gives."""

    key: str
    length: int
    arn: Callable[[TemplateOptions, str], str]
    ref: str = "name"
    attributes: Mapping[str, str] = field(default_factory=dict)

    def attribute(self, name: str) -> str | None:
        return "arn" if name == "Arn" else self.attributes.get(name)


def _of(service: str, form: str = "{}", *, account: bool = True, region: bool = True) -> Callable[..., str]:
    def arn(options: TemplateOptions, name: str) -> str:
        return options.arn(service, form.format(name), account=account, region=region)

    return arn


_NAMINGS: Mapping[str, ResourceNaming] = {
    QUEUE: ResourceNaming("QueueName", 80, _of("sqs"), "url", {"QueueName": "name", "QueueUrl": "url"}),
    STREAM: ResourceNaming("Name", 128, _of("kinesis", "stream/{}")),
    TABLE: ResourceNaming("TableName", 255, _of("dynamodb", "table/{}"), attributes={"StreamArn": "arn"}),
    GLOBAL_TABLE: ResourceNaming("TableName", 255, _of("dynamodb", "table/{}"), attributes={"StreamArn": "arn"}),
    TOPIC: ResourceNaming("TopicName", 256, _of("sns"), "arn", {"TopicArn": "arn", "TopicName": "name"}),
    BUCKET: ResourceNaming("BucketName", 63, _of("s3", account=False, region=False)),
    FUNCTION: ResourceNaming("FunctionName", 64, _of("lambda", "function:{}")),
    LAYER: ResourceNaming("LayerName", 140, _of("lambda", "layer:{}:1"), "arn", {"LayerVersionArn": "arn"}),
    "AWS::IAM::Role": ResourceNaming("RoleName", 64, _of("iam", "role/{}", region=False)),
    "AWS::Logs::LogGroup": ResourceNaming("LogGroupName", 512, _of("logs", "log-group:{}:*")),
    "AWS::Events::EventBus": ResourceNaming("Name", 256, _of("events", "event-bus/{}"), attributes={"Name": "name"}),
    "AWS::Events::Rule": ResourceNaming("Name", 64, _of("events", "rule/{}")),
    "AWS::SSM::Parameter": ResourceNaming("Name", 1011, _of("ssm", "parameter/{}")),
    "AWS::SecretsManager::Secret": ResourceNaming(
        "Name", 512, _of("secretsmanager", "secret:{}"), "arn", {"Id": "arn", "Name": "name"}
    ),
    "AWS::StepFunctions::StateMachine": ResourceNaming(
        "StateMachineName", 80, _of("states", "stateMachine:{}"), "arn", {"Name": "name"}
    ),
}


def naming_of(kind: str) -> ResourceNaming | None:
    """How resources of this type are named; None where only a deployment knows."""
    return _NAMINGS.get(kind)


def derived_name(stack: str, logical_id: str, length: int, *, fifo: bool = False) -> str:
    """The name of a resource that has none of its own: the same at each start."""
    name = f"{stack}-{logical_id}" if stack else logical_id
    name = re.sub(r"[^A-Za-z0-9_-]", "-", name)
    ending = ".fifo" if fifo else ""
    if len(name) + len(ending) > length:
        digest = hashlib.sha256(name.encode()).hexdigest()[:8]
        name = f"{name[: length - len(ending) - 9]}-{digest}"
    return name + ending


def shown_as(kind: str, form: str, name: str, options: TemplateOptions) -> str:
    """Name, ARN or URL of a resource."""
    naming = _NAMINGS[kind]
    match form:
        case "arn":
            return naming.arn(options, name)
        case "url":
            return queue_url(options, name)
        case _:
            return name


def queue_url(options: TemplateOptions, name: str) -> str:
    suffix = "amazonaws.com.cn" if options.partition == "aws-cn" else "amazonaws.com"
    base = options.endpoint_url.rstrip("/") or f"https://sqs.{options.region}.{suffix}"
    return f"{base}/{options.account}/{name}"


def bound_arn(text: str, options: TemplateOptions) -> Arn | str:
    """The ARN that a binding names; what is wrong with it, as text."""
    if text.startswith(("http://", "https://")):
        parts = [part for part in urlsplit(text).path.split("/") if part]
        if not parts:
            return f"{text} names no queue: give http://HOST:PORT/ACCOUNT/NAME, or the ARN"
        account = parts[-2] if len(parts) > 1 and re.fullmatch(r"\d{12}", parts[-2]) else options.account
        text = f"arn:{options.partition}:sqs:{options.region}:{account}:{parts[-1]}"
    try:
        return Arn.parse(text)
    except ArnError as fault:
        return f"{text} {fault}"


def name_in(arn: Arn) -> str:
    """The name of what an ARN names: of `stream/NAME`, `function:NAME`, or the name alone."""
    parts = re.split("[/:]", arn.resource)
    return parts[1] if len(parts) > 1 else parts[0]


def only_deployed(kind: str, logical_id: str, attribute: str) -> Unresolved:
    what = f"{attribute} of {logical_id} ({kind})" if attribute else f"{logical_id} ({kind})"
    return not_resolved(f"only a deployment knows {what}; give it with --bind {logical_id}=ARN")


def led_here(text: str, options: TemplateOptions) -> str:
    """An ARN with the account and the region of the endpoint in the place of those that it names; as it is where it
    names none, or where real AWS is meant."""
    try:
        arn = Arn.parse(text)
    except ArnError:
        return text
    if options.real:
        return text
    region = options.region if arn.region else ""
    account = options.account if arn.account else ""
    return str(Arn(options.partition, arn.service, region, account, arn.resource))
