"""Terraform's `show -json`, of a state or of a plan, as functions, mappings and sources. Pure.

A state has every ARN. A plan of what was never applied has none: what it does not know is found by the references of
its `configuration`, through modules, `count` and `for_each` (`terraform_references.py`).

https://developer.hashicorp.com/terraform/internals/json-format
"""

from __future__ import annotations

from collections.abc import Mapping

from ....config.fields.mapping_limits import Support
from ....config.kinds.support import FIELDS, standing
from ....config.mapping import EventSourceMapping
from ....config.nodes import Node
from ....config.reasons import Reason, ReasonCode
from . import creations, functions, mappings
from .model import CodeKind, CodeOrigin, Creation, CreationKind, LeftOut, NotTaken, TakenParts, TemplateFunction
from .options import TemplateOptions
from .taking import without_doubles
from .terraform_references import Instance, TerraformProject
from .values import TemplateValue, Unresolved, items_of, member, members_of, not_resolved, text_of

UNKNOWN = not_resolved("the plan does not know it: apply it to the emulator and show the state")


def take(document: Node, options: TemplateOptions) -> TakenParts:
    """All that is taken of a state or a plan."""
    project = TerraformProject.of(document, options)
    taken = TakenParts()
    for instance in project.instances.values():
        match instance.type:
            case "aws_lambda_function":
                taken = taken.joined(_function(project, instance))
            case "aws_lambda_event_source_mapping":
                taken = taken.joined(_mapping(project, instance))
            case kind if kind in _CREATIONS:
                taken = taken.joined(_source(project, instance))
    return without_doubles(taken)


def _left(instance: Instance, what: str, reason: Reason, name: str = "") -> TakenParts:
    return TakenParts(not_taken=(NotTaken(instance.address, what, instance.spot, reason, name),))


# --- functions --------------------------------------------------------------------------------------------------------


def _function(project: TerraformProject, instance: Instance) -> TakenParts:
    name = project.name(instance)
    if isinstance(name, Unresolved):
        return _left(instance, "function", name.reason.of("function_name"))
    values = instance.values
    if _said(values.get("package_type")) == "Image" or _said(values.get("image_uri")):
        return _left(instance, "function", Reason(ReasonCode.NOT_TAKEN, functions.image_advice(name)), name)
    layers = _layers(project, instance)
    if isinstance(layers, Unresolved):
        return _left(instance, "function", layers.reason, name)
    names = (instance.address, instance.name, name)
    environment, left_out = functions.variables(_declared(project, instance), names, project.options)
    if not environment and "" in project.unknown_variables(instance):
        left_out.append(LeftOut("the environment", UNKNOWN.reason))
    made = TemplateFunction(
        instance.address,
        name,
        instance.spot,
        _said(values.get("runtime")),
        _said(values.get("handler")),
        _code(project, instance),
        values.get("timeout"),
        values.get("memory_size"),
        _said(values.get("role")),
        environment,
        tuple(layer for layer in layers if isinstance(layer, CodeOrigin)),
        (*left_out, *(layer for layer in layers if isinstance(layer, LeftOut))),
    )
    return TakenParts(functions=(made,))


def _declared(project: TerraformProject, instance: Instance) -> dict[str, TemplateValue]:
    """The variables of a function, those too that the plan does not know."""
    known = members_of(member(_block(instance.values.get("environment")), "variables"))
    unknown = TemplateValue(UNKNOWN, instance.spot)
    return {**{name: unknown for name in project.unknown_variables(instance) if name}, **known}


def _code(project: TerraformProject, instance: Instance) -> CodeOrigin:
    filename = _said(instance.values.get("filename"))
    if filename:
        return CodeOrigin(CodeKind.PATH, filename, tuple(project.archived(filename)))
    found = project.value(instance, "filename")
    text = "" if found is None else text_of(found)
    if isinstance(text, str) and text:
        return CodeOrigin(CodeKind.PATH, text, tuple(project.archived(text)))
    return _object(project, instance) or CodeOrigin(CodeKind.NOWHERE)


def _object(project: TerraformProject, instance: Instance) -> CodeOrigin | None:
    """The object in S3 that a function or a layer names, if it names one."""
    if not any(_said(instance.values.get(key)) for key in ("s3_bucket", "s3_key")):
        return None
    found = [project.value(instance, key) for key in ("s3_bucket", "s3_key", "s3_object_version")]
    return CodeOrigin.of_object(*map(_said, found))


def _layers(project: TerraformProject, instance: Instance) -> list[CodeOrigin | LeftOut] | Unresolved:
    found: list[CodeOrigin | LeftOut] = []
    for each in project.items(instance, "layers"):
        text = text_of(each)
        layer = project.layer(text) if isinstance(text, str) else None
        content = _said(layer.values.get("filename")) if layer else ""
        given = project.options.given_layer(text) if isinstance(text, str) else None
        origin = _object(project, layer) if layer else None
        if content:
            origin = CodeOrigin(CodeKind.PATH, content, tuple(project.archived(content)))
        if given is not None:
            origin = CodeOrigin(CodeKind.PATH, given)
        if origin is not None:
            found.append(origin)
            continue
        named = text if isinstance(text, str) else "a layer"
        why = f"is not known: {text.reason}" if isinstance(text, Unresolved) else "has no content on this machine"
        if not project.options.without_layers:
            return not_resolved(f"{named} {why}{functions.layer_advice(text)}")
        found.append(LeftOut(f"the layer {named}", Reason(ReasonCode.CODE_MISSING, f"{why}: it is left out")))
    return found


# --- mappings ---------------------------------------------------------------------------------------------------------

BLOCKS = frozenset(
    {
        "amazon_managed_kafka_event_source_config",
        "destination_config",
        "document_db_event_source_config",
        "filter_criteria",
        "metrics_config",
        "provisioned_poller_config",
        "scaling_config",
        "self_managed_event_source",
        "self_managed_kafka_event_source_config",
    }
)
"""What Terraform has as a list of one block at most."""
ZERO_IS_NONE = frozenset({"batch_size", "parallelization_factor", "maximum_record_age_in_seconds"})
REFERRING = ("event_source_arn", "function_name")
KNOWN = frozenset(FIELDS) | {"event_source_arn", "function_name", "source_access_configuration"}


def _mapping(project: TerraformProject, instance: Instance) -> TakenParts:
    fields = {key: value for key, value in instance.values.items() if key in KNOWN and key != "uuid"}
    for key in REFERRING:
        found = project.value(instance, key)
        if found is not None:
            fields[key] = found
    for key in BLOCKS & set(fields):
        fields[key] = _block(fields[key]) or TemplateValue(None, instance.spot)
    if "source_access_configuration" in fields:
        fields["source_access_configurations"] = fields.pop("source_access_configuration")
    if "filter_criteria" in fields and (filters := member(fields["filter_criteria"], "filter")) is not None:
        fields["filter_criteria"] = TemplateValue({"Filters": filters}, filters.spot)
    if "destination_config" in fields:
        destination = _destination(project, instance, fields.pop("destination_config"))
        fields.update({"destination_config": destination} if destination is not None else {})
    kept = {key: value for key, value in fields.items() if not _says_nothing(key, value, fields)}
    made = mappings.translated(instance.address, instance.spot, kept, project.options)
    if isinstance(made, Unresolved):
        return _left(instance, "mapping", made.reason)
    return TakenParts(mappings=(made,))


def _destination(project: TerraformProject, instance: Instance, given: TemplateValue) -> TemplateValue | None:
    block = _block(member(given, "on_failure"))
    arn = member(block, "destination_arn")
    if arn is None or arn.held in (None, ""):
        arn = project.nested(instance, "destination_config", "on_failure", "destination_arn")
    if arn is None:
        return None
    inner = TemplateValue({"destination": arn}, given.spot)
    return TemplateValue({"on_failure": inner}, given.spot)


def _says_nothing(key: str, value: TemplateValue, fields: Mapping[str, TemplateValue]) -> bool:
    """A provider writes a zero, or nothing, where nobody said anything."""
    if isinstance(value.held, Unresolved) or value.held not in (None, "", 0, False, -1, [], {}):
        return False
    if key in ZERO_IS_NONE or value.held in (None, "") or value.held == [] or value.held == {}:
        return True
    if key not in FIELDS or key == "enabled":
        return False
    source = fields.get("event_source_arn")
    try:
        kind = EventSourceMapping(name="m", source="" if source is None else str(source.held), function="f").kind
    except ValueError:
        kind = None
    if kind is None or standing(key, kind) is Support.REFUSED or key not in kind.api.shows:
        return True
    return key == "maximum_retry_attempts" and not (kind.keeps_positions or _is_provisioned(fields))


def _is_provisioned(fields: Mapping[str, TemplateValue]) -> bool:
    """Whether AWS has retries of a topic at all: elsewhere a provider writes a zero for them."""
    given = fields.get("provisioned_poller_config")
    return given is not None and given.held not in (None, [], {})


# --- sources ----------------------------------------------------------------------------------------------------------

_CREATIONS: Mapping[str, CreationKind] = {
    "aws_sqs_queue": CreationKind.QUEUE,
    "aws_kinesis_stream": CreationKind.STREAM,
    "aws_dynamodb_table": CreationKind.TABLE,
    "aws_sns_topic": CreationKind.TOPIC,
    "aws_s3_bucket": CreationKind.BUCKET,
}
_QUEUE = {
    "delay_seconds": "DelaySeconds",
    "max_message_size": "MaximumMessageSize",
    "message_retention_seconds": "MessageRetentionPeriod",
    "receive_wait_time_seconds": "ReceiveMessageWaitTimeSeconds",
    "visibility_timeout_seconds": "VisibilityTimeout",
    "redrive_policy": "RedrivePolicy",
}


def _source(project: TerraformProject, instance: Instance) -> TakenParts:
    name = project.name(instance)
    if isinstance(name, Unresolved):
        return _left(instance, "source", name.reason.of("its name"))
    return TakenParts(creations=(_creation(project, instance, name),))


def _creation(project: TerraformProject, instance: Instance, name: str) -> Creation:
    kind = _CREATIONS[instance.type]
    match kind:
        case CreationKind.QUEUE:
            given = _queue(project, instance)
            settings, left_out, after = creations.queue(name, given, project.options)
            if GUESSED in given:
                left_out = [
                    *left_out,
                    LeftOut("maxReceiveCount", not_resolved("the plan does not show it: 5 is taken").reason),
                ]
        case CreationKind.STREAM:
            count = instance.values.get("shard_count")
            shards = {"ShardCount": count} if count is not None and count.held else {}
            settings, left_out, after = creations.stream(name, shards, project.options)
        case CreationKind.TABLE:
            settings, left_out, after = creations.table(name, _table(instance), project.options)
        case _:
            settings, left_out, after = creations.topic(name, {}, project.options)
    return Creation(instance.address, kind, name, instance.spot, settings, after, tuple(left_out))


def _queue(project: TerraformProject, instance: Instance) -> dict[str, TemplateValue]:
    given = {
        ours: value
        for theirs, ours in _QUEUE.items()
        if (value := instance.values.get(theirs)) is not None and value.held is not None
    }
    deduplicated = instance.values.get("content_based_deduplication")
    if deduplicated is not None and deduplicated.held is True:
        given["ContentBasedDeduplication"] = deduplicated
    if "RedrivePolicy" not in given and (policy := project.redrive(instance)) is not None:
        is_policy = isinstance(policy.held, str) and policy.held.lstrip().startswith("{")
        given["RedrivePolicy"] = policy if is_policy else _around(policy)
        if not is_policy and not isinstance(policy.held, Unresolved):
            given[GUESSED] = policy
    return given


GUESSED = "maxReceiveCount"
"""Stands among what is given for a queue whose policy is known by a reference alone."""


def _around(target: TemplateValue) -> TemplateValue:
    """A policy around the ARN of the queue that is referred to."""
    if isinstance(target.held, Unresolved):
        return target
    members = {"deadLetterTargetArn": target, GUESSED: TemplateValue("5", target.spot)}
    return TemplateValue(dict(members), target.spot)


def _table(instance: Instance) -> dict[str, TemplateValue]:
    values, spot = instance.values, instance.spot
    keys = [
        TemplateValue({"AttributeName": values[key], "KeyType": TemplateValue(kind, spot)}, spot)
        for key, kind in (("hash_key", "HASH"), ("range_key", "RANGE"))
        if key in values and values[key].held
    ]
    attributes = [
        TemplateValue({"AttributeName": name, "AttributeType": kind}, spot)
        for each in items_of(values.get("attribute"))
        if (name := member(each, "name")) and (kind := member(each, "type"))
    ]
    named = {str(member(key, "AttributeName").held) for key in keys}  # type: ignore[union-attr]
    used = [each for each in attributes if str(member(each, "AttributeName").held) in named]  # type: ignore[union-attr]
    given = {"KeySchema": TemplateValue(list(keys), spot), "AttributeDefinitions": TemplateValue(list(used), spot)}
    if values.get("stream_enabled") is not None and values["stream_enabled"].held is True:
        view = values.get("stream_view_type") or TemplateValue("NEW_AND_OLD_IMAGES", spot)
        given["StreamSpecification"] = TemplateValue({"StreamViewType": view}, spot)
    return given


# --- shapes -----------------------------------------------------------------------------------------------------------


def _block(value: TemplateValue | None) -> TemplateValue | None:
    """The block of a list of one; a mapping as it is."""
    items = items_of(value)
    return items[0] if items else None


def _said(value: TemplateValue | None) -> str:
    """The text of a value that the plan knows."""
    text = "" if value is None else text_of(value)
    return text if isinstance(text, str) else ""
