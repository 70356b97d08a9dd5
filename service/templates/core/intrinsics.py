"""CloudFormation's functions, one by one: what each gives for its argument. Pure.

A function gives a value, or says why nobody can tell it. It looks names up in its scope, which is the stack. What
`AWS::NoValue` leaves out is None.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from ....config.nodes import Node
from .values import (
    TEXT_MAX,
    Spot,
    TemplateValue,
    Unresolved,
    as_json,
    malformed,
    not_resolved,
    plain_of,
    refused,
    spot_of,
    text_of,
    unresolved_in,
)

NO_VALUE = "AWS::NoValue"
_IN_SUB = re.compile(r"\$\{(!?)([^}]*)\}")
_DYNAMIC = re.compile(r"\{\{resolve:([a-z-]+):([^}]*)\}\}")


class Scope(Protocol):
    """Where names are looked up."""

    @property
    def region(self) -> str: ...
    def resolve(self, node: Node) -> TemplateValue | None: ...
    def reference(self, name: str, spot: Spot) -> TemplateValue | None: ...
    def attribute(self, name: str, attribute: str, spot: Spot) -> TemplateValue: ...
    def condition(self, name: str) -> bool | Unresolved: ...
    def mapped(self, keys: Sequence[str], default: Node | None, spot: Spot) -> TemplateValue: ...
    def imported(self, name: str, spot: Spot) -> TemplateValue: ...


def function_of(node: Node) -> tuple[str, Node] | None:
    """Name and argument, where a node is a call of a function."""
    if isinstance(node.value, dict) and len(node.value) == 1:
        ((key, argument),) = node.value.items()
        if key == "Ref" or key.startswith("Fn::"):
            return key, argument
    return None


def call(scope: Scope, name: str, argument: Node) -> TemplateValue | None:
    """What a function gives; None for no value."""
    spot = spot_of(argument)
    if name == "Ref":
        text = argument.value
        return scope.reference(text, spot) if isinstance(text, str) else _bad(spot, "Ref wants a name")
    if name == "Fn::If":
        return _if(scope, argument)
    if name in _TRUTHS:
        truth = truth_of(scope, Node({name: argument}, spot.file, spot.line))
        return TemplateValue(truth, spot)
    known = _FUNCTIONS.get(name)
    if known is not None:
        return known(scope, argument, spot)
    if name.startswith("Fn::ForEach"):
        return TemplateValue(refused("Fn::ForEach is not unrolled: write the resources out"), spot)
    told = _REFUSED.get(name, "is not a function of CloudFormation that Headrace knows")
    return TemplateValue(refused(f"{name} {told}"), spot)


_REFUSED = {
    "Fn::Transform": "runs in AWS alone: put what it includes into the template",
    "Fn::Cidr": "is not computed: nothing that Headrace takes needs it",
}


def _bad(spot: Spot, text: str) -> TemplateValue:
    return TemplateValue(malformed(text), spot)


def dynamic(text: str) -> Unresolved | None:
    """Why a text with a dynamic reference is not known; None for a text without one."""
    found = _DYNAMIC.search(text)
    if found is None:
        return None
    return not_resolved(f"{{{{resolve:{found[1]}:{found[2]}}}}} is read from AWS when the stack is deployed")


# --- conditions -------------------------------------------------------------------------------------------------------

_TRUTHS = frozenset({"Fn::Equals", "Fn::And", "Fn::Or", "Fn::Not"})


def truth_of(scope: Scope, node: Node) -> bool | Unresolved:
    """What a condition says."""
    if isinstance(node.value, dict) and len(node.value) == 1:
        ((key, argument),) = node.value.items()
        items = argument.value if isinstance(argument.value, list) else None
        match key, items:
            case "Condition", _ if isinstance(argument.value, str):
                return scope.condition(argument.value)
            case "Fn::Equals", [one, other]:
                return _equals(scope, one, other)
            case "Fn::Not", [only]:
                truth = truth_of(scope, only)
                return truth if isinstance(truth, Unresolved) else not truth
            case "Fn::And", [_, *_]:
                return _all(scope, items or (), decisive=False)
            case "Fn::Or", [_, *_]:
                return _all(scope, items or (), decisive=True)
            case _ if key in _TRUTHS:
                return malformed(f"{key} does not have the arguments that it wants")
    value = scope.resolve(node)
    match value.held if value is not None else None:
        case Unresolved() as unknown:
            return unknown
        case bool() as truth:
            return truth
        case "true" | "false" as word:
            return word == "true"
        case _:
            return malformed("a condition is neither true nor false")


def _equals(scope: Scope, one: Node, other: Node) -> bool | Unresolved:
    values = [scope.resolve(one), scope.resolve(other)]
    for value in values:
        if value is not None and (unknown := unresolved_in(value)):
            return unknown
    left, right = (None if value is None else _compared(value) for value in values)
    return left == right


def _compared(value: TemplateValue) -> object:
    return plain_of(value) if isinstance(value.held, list | dict) else text_of(value)


def _all(scope: Scope, items: Sequence[Node], *, decisive: bool) -> bool | Unresolved:
    """And, or Or: one that is `decisive` decides, whatever the others are."""
    truths = [truth_of(scope, item) for item in items]
    if decisive in [truth for truth in truths if isinstance(truth, bool)]:
        return decisive
    return next((truth for truth in truths if isinstance(truth, Unresolved)), not decisive)


def _if(scope: Scope, argument: Node) -> TemplateValue | None:
    spot = spot_of(argument)
    match argument.value:
        case [Node(value=str() as name), then, otherwise]:
            truth = scope.condition(name)
        case _:
            return _bad(spot, "Fn::If wants a condition and two values")
    if isinstance(truth, Unresolved):
        either, other = scope.resolve(then), scope.resolve(otherwise)
        return either if either == other else TemplateValue(truth, spot)
    return scope.resolve(then if truth else otherwise)


# --- texts and lists --------------------------------------------------------------------------------------------------


def _list(scope: Scope, node: Node, name: str) -> list[TemplateValue] | Unresolved:
    value = scope.resolve(node)
    match value.held if value is not None else None:
        case list() as items:
            return items
        case Unresolved() as unknown:
            return unknown
        case _:
            return malformed(f"{name} wants a list")


def _text(scope: Scope, node: Node, name: str) -> str | Unresolved:
    value = scope.resolve(node)
    return malformed(f"{name} has no value where it wants a text") if value is None else text_of(value)


def _limited(text: str, spot: Spot) -> TemplateValue:
    if len(text) > TEXT_MAX:
        return TemplateValue(malformed(f"a text of more than {TEXT_MAX} characters"), spot)
    return TemplateValue(text, spot)


def _join(scope: Scope, argument: Node, spot: Spot) -> TemplateValue:
    match argument.value:
        case [delimiter, items]:
            between, found = _text(scope, delimiter, "Fn::Join"), _list(scope, items, "Fn::Join")
        case _:
            return _bad(spot, "Fn::Join wants a delimiter and a list")
    if isinstance(between, Unresolved):
        return TemplateValue(between, spot)
    if isinstance(found, Unresolved):
        return TemplateValue(found, spot)
    texts: list[str] = []
    for each in found:
        text = text_of(each)
        if isinstance(text, Unresolved):
            return TemplateValue(text, spot)
        texts.append(text)
    return _limited(between.join(texts), spot)


def _split(scope: Scope, argument: Node, spot: Spot) -> TemplateValue:
    match argument.value:
        case [delimiter, source]:
            between, text = _text(scope, delimiter, "Fn::Split"), _text(scope, source, "Fn::Split")
        case _:
            return _bad(spot, "Fn::Split wants a delimiter and a text")
    if isinstance(between, Unresolved):
        return TemplateValue(between, spot)
    if isinstance(text, Unresolved):
        return TemplateValue(text, spot)
    if not between:
        return _bad(spot, "Fn::Split wants a delimiter that is not empty")
    return TemplateValue([TemplateValue(part, spot) for part in text.split(between)], spot)


def _select(scope: Scope, argument: Node, spot: Spot) -> TemplateValue:
    match argument.value:
        case [index, items]:
            wanted, found = _text(scope, index, "Fn::Select"), _list(scope, items, "Fn::Select")
        case _:
            return _bad(spot, "Fn::Select wants an index and a list")
    if isinstance(wanted, Unresolved):
        return TemplateValue(wanted, spot)
    if isinstance(found, Unresolved):
        return TemplateValue(found, spot)
    if not re.fullmatch(r"\d{1,9}", wanted, re.ASCII) or int(wanted) >= len(found):
        return _bad(spot, f"Fn::Select wants an index below {len(found)}, not {wanted[:20]!r}")
    return found[int(wanted)]


def _sub(scope: Scope, argument: Node, spot: Spot) -> TemplateValue:
    own: Mapping[str, Node] = {}
    match argument.value:
        case str() as text:
            pass
        case [Node(value=str() as text)]:
            pass
        case [Node(value=str() as text), Node(value=dict() as own)]:
            pass
        case _:
            return _bad(spot, "Fn::Sub wants a text, or a text and a mapping of names to values")
    parts: list[str] = []
    end = 0
    for found in _IN_SUB.finditer(text):
        parts.append(text[end : found.start()])
        end = found.end()
        filled = "${" + found[2] + "}" if found[1] else _substituted(scope, found[2].strip(), own, spot)
        if isinstance(filled, Unresolved):
            return TemplateValue(filled, spot)
        parts.append(filled)
    whole = "".join([*parts, text[end:]])
    return TemplateValue(unknown, spot) if (unknown := dynamic(whole)) else _limited(whole, spot)


def _substituted(scope: Scope, name: str, own: Mapping[str, Node], spot: Spot) -> str | Unresolved:
    if name in own:
        return _text(scope, own[name], "Fn::Sub")
    base, dot, attribute = name.partition(".")
    value = scope.attribute(base, attribute, spot) if dot else scope.reference(name, spot)
    return "" if value is None else text_of(value)


def _base64(scope: Scope, argument: Node, spot: Spot) -> TemplateValue:
    text = _text(scope, argument, "Fn::Base64")
    if isinstance(text, Unresolved):
        return TemplateValue(text, spot)
    return TemplateValue(base64.b64encode(text.encode()).decode(), spot)


def _length(scope: Scope, argument: Node, spot: Spot) -> TemplateValue:
    found = _list(scope, argument, "Fn::Length")
    return TemplateValue(found if isinstance(found, Unresolved) else len(found), spot)


def _to_json(scope: Scope, argument: Node, spot: Spot) -> TemplateValue:
    value = scope.resolve(argument)
    if value is None:
        return _bad(spot, "Fn::ToJsonString wants a value")
    return TemplateValue(unresolved_in(value) or as_json(value), spot)


# --- look-ups ---------------------------------------------------------------------------------------------------------


def _get_att(scope: Scope, argument: Node, spot: Spot) -> TemplateValue:
    match argument.value:
        case str() as text if "." in text:
            name, _, attribute = text.partition(".")
        case [Node(value=str() as name), rest]:
            found = _text(scope, rest, "Fn::GetAtt")
            if isinstance(found, Unresolved):
                return TemplateValue(found, spot)
            attribute = found
        case _:
            return _bad(spot, "Fn::GetAtt wants a resource and an attribute")
    return scope.attribute(name, attribute, spot)


def _find_in_map(scope: Scope, argument: Node, spot: Spot) -> TemplateValue:
    items = argument.value if isinstance(argument.value, list) else []
    keys, last = items[:3], items[3].value if len(items) == 4 else None
    if len(keys) != 3 or len(items) > 4:
        return _bad(spot, "Fn::FindInMap wants a mapping and two keys")
    default = last.get("DefaultValue") if isinstance(last, dict) else None
    texts: list[str] = []
    for key in keys:
        text = _text(scope, key, "Fn::FindInMap")
        if isinstance(text, Unresolved):
            return TemplateValue(text, spot)
        texts.append(text)
    return scope.mapped(texts, default, spot)


def _import(scope: Scope, argument: Node, spot: Spot) -> TemplateValue:
    name = _text(scope, argument, "Fn::ImportValue")
    return TemplateValue(name, spot) if isinstance(name, Unresolved) else scope.imported(name, spot)


def _zones(scope: Scope, argument: Node, spot: Spot) -> TemplateValue:
    region = _text(scope, argument, "Fn::GetAZs")
    if isinstance(region, Unresolved):
        return TemplateValue(region, spot)
    names = [f"{region or scope.region}{letter}" for letter in "abc"]
    return TemplateValue([TemplateValue(name, spot) for name in names], spot)


_FUNCTIONS: Mapping[str, Callable[[Scope, Node, Spot], TemplateValue | None]] = {
    "Fn::Base64": _base64,
    "Fn::FindInMap": _find_in_map,
    "Fn::GetAZs": _zones,
    "Fn::GetAtt": _get_att,
    "Fn::ImportValue": _import,
    "Fn::Join": _join,
    "Fn::Length": _length,
    "Fn::Select": _select,
    "Fn::Split": _split,
    "Fn::Sub": _sub,
    "Fn::ToJsonString": _to_json,
}
