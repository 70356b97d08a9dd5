"""An event source mapping of CloudFormation, in the words of our configuration. Pure.

Its function is named by its bare name: what a template says of versions and aliases is the function itself here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from ....config.fields.arn import Arn, ArnError
from ....config.kinds import table
from ....config.mapping import split_function
from . import naming
from .model import NotTaken, TakenParts, TemplateMapping
from .options import TemplateOptions
from .stack import Stack
from .values import (
    Spot,
    TemplateValue,
    Unresolved,
    items_of,
    malformed,
    member,
    members_of,
    text_of,
    unresolved_in,
)

WITHOUT_EFFECT = frozenset({"kms_key_arn", "tags"})
"""Fields that are only recorded: an unresolved one is left out, and stops nothing."""
LISTS = frozenset({"topics", "queues", "function_response_types"})
SWITCHES = frozenset({"enabled", "bisect_batch_on_function_error"})
NETWORK = frozenset({"VPC_SUBNET", "VPC_SECURITY_GROUP"})
"""Access configurations that name a network of AWS, which there is not here."""


def take(stack: Stack, logical_id: str, spot: Spot, options: TemplateOptions) -> TakenParts:
    """The mapping, or why it is not taken."""
    properties = stack.property(logical_id)
    unknown = properties.held if properties is not None else None
    fields = {snake(key): value for key, value in members_of(properties).items()}
    made = unknown if isinstance(unknown, Unresolved) else translated(stack.id_of(logical_id), spot, fields, options)
    if isinstance(made, Unresolved):
        return TakenParts(not_taken=(NotTaken(stack.id_of(logical_id), "mapping", spot, made.reason),))
    return TakenParts(mappings=(made,))


def translated(
    id: str,  # noqa: A002
    spot: Spot,
    given: Mapping[str, TemplateValue],
    options: TemplateOptions,
) -> TemplateMapping | Unresolved:
    """A mapping whose fields have AWS's names in snake case. Raises nothing: what is not known is the answer."""
    fields = {key: _shaped(key, value) for key, value in given.items() if value.held is not None}
    function = fields.pop("function_name", None)
    if function is None:
        return malformed("FunctionName is missing")
    notes: list[str] = []
    for key, value in list(fields.items()):
        unknown = unresolved_in(value)
        if unknown is None:
            continue
        if key not in WITHOUT_EFFECT:
            return Unresolved(unknown.reason.of(_spoken(key)))
        notes.append(f"{key} has no effect here and is left out: {unknown.reason}")
        del fields[key]
    name = text_of(function)
    if isinstance(name, Unresolved):
        return Unresolved(name.reason.of("FunctionName"))
    source = fields.pop("event_source_arn", None)
    if source is not None:
        fields = {"source": source, **fields}
    fields["function"] = TemplateValue(split_function(name)[0], function.spot)
    led = {key: _led(key, value, options) for key, value in fields.items()}
    if source is not None and led["source"] != source:
        notes.append(_told(str(source.held), str(led["source"].held), options))
    if qualifier := split_function(name)[1]:
        notes.append(f"version or alias {qualifier} is the function as it stands")
    return TemplateMapping(id, _name(id), spot, split_function(name)[0], led, tuple(notes))


def _told(before: str, after: str, options: TemplateOptions) -> str:
    if naming.led_here(before, options) == before:
        return f"{before} is read as {after}: the rest of it is what a deployment adds"
    return f"{before} is led to {after}: account and region of the endpoint"


def _name(id: str) -> str:  # noqa: A002
    """The logical ids, as the name of a mapping."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", id).strip("-")[:128] or "mapping"


def snake(name: str) -> str:
    """AWS's name of a field in ours: `KmsKeyArn` is `kms_key_arn`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def _spoken(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("_"))


# --- shapes -----------------------------------------------------------------------------------------------------------


def _shaped(key: str, value: TemplateValue) -> TemplateValue:
    """A field's value as our models take it: what CloudFormation and SAM write as text, alone, or by other names."""
    if isinstance(value.held, Unresolved):
        return value
    if key in SWITCHES:
        return _switch(value)
    if key in LISTS:
        return TemplateValue(list(items_of(value)), value.spot)
    match key:
        case "filter_criteria":
            return _filters(value)
        case "tags":
            return _tags(value)
        case "self_managed_event_source":
            return _brokers(value)
        case "source_access_configurations":
            return TemplateValue(list(_accesses(value)), value.spot)
        case "destination_config":
            return _destination(_snaked(value))
        case _:
            return _snaked(value)


def _switch(value: TemplateValue) -> TemplateValue:
    word = value.held.lower() if isinstance(value.held, str) else ""
    return replace(value, held=word == "true") if word in ("true", "false") else value


def _snaked(value: TemplateValue) -> TemplateValue:
    match value.held:
        case dict() as members:
            return TemplateValue({snake(key): _snaked(each) for key, each in members.items()}, value.spot)
        case list() as items:
            return TemplateValue([_snaked(each) for each in items], value.spot)
        case _:
            return value


def _filters(value: TemplateValue) -> TemplateValue:
    filters = [
        TemplateValue({"pattern": pattern}, each.spot)
        for each in items_of(member(value, "Filters") or member(value, "filters"))
        if (pattern := member(each, "Pattern") or member(each, "pattern")) is not None
    ]
    return TemplateValue({"filters": TemplateValue(list(filters), value.spot)}, value.spot)


def _tags(value: TemplateValue) -> TemplateValue:
    """A list of keys and values, or a mapping."""
    if isinstance(value.held, dict):
        return value
    pairs = [(member(each, "Key"), member(each, "Value")) for each in items_of(value)]
    return TemplateValue({str(key.held): tag for key, tag in pairs if key and tag}, value.spot)


def _brokers(value: TemplateValue) -> TemplateValue:
    endpoints = member(value, "Endpoints") or member(value, "endpoints")
    names = ("KafkaBootstrapServers", "KAFKA_BOOTSTRAP_SERVERS", "kafka_bootstrap_servers")
    given = next((found for name in names if (found := member(endpoints, name)) is not None), None)
    servers: list[TemplateValue] = []
    for each in items_of(given):
        if isinstance(each.held, str):
            servers += [TemplateValue(part.strip(), each.spot) for part in each.held.split(",") if part.strip()]
        else:
            servers.append(each)
    inner = TemplateValue({"kafka_bootstrap_servers": TemplateValue(servers, value.spot)}, value.spot)
    return TemplateValue({"endpoints": inner}, value.spot)


def _accesses(value: TemplateValue) -> Iterator[TemplateValue]:
    """The access configurations, without networks that nobody can name: they have no effect here."""
    for each in items_of(value):
        snaked = _snaked(each)
        kind = member(snaked, "type")
        if kind is not None and isinstance(kind.held, str) and kind.held in NETWORK and unresolved_in(snaked):
            continue
        yield snaked


def _destination(value: TemplateValue) -> TemplateValue:
    """Without members that say nothing."""
    members = {key: each for key, each in members_of(value).items() if each.held not in (None, {}, [])}
    return TemplateValue(members, value.spot)


# --- accounts and regions ---------------------------------------------------------------------------------------------


def _led(key: str, value: TemplateValue, options: TemplateOptions) -> TemplateValue:
    """A source, destination or secret where the endpoint has it."""
    match key, value.held:
        case "source", str() as text if text not in options.bindings.values():
            return TemplateValue(_undeployed(naming.led_here(text, options), options), value.spot)
        case "destination_config" | "source_access_configurations", _:
            return _led_inside(value, options)
        case _:
            return value


def _led_inside(value: TemplateValue, options: TemplateOptions) -> TemplateValue:
    match value.held:
        case dict() as members:
            return TemplateValue({key: _led_inside(each, options) for key, each in members.items()}, value.spot)
        case list() as items:
            return TemplateValue([_led_inside(each, options) for each in items], value.spot)
        case str() as text if text.startswith("arn:") and text not in options.bindings.values():
            return TemplateValue(naming.led_here(text, options), value.spot)
        case _:
            return value


def _undeployed(text: str, options: TemplateOptions) -> str:
    """The stream's own ARN: consumers and labels have what only a deployment gives."""
    try:
        arn = Arn.parse(text)
    except ArnError:
        return text
    return text if options.real else str(table.undeployed(arn))
