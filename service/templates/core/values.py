"""The values of a template once its functions are resolved: trees that know their places, and what is not known, with
the reason. Pure. A leaf of this room.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ....config.nodes import Node, Scalar
from ....config.reasons import Reason, ReasonCode

TEXT_MAX = 100_000
"""Characters of a text that functions put together."""


@dataclass(frozen=True, slots=True)
class Unresolved:
    """A value that cannot be told, and why."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class Spot:
    """Where something stands. It is no part of what a value is."""

    file: str
    line: int | None = None

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


@dataclass(frozen=True, slots=True)
class TemplateValue:
    """A value of a template without functions."""

    held: Scalar | list[TemplateValue] | dict[str, TemplateValue] | Unresolved
    spot: Spot = field(compare=False)
    written: str | None = field(default=None, compare=False)
    """The text of a scalar without quotes."""


def spot_of(node: Node) -> Spot:
    return Spot(node.file, node.line)


def not_resolved(text: str) -> Unresolved:
    return Unresolved(Reason(ReasonCode.NOT_RESOLVED, text))


def refused(text: str) -> Unresolved:
    return Unresolved(Reason(ReasonCode.NOT_TAKEN, text))


def malformed(text: str) -> Unresolved:
    return Unresolved(Reason(ReasonCode.MISCONFIGURED, text))


def text_of(value: TemplateValue) -> str | Unresolved:
    """A scalar as text, as CloudFormation has it: booleans are `true` and `false`."""
    match value.held:
        case Unresolved() as unknown:
            return unknown
        case str() as text:
            return text
        case bool() as truth:
            return str(truth).lower()
        case int() | float() as number:
            return value.written or str(number)
        case None:
            return ""
        case list():
            return malformed("a list stands where text is wanted")
        case _:
            return malformed("a mapping stands where text is wanted")


def unresolved_in(value: TemplateValue) -> Unresolved | None:
    """The first part of a value that is not known; None when all of it is."""
    return next(_unresolved(value), None)


def _unresolved(value: TemplateValue) -> Iterator[Unresolved]:
    match value.held:
        case Unresolved() as unknown:
            yield unknown
        case list() as items:
            for item in items:
                yield from _unresolved(item)
        case dict() as members:
            for member in members.values():
                yield from _unresolved(member)


def plain_of(value: TemplateValue) -> object:
    """The value without its places; what is not known is None."""
    match value.held:
        case Unresolved():
            return None
        case list() as items:
            return [plain_of(item) for item in items]
        case dict() as members:
            return {key: plain_of(member) for key, member in members.items()}
        case scalar:
            return scalar


def node_of(value: TemplateValue) -> Node:
    """The value as a node of a configuration, at its place in the template. Nothing in it is unresolved."""
    file, line = value.spot.file, value.spot.line
    match value.held:
        case list() as items:
            return Node([node_of(item) for item in items], file, line)
        case dict() as members:
            return Node({key: node_of(member) for key, member in members.items()}, file, line)
        case Unresolved():
            return Node(None, file, line)
        case scalar:
            return Node(scalar, file, line, value.written)


def member(value: TemplateValue | None, *keys: str) -> TemplateValue | None:
    """What stands below these keys; None where there is nothing. Of what is not known every part is not known."""
    for key in keys:
        match value:
            case TemplateValue(held=Unresolved()):
                return value
            case TemplateValue(held=dict() as members):
                value = members.get(key)
            case _:
                return None
    return value


def members_of(value: TemplateValue | None) -> Mapping[str, TemplateValue]:
    """The members of a mapping; none where it is none."""
    return value.held if value is not None and isinstance(value.held, dict) else {}


def items_of(value: TemplateValue | None) -> list[TemplateValue]:
    """The items of a list; a single value is a list of one, as CloudFormation takes it."""
    match value:
        case None | TemplateValue(held=None):
            return []
        case TemplateValue(held=list() as items):
            return [each for item in items for each in (items_of(item) if isinstance(item.held, list) else [item])]
        case _:
            return [value]


def as_json(value: TemplateValue) -> str:
    return json.dumps(plain_of(value), separators=(",", ":"), ensure_ascii=False)
