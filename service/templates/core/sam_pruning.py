"""What of a SAM template AWS's translator is asked about, and what is taken of its answer: the mappings. Pure.

Functions go without code, layers and environment, because those are read here; APIs, state machines and all that is no
mapping stays behind. The answer comes back as plain data: what it says as the template says keeps its place there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from ....config.nodes import Node, Scalar, plain
from . import naming
from .sam import MAPPING_EVENTS, PREFIX

Plain: TypeAlias = "dict[str, Plain] | list[Plain] | Scalar"

CODE = "s3://headrace/code.zip"
ROLE = "arn:aws:iam::000000000000:role/headrace"
KEPT = ("AutoPublishAlias", "FunctionName", "Timeout", "MemorySize")


def pruned(document: Node) -> dict[str, Plain]:
    """The template for the translator, as plain data."""
    members = document.value if isinstance(document.value, dict) else {}
    resources = members["Resources"].value if "Resources" in members else {}
    kept = {
        logical_id: found
        for logical_id, node in (resources.items() if isinstance(resources, dict) else ())
        if (found := _resource(node)) is not None
    }
    sections = ("Parameters", "Conditions", "Mappings")
    result: dict[str, Plain] = {name: _listed(plain(members[name])) for name in sections if name in members}
    return {"Transform": "AWS::Serverless-2016-10-31", **result, "Resources": dict(kept)}


def _resource(node: Node) -> Plain:
    members = node.value if isinstance(node.value, dict) else {}
    kind = members["Type"].value if "Type" in members else ""
    if not isinstance(kind, str) or kind != f"{PREFIX}Function":
        return _listed(plain(node)) if isinstance(kind, str) and kind and not kind.startswith(PREFIX) else None
    given = members["Properties"].value if "Properties" in members else {}
    properties = given if isinstance(given, dict) else {}
    asked: dict[str, Plain] = {key: _listed(plain(properties[key])) for key in KEPT if key in properties}
    asked |= {"CodeUri": CODE, "Handler": "index.handler", "Runtime": "python3.12", "Role": ROLE}
    events = properties["Events"].value if "Events" in properties else {}
    if isinstance(events, dict):
        asked["Events"] = {key: _listed(plain(event)) for key, event in events.items() if _is_mapping(event)}
    function: dict[str, Plain] = {"Type": kind, "Properties": asked}
    if "Condition" in members:
        function["Condition"] = _listed(plain(members["Condition"]))
    return function


def _is_mapping(event: Node) -> bool:
    kind = event.value.get("Type") if isinstance(event.value, dict) else None
    return kind is not None and isinstance(kind.value, str) and kind.value in MAPPING_EVENTS


def _listed(value: object) -> Plain:
    """With `GetAtt` in its long form: the translator wants a list."""
    match value:
        case {"Fn::GetAtt": str() as text, **others} if not others:
            name, _, attribute = text.partition(".")
            return {"Fn::GetAtt": [name, attribute]}
        case dict():
            return {str(key): _listed(each) for key, each in value.items()}
        case list():
            return [_listed(each) for each in value]
    assert value is None or isinstance(value, str | int | float)
    return value


def grafted(document: Node, answer: Mapping[str, object]) -> Node:
    """Our reading of the template, with the mappings as the translator has them."""
    theirs = answer.get("Resources")
    members = document.value if isinstance(document.value, dict) else {}
    ours = members["Resources"].value if "Resources" in members else None
    if not isinstance(theirs, dict) or not isinstance(ours, dict):
        return document
    resources = {
        logical_id: _mapping(node, theirs[logical_id]) if _is_made(node, theirs.get(logical_id)) else node
        for logical_id, node in ours.items()
    }
    place = members["Resources"]
    return Node({**members, "Resources": Node(resources, place.file, place.line)}, document.file, document.line)


def _is_made(node: Node, theirs: object) -> bool:
    kind = node.value.get("Type") if isinstance(node.value, dict) else None
    return kind is not None and kind.value == naming.MAPPING and isinstance(theirs, dict)


def _mapping(ours: Node, theirs: dict[str, object]) -> Node:
    """A mapping as they have it, to the function as we have it: they name versions and aliases."""
    made = _graft(ours, theirs)
    own = _at(ours, "FunctionName")
    properties = made.value.get("Properties") if isinstance(made.value, dict) else None
    if own is None or properties is None or not isinstance(properties.value, dict):
        return made
    assert isinstance(made.value, dict)
    changed = Node({**properties.value, "FunctionName": own}, properties.file, properties.line)
    return Node({**made.value, "Properties": changed}, made.file, made.line)


def _at(resource: Node, key: str) -> Node | None:
    """A property of a resource."""
    properties = resource.value.get("Properties") if isinstance(resource.value, dict) else None
    return properties.value.get(key) if properties is not None and isinstance(properties.value, dict) else None


def _graft(ours: Node | None, theirs: object, beside: Node | None = None) -> Node:
    """What they say, at our places; our node itself where both say the same."""
    place = ours or beside
    assert place is not None
    if ours is not None and _listed(plain(ours)) == theirs:
        return ours
    match theirs:
        case dict():
            own = ours.value if ours is not None and isinstance(ours.value, dict) else {}
            return Node(
                {str(key): _graft(own.get(key), each, place) for key, each in theirs.items()}, place.file, place.line
            )
        case list():
            items = ours.value if ours is not None and isinstance(ours.value, list) else []
            pairs = [(items[index] if index < len(items) else None, each) for index, each in enumerate(theirs)]
            return Node([_graft(mine, each, place) for mine, each in pairs], place.file, place.line)
    assert theirs is None or isinstance(theirs, str | int | float)
    return Node(theirs, place.file, place.line)
