"""SAM as CloudFormation: functions with their Globals, the mappings of their events, aliases, tables, layers, nested
applications. Every node stays where the template has it. Pure.

    AWS::Serverless::Function ──► AWS::Lambda::Function + a mapping for each event that is one (`<function><event>`)

Events that are no event source mappings are left on the function, for whoever tells of them.

https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-resource-function.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from ....config.nodes import Node
from . import naming

PREFIX = "AWS::Serverless::"
TRANSFORM = "AWS::Serverless-2016-10-31"
OTHER_EVENTS = "HeadraceOtherEvents"
"""The attribute of a function's resource under which the events stand that are no mappings."""

OBJECT = {"Bucket": "S3Bucket", "Key": "S3Key", "Version": "S3ObjectVersion"}
"""SAM's names of an object's parts, and CloudFormation's."""

_Members = dict[str, Node]
MAPPING_EVENTS: Mapping[str, str] = {
    "SQS": "Queue",
    "Kinesis": "Stream",
    "DynamoDB": "Stream",
    "MSK": "Stream",
    "SelfManagedKafka": "",
    "MQ": "Broker",
    "DocumentDB": "Cluster",
}
"""The events that are mappings, each with the property that names the source."""


def is_sam(document: Node) -> bool:
    """Whether a template is of SAM."""
    members = _members(document)
    resources = _members(members.get("Resources"))
    return any(_kind(node).startswith(PREFIX) for node in resources.values()) or TRANSFORM in _transforms(document)


def _transforms(document: Node) -> list[object]:
    node = _members(document).get("Transform")
    if node is None:
        return []
    return [item.value for item in node.value] if isinstance(node.value, list) else [node.value]


def expanded(document: Node) -> Node:
    """The template as CloudFormation."""
    members = _members(document)
    globals_ = _members(members.get("Globals"))
    resources: _Members = {}
    own = _members(members.get("Resources"))
    for logical_id, node in own.items():
        for made_id, made in _resource(logical_id, node, globals_):
            is_taken = made_id != logical_id and made_id in own
            resources[f"{made_id}EventSourceMapping" if is_taken else made_id] = made
    return replace(
        document, value={**members, "Resources": replace(members.get("Resources", document), value=resources)}
    )


def _resource(logical_id: str, node: Node, globals_: Mapping[str, Node]) -> Iterator[tuple[str, Node]]:
    kind = _kind(node).removeprefix(PREFIX) if _kind(node).startswith(PREFIX) else ""
    common = _merged(_members(globals_.get(kind)), _members(_members(node).get("Properties")))
    match kind:
        case "Function":
            yield from _function(logical_id, node, common)
        case "SimpleTable":
            yield logical_id, _as(node, naming.TABLE, _table(node, common))
        case "LayerVersion":
            layer = _renamed(common, {"ContentUri": "Content"})
            content = layer.get("Content")
            if content is not None and isinstance(content.value, dict):
                layer["Content"] = replace(content, value=_renamed(content.value, OBJECT))
            yield logical_id, _as(node, naming.LAYER, layer)
        case "Application":
            yield logical_id, _as(node, naming.STACK, _renamed(common, {"Location": "TemplateURL"}))
        case _:
            yield logical_id, node


# --- functions --------------------------------------------------------------------------------------------------------


def _function(logical_id: str, node: Node, properties: _Members) -> Iterator[tuple[str, Node]]:
    events = _members(properties.get("Events"))
    function, mappings, others = dict(properties), dict[str, Node](), dict[str, Node]()
    function.pop("Events", None)
    code = _code(function, node)
    if code is not None:
        function["Code"] = code
    for event_id, event in events.items():
        made = dict(_event(logical_id, event_id, event, node))
        mappings.update(made)
        if not made:
            others[event_id] = event
    alias = function.pop("AutoPublishAlias", None)
    shown = _as(node, naming.FUNCTION, function)
    yield logical_id, _with(shown, {OTHER_EVENTS: replace(node, value=others)}) if others else shown
    if alias is not None:
        yield from _alias(logical_id, alias, node)
    yield from mappings.items()


def _code(function: _Members, node: Node) -> Node | None:
    """Where the code is, as CloudFormation has it; a path stays a text."""
    if "InlineCode" in function:
        code = function.pop("InlineCode")
        return Node({"ZipFile": code}, code.file, code.line)
    if "ImageUri" in function:
        code = function.pop("ImageUri")
        return Node({"ImageUri": code}, code.file, code.line)
    code_uri = function.pop("CodeUri", None)
    if code_uri is None:
        return None
    if isinstance(code_uri.value, dict) and "Bucket" in code_uri.value:
        return replace(code_uri, value=_renamed(code_uri.value, OBJECT))
    return code_uri


def _alias(logical_id: str, alias: Node, node: Node) -> Iterator[tuple[str, Node]]:
    name = Node({"Ref": _text(logical_id, node)}, node.file, node.line)
    resource = _built(node, naming.ALIAS, {"FunctionName": name, "Name": alias})
    text = alias.value if isinstance(alias.value, str) else ""
    yield f"{logical_id}Alias", resource
    if text:
        yield f"{logical_id}Alias{text}", resource
    yield f"{logical_id}Version", _built(node, naming.VERSION, {"FunctionName": name})


# --- events -----------------------------------------------------------------------------------------------------------


def _event(function: str, event_id: str, event: Node, owner: Node) -> Iterator[tuple[str, Node]]:
    """The mapping of an event, with what comes along; nothing for an event that is none."""
    members = _members(event)
    kind = _text_in(members.get("Type"))
    properties = dict(_members(members.get("Properties")))
    name = f"{function}{event_id}"
    if kind == "SNS" and _text_in(properties.get("SqsSubscription")) != "" and "SqsSubscription" in properties:
        yield from _subscription(name, function, properties["SqsSubscription"], event, owner)
    elif kind in MAPPING_EVENTS:
        yield name, _mapping(function, _properties(kind, properties, event), event, owner)


def _mapping(function: str, properties: _Members, event: Node, owner: Node) -> Node:
    target = Node({"Ref": _text(function, owner)}, event.file, event.line)
    made = _built(event, naming.MAPPING, {**properties, "FunctionName": target})
    condition = _members(owner).get("Condition")
    return made if condition is None else _with(made, {"Condition": condition})


def _properties(kind: str, given: _Members, event: Node) -> _Members:
    """An event's properties as those of a mapping."""
    source = given.pop(MAPPING_EVENTS[kind], None) if MAPPING_EVENTS[kind] else None
    if source is not None:
        given["EventSourceArn"] = source
    group = given.pop("ConsumerGroupId", None)
    registry = given.pop("SchemaRegistryConfig", None)
    own = {"ConsumerGroupId": group, "SchemaRegistryConfig": registry}
    config = {key: node for key, node in own.items() if node is not None}
    if config:
        field = (
            "SelfManagedKafkaEventSourceConfig" if kind == "SelfManagedKafka" else "AmazonManagedKafkaEventSourceConfig"
        )
        given[field] = Node(dict(config), event.file, event.line)
    servers = given.pop("KafkaBootstrapServers", None)
    if servers is not None:
        endpoints = Node({"KafkaBootstrapServers": servers}, servers.file, servers.line)
        given["SelfManagedEventSource"] = Node({"Endpoints": endpoints}, servers.file, servers.line)
    if "DestinationConfig" in given:
        given["DestinationConfig"] = _destination(given["DestinationConfig"])
    return given


def _destination(config: Node) -> Node:
    """SAM has the type of a destination beside its ARN."""
    members = _members(config)
    on_failure = _members(members.get("OnFailure"))
    if "Type" not in on_failure:
        return config
    kept = {key: node for key, node in on_failure.items() if key != "Type"}
    return replace(config, value={**members, "OnFailure": replace(members["OnFailure"], value=kept)})


def _subscription(name: str, function: str, given: Node, event: Node, owner: Node) -> Iterator[tuple[str, Node]]:
    """A queue between a topic and a function: one that is named, or one that SAM makes."""
    members = dict(_members(given))
    queue = members.pop("QueueArn", None)
    members.pop("QueueUrl", None)
    if queue is None:
        yield f"{name}Queue", _built(event, naming.QUEUE, {})
        parts = [_text(f"{name}Queue", event), _text("Arn", event)]
        queue = Node({"Fn::GetAtt": Node(list(parts), event.file, event.line)}, event.file, event.line)
    yield f"{name}EventSourceMapping", _mapping(function, {**members, "EventSourceArn": queue}, event, owner)


# --- the rest ---------------------------------------------------------------------------------------------------------


def _table(node: Node, properties: _Members) -> _Members:
    """SimpleTable: a table with one key."""
    key = _members(properties.pop("PrimaryKey", None))
    name = key.get("Name") or _text("id", node)
    kinds = {"String": "S", "Number": "N", "Binary": "B"}
    letter = kinds.get(_text_in(key.get("Type")), "S")
    pair = Node({"AttributeName": name, "KeyType": _text("HASH", node)}, node.file, node.line)
    attribute = Node({"AttributeName": name, "AttributeType": _text(letter, node)}, node.file, node.line)
    properties["KeySchema"] = Node([pair], node.file, node.line)
    properties["AttributeDefinitions"] = Node([attribute], node.file, node.line)
    return properties


def _merged(common: Mapping[str, Node], own: Mapping[str, Node]) -> _Members:
    """Globals below a resource's own: mappings are joined, lists added up, all else is the resource's."""
    result = dict(common)
    for key, node in own.items():
        other = result.get(key)
        match (other.value if other is not None else None), node.value:
            case dict() as first, dict() as second if not _is_call(first) and not _is_call(second):
                result[key] = replace(node, value=_merged(first, second))
            case list() as first, list() as second:
                result[key] = replace(node, value=[*first, *second])
            case _:
                result[key] = node
    return result


def _is_call(members: Mapping[str, Node]) -> bool:
    return len(members) == 1 and next(iter(members)).startswith(("Ref", "Fn::"))


def _members(node: Node | None) -> dict[str, Node]:
    return node.value if node is not None and isinstance(node.value, dict) else {}


def _text_in(node: Node | None) -> str:
    """The text of a node; of a switch that is off, none."""
    if node is None or node.value is False or node.value is None:
        return ""
    return node.value if isinstance(node.value, str) else "…"


def _kind(node: Node) -> str:
    return _text_in(_members(node).get("Type"))


def _text(text: str, beside: Node) -> Node:
    return Node(text, beside.file, beside.line)


def _renamed(members: Mapping[str, Node], names: Mapping[str, str]) -> _Members:
    return {names.get(key, key): node for key, node in members.items()}


def _as(node: Node, kind: str, properties: _Members) -> Node:
    """The resource as one of CloudFormation's."""
    changed = {"Type": _text(kind, node), "Properties": Node(dict(properties), node.file, node.line)}
    return _with(node, changed)


def _built(beside: Node, kind: str, properties: _Members) -> Node:
    return _as(Node({}, beside.file, beside.line), kind, properties)


def _with(node: Node, members: Mapping[str, Node]) -> Node:
    return replace(node, value={**_members(node), **members})
