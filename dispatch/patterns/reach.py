"""Finds the parts of a pattern that no record of a source can meet, by the form of these records. Pure; reads no
record.

A filter that can match nothing is no error, and AWS accepts it too: it silently deletes or skips every record. So the
user gets a warning. A reason given here is certain: a pattern that some record could match has none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from .arrays import content_without
from .filters import Pattern
from .formats import DataFormat, FilterRules, left_of
from .operators import (
    AnythingButNumbers,
    AnythingButOperator,
    AnythingButTexts,
    ConstantLiteral,
    Exists,
    Leaf,
    NumberLiteral,
    Numeric,
    Operator,
)
from .tree import Branch, Rule

# --- what records look like -------------------------------------------------------------------------------------------


class LeafType(Enum):
    TEXT = "text"
    NUMBER = "a number"
    BOOLEAN = "true or false"
    NULL = "null"


@dataclass(frozen=True, slots=True)
class LeafShape:
    """A field without fields below it: the values that it can have."""

    types: frozenset[LeafType]
    known: tuple[Leaf, ...] = ()
    """All possible values; empty when they are not known."""
    always: bool = False
    """Every record has it."""


class Anything(Enum):
    """Whatever the sender put there, fields included."""

    ANYTHING = "anything"


@dataclass(frozen=True, slots=True)
class NamedShape:
    """Names of the sender's, with dots or without, and below each one of these ends; the end `""` is the name's own
    value."""

    ends: Mapping[str, LeafShape]
    lacks: str = ""
    """The reason given for a path without such an end."""
    hint: str = ""


Shape = LeafShape | NamedShape | Anything | Mapping[str, "Shape"]
RecordShape = Mapping[str, Shape]
"""The form of a source's records for patterns, without the data that is matched apart from the record."""


def leaf(*types: LeafType, always: bool = False) -> LeafShape:
    return LeafShape(frozenset(types), always=always)


def one_of(*values: str, always: bool = False) -> LeafShape:
    """A text field whose values are all known."""
    return LeafShape(frozenset([LeafType.TEXT]), values, always)


TEXT = leaf(LeafType.TEXT)
NUMBER = leaf(LeafType.NUMBER)
GIVEN_TEXT = leaf(LeafType.TEXT, always=True)
GIVEN_NUMBER = leaf(LeafType.NUMBER, always=True)
TEXT_OR_NULL = leaf(LeafType.TEXT, LeafType.NULL)
ANYTHING = Anything.ANYTHING

_PLAIN_DATA = GIVEN_TEXT

Impossible = Callable[[Branch], "Unmet | None"]
"""Returns why the rules of a branch can each be met alone, but never together."""


def never_impossible(branch: Branch) -> Unmet | None:
    """For a source of whose records only the shape is known."""
    return None


# --- what cannot be met -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Unmet:
    """Why a rule can never be met."""

    path: str
    """The dotted path of the field."""
    what: str
    hint: str = ""


def unmet(
    pattern: Pattern, rules: FilterRules, shape: RecordShape, impossible: Impossible = never_impossible
) -> Unmet | None:
    """Why the pattern can match nothing; None where it can match. For several alternatives, the reason of the first."""
    first: Unmet | None = None
    for branch in pattern.branches:
        why = _of_branch(branch, rules, shape) or impossible(branch)
        if why is None:
            return None
        first = first or why
    return first


def besides(pattern: Pattern, rules: FilterRules, shape: RecordShape) -> list[str]:
    """The fields of the record that the pattern reads beside the data, by their first name."""
    roots = {_name_in(path, shape) for branch in pattern.branches for path in branch}
    return sorted(root for root in roots if root is not None and root != rules.key)


def _of_branch(branch: Branch, rules: FilterRules, shape: RecordShape) -> Unmet | None:
    """A branch can be met when its remaining rules can be met, for data of one format."""
    forms = DataFormat if rules.apart else (DataFormat.JSON,)
    reasons: list[Unmet] = []
    for form in forms:
        left = left_of(rules, branch, form)
        if left is None:
            continue
        why = _of_rules(left, rules, _with_data(rules, shape, form))
        if why is None:
            return None
        reasons.append(why)
    if not reasons:
        return Unmet(rules.key, f"{rules.key!r} cannot be a text and an object at once")
    return reasons[0]


def _with_data(rules: FilterRules, shape: RecordShape, form: DataFormat) -> RecordShape:
    """The record with its data as a pattern sees them."""
    if not rules.apart or form is DataFormat.ABSENT:
        return shape
    data: Shape = ANYTHING if form is DataFormat.JSON else _PLAIN_DATA
    return {**shape, rules.key: data}


def _of_rules(branch: Branch, rules: FilterRules, shape: RecordShape) -> Unmet | None:
    return next(filter(None, (_why(path, rule, rules, shape) for path, rule in branch.items())), None)


def _why(path: str, rule: Rule, rules: FilterRules, shape: RecordShape) -> Unmet | None:
    found, place, rest = _walked(path, shape)
    match found:
        case Anything():
            return None
        case LeafShape() if not rest:
            return _of_leaf(path, rule, found)
        case NamedShape() if rest:
            if (end := _end_of(rest[1:], found)) is not None:
                return _of_leaf(path, rule, end)
    if content_without(rule):
        return None  # a field that no record has meets `exists: false`
    match found:
        case LeafShape():
            return Unmet(path, f"{place!r} holds {_told(found)}, and no fields")
        case NamedShape():
            what = found.lacks or "is no value"
            return Unmet(path, f"{path!r} {what}", found.hint)
        case _ if not place:
            root = path.partition(".")[0]
            return Unmet(path, f"the records have no {root!r}", f'their data is matched as {{"{rules.key}": …}}')
        case _:
            known = ", ".join(found)
            if rest:
                return Unmet(path, f"there is no {path!r}", f"{place!r} has {known}")
            return Unmet(path, f"{path!r} is an object, and rules look at values", f"it has {known}")


def _of_leaf(path: str, rule: Rule, shape: LeafShape) -> Unmet | None:
    if any(_can_take(operator, shape) for operator in rule) or (content_without(rule) and not shape.always):
        return None
    if content_without(rule) and all(isinstance(operator, Exists) for operator in rule):
        return Unmet(path, f"every record has {path!r}")
    if shape.known:
        return Unmet(path, f"{path!r} is {_told(shape)}, and nothing else")
    hint = "put numbers in quotes" if _only_numbers(rule) and LeafType.TEXT in shape.types else ""
    return Unmet(path, f"{path!r} is {_told(shape)}, but the rule requires something else", hint)


def _told(shape: LeafShape) -> str:
    if shape.known:
        return " or ".join(repr(value) for value in shape.known)
    return " or ".join(each.value for each in LeafType if each in shape.types)


def _can_take(operator: Operator, shape: LeafShape) -> bool:
    """Whether some value at the field passes."""
    if shape.known:
        return any(operator.test(value) for value in shape.known)
    match operator:
        case Exists(wanted):
            return wanted
        case AnythingButTexts() | AnythingButNumbers() | AnythingButOperator():
            return True
        case NumberLiteral() | Numeric():
            return LeafType.NUMBER in shape.types
        case ConstantLiteral(None):
            return LeafType.NULL in shape.types
        case ConstantLiteral():
            return LeafType.BOOLEAN in shape.types
        case _:
            return LeafType.TEXT in shape.types


def _only_numbers(rule: Iterable[Operator]) -> bool:
    return all(isinstance(operator, NumberLiteral) for operator in rule)


def _walked(path: str, shape: RecordShape) -> tuple[Shape, str, str]:
    """The last known field on the path, its own path, and the rest of the path below it, with its dot."""
    found: Shape = shape
    place, rest = "", f".{path}"
    while rest and isinstance(found, Mapping) and (name := _name_in(rest[1:], found)) is not None:
        found, rest = found[name], rest[1 + len(name) :]
        place = f"{place}.{name}" if place else name
    return found, place, rest


def _name_in(path: str, names: Iterable[str]) -> str | None:
    """The name with which a path begins."""
    return next((name for name in names if path == name or path.startswith(f"{name}.")), None)


def _end_of(rest: str, shape: NamedShape) -> LeafShape | None:
    if "" in shape.ends:
        return shape.ends[""]
    _, dot, end = rest.rpartition(".")
    return shape.ends.get(end) if dot else None
