"""What a pattern can never find in the records of a source, by the fields that these have. Pure; reads no record.

A filter that can match nothing is no error, to AWS neither: it deletes or passes over everything, in silence. So
whoever writes one is told.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

from .arrays import content_without
from .filters import Pattern
from .operators import NumberLiteral, Numeric
from .tree import Rule


class Below(Enum):
    """What stands at a field."""

    TEXT = "text"
    NUMBER = "number"
    ANYTHING = "anything"
    """Whatever the sender put there."""
    ATTRIBUTES = "attributes"
    """DynamoDB's: names, each with a type around its value."""


Fields = Mapping[str, "Fields | Below"]
"""The fields of a source's records, as patterns see them."""

_TYPES = frozenset({"S", "N", "B", "BOOL", "NULL", "SS", "NS", "BS"})
"""In what the path of every value of a DynamoDB attribute ends."""
_NUMBERS = frozenset({"N", "NS"})


@dataclass(frozen=True, slots=True)
class Unmet:
    """Why a rule is never met. `path` is the field's, dotted."""

    path: str
    what: str
    hint: str = ""


def unmet(pattern: Pattern, fields: Fields, key: str) -> Unmet | None:
    """Why the pattern can match nothing; None where it can. `key` is the field of the data."""
    found = [next(_unmet(branch, fields, key), None) for branch in pattern.branches]
    return found[0] if all(found) else None


def besides(pattern: Pattern, fields: Fields, key: str) -> list[str]:
    """The fields that the pattern reads beside the data."""
    roots = {root for branch in pattern.branches for path in branch if (root := _root(path, fields)) not in (None, key)}
    return sorted(root for root in roots if root is not None)


def _unmet(branch: Mapping[str, Rule], fields: Fields, key: str) -> Iterator[Unmet]:
    for path, rule in branch.items():
        if not content_without(rule) and (why := _why(path, rule, fields, key)) is not None:
            yield why


def _why(path: str, rule: Rule, fields: Fields, key: str) -> Unmet | None:
    if (root := _root(path, fields)) is None:
        name = path.partition(".")[0]
        return Unmet(path, f"the records have no {name!r}", f'their data are matched as {{"{key}": …}}')
    shape, rest = _walk(path, root, fields)
    match shape:
        case Below.ANYTHING:
            return None
        case Below.ATTRIBUTES:
            return _why_attribute(path, rest, rule)
        case Below.TEXT if not rest and _only_numbers(rule):
            return Unmet(path, f"{path!r} is text, and the rule wants a number", "put it in quotes")
        case Below.TEXT | Below.NUMBER if not rest:
            return None
        case Below():
            return Unmet(path, f"{path.removesuffix(rest).rstrip('.')!r} has nothing in it")
        case _:
            known = ", ".join(shape)
            return Unmet(path, f"there is no {path!r}", f"there are {known}" if rest else f"it holds {known}")


def _why_attribute(path: str, rest: str, rule: Rule) -> Unmet | None:
    tag = rest.rpartition(".")[2]
    if "." not in rest or tag not in _TYPES:
        return Unmet(path, f"{path!r} names no type", 'values have one around them: {"status": {"S": ["paid"]}}')
    if tag in _NUMBERS and _only_numbers(rule):
        return Unmet(path, f"{path!r} is text, as all numbers of DynamoDB", 'put them in quotes: {"N": ["5"]}')
    return None


def _root(path: str, fields: Fields) -> str | None:
    return next((name for name in fields if path == name or path.startswith(f"{name}.")), None)


def _walk(path: str, name: str, fields: Fields) -> tuple[Fields | Below, str]:
    """The last known field on the path, and what of the path is left below it."""
    shape, rest = fields[name], path[len(name) + 1 :]
    while isinstance(shape, Mapping) and rest and (inner := _root(rest, shape)) is not None:
        shape, rest = shape[inner], rest[len(inner) + 1 :]
    return shape, rest


def _only_numbers(rule: Rule) -> bool:
    return all(isinstance(operator, (NumberLiteral, Numeric)) for operator in rule)
