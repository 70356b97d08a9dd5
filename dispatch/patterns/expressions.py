"""One element of a rule's array to its operator: literals and `{"prefix": "x"}` expressions. Used by `parse.py` alone.

Every function returns the operator or raises `ExpressionFault`; the caller knows where in the pattern it is. Reasons
are EventBridge's own wording, so that a search for them finds AWS's documentation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf
from typing import TypeVar

from . import addresses, wildcards
from .document import Json, Object
from .operators import (
    AddressLiteral,
    AnythingButNumbers,
    AnythingButOperator,
    AnythingButTexts,
    Cidr,
    ConstantLiteral,
    EqualsIgnoreCase,
    Exists,
    NumberLiteral,
    Numeric,
    Operator,
    Prefix,
    PrefixIgnoreCase,
    Suffix,
    SuffixIgnoreCase,
    TextLiteral,
    TextOperator,
    Wildcard,
    double,
    is_number,
)

_T = TypeVar("_T")


class ExpressionFault(ValueError):
    """Why an element is no operator: EventBridge's reason, what to do, and where inside the element."""

    def __init__(self, reason: str, hint: str, inside: Sequence[str | int] = ()) -> None:
        super().__init__(reason)
        self.reason = reason
        self.hint = hint
        self.inside = tuple(inside)


def operator(element: Json) -> Operator:
    """The operator of one element of a rule's array. Raises ExpressionFault."""
    if isinstance(element, Object):
        return _expression(element)
    if isinstance(element, list):
        raise ExpressionFault(
            "Match value must be String, number, true, false, or null", "take the values out of the inner array"
        )
    if isinstance(element, str):
        address = addresses.packed(element)
        return TextLiteral(element) if address is None else AddressLiteral(element, address)
    if isinstance(element, bool) or element is None:
        return ConstantLiteral(element)
    return NumberLiteral(double(element))


def _expression(expression: Object) -> Operator:
    if not expression.members:
        raise ExpressionFault("Match expression name not found", 'name an operator, e.g. {"prefix": "x"}')
    name, operand = expression.members[0]
    read = _OPERATORS.get(name)
    if read is None:
        raise ExpressionFault(f"Unrecognized match type {name}", f"use one of {', '.join(_OPERATORS)}", [name])
    if len(expression.members) > 1:
        raise ExpressionFault(
            "Only one key allowed in match expression",
            "write one object per operator; the elements of the array are alternatives",
            [expression.members[1][0]],
        )
    return _within(name, lambda: read(operand))


def _within(step: str | int, read: Callable[[], _T]) -> _T:
    try:
        return read()
    except ExpressionFault as fault:
        raise ExpressionFault(fault.reason, fault.hint, (step, *fault.inside)) from None


def _text(operand: Json, reason: str) -> str:
    if not isinstance(operand, str):
        raise ExpressionFault(reason, "give it a string")
    return operand


def _prefix(operand: Json) -> Operator:
    if isinstance(operand, Object):
        return PrefixIgnoreCase(_ignore_case_operand("prefix", operand))
    return Prefix(_text(operand, "prefix match pattern must be a string"))


def _suffix(operand: Json) -> Operator:
    if isinstance(operand, Object):
        return SuffixIgnoreCase(_ignore_case_operand("suffix", operand))
    return Suffix(_text(operand, "suffix match pattern must be a string"))


def _ignore_case_operand(outer: str, operand: Object) -> str:
    if not operand.members:
        raise ExpressionFault(f"{outer.capitalize()} expression name not found", "give it a string")
    name, text = operand.members[0]
    if name != "equals-ignore-case":
        raise ExpressionFault(f"Unsupported {outer} pattern: {name}", "only equals-ignore-case fits in here", [name])
    if len(operand.members) > 1:
        raise ExpressionFault(
            "Only one key allowed in match expression", "leave equals-ignore-case alone", [operand.members[1][0]]
        )
    return _within(name, lambda: _text(text, "equals-ignore-case match pattern must be a string"))


def _equals_ignore_case(operand: Json) -> EqualsIgnoreCase:
    return EqualsIgnoreCase(_text(operand, "equals-ignore-case match pattern must be a string"))


def _wildcard(operand: Json) -> Wildcard:
    text = _text(operand, "wildcard match pattern must be a string")
    try:
        return Wildcard(text, wildcards.segments(text))
    except wildcards.WildcardFault as fault:
        raise ExpressionFault(str(fault), r"write one *; write \* for a star and \\ for a backslash") from None


def _exists(operand: Json) -> Exists:
    if not isinstance(operand, bool):
        raise ExpressionFault("exists match pattern must be either true or false.", "write true or false")
    return Exists(operand)


def _cidr(operand: Json) -> Cidr:
    # EventBridge answers a wrong type with the words of prefix.
    text = _text(operand, "prefix match pattern must be a string")
    head, slash, tail = text.partition("/")
    hint = 'write an address block, e.g. "10.0.0.0/24"'
    if not slash or "/" in tail:
        raise ExpressionFault("Malformed CIDR, one '/' required", hint)
    # The pattern is short, but not every run of digits is: an int of more than 4,300 digits is refused by Python.
    if not (tail.isascii() and tail.isdecimal() and len(tail) <= 9):
        raise ExpressionFault("Malformed CIDR, mask bits must be an integer", hint)
    address = addresses.packed(head)
    if address is None:
        raise ExpressionFault(f"Nonstandard IP address: {head}", hint)
    bits, width = int(tail), len(address) * 8
    if bits >= width:
        family = "IPv4" if width == 32 else "IPv6"
        raise ExpressionFault(f"{family} mask bits must be < {width}", "for one address write it as a plain string")
    return Cidr(text, *addresses.range_of(address, bits))


def _numeric(operand: Json) -> Numeric:
    if not isinstance(operand, list):
        raise ExpressionFault("Value of numeric must be an array.", 'write e.g. {"numeric": [">", 0, "<=", 5]}')
    if not operand or not isinstance(operand[0], str):
        raise ExpressionFault("Invalid member in numeric match", 'begin with one of "=", "<", "<=", ">", ">="', [0])
    if operand[0] in ("=", "<", "<="):
        return _one_sided(operand)
    if operand[0] in (">", ">="):
        return _from_low(operand)
    raise ExpressionFault(
        f"Unrecognized numeric range operator: {operand[0]}", 'use one of "=", "<", "<=", ">", ">="', [0]
    )


def _one_sided(operand: list[Json]) -> Numeric:
    sign = str(operand[0])
    number = _number(operand, 1, "equals" if sign == "=" else sign)
    _end(operand, 2, "Too many elements in numeric expression")
    if sign == "=":
        return Numeric(number, False, number, False)
    return Numeric(-inf, False, number, sign == "<")


def _from_low(operand: list[Json]) -> Numeric:
    low_sign = str(operand[0])
    low = _number(operand, 1, low_sign)
    if len(operand) == 2:
        return Numeric(low, low_sign == ">", inf, False)
    high_sign = operand[2]
    if not isinstance(high_sign, str):
        raise ExpressionFault("Bad value in numeric range", 'close the range with "<" or "<="', [2])
    if high_sign not in ("<", "<="):
        raise ExpressionFault(f"Bad numeric range operator: {high_sign}", 'close the range with "<" or "<="', [2])
    high = _number(operand, 3, high_sign)
    _end(operand, 4, "Too many terms in numeric range expression")
    if low >= high:
        raise ExpressionFault("Bottom must be less than top", "write the lower bound first", [3])
    return Numeric(low, low_sign == ">", high, high_sign == "<")


def _number(operand: list[Json], at: int, name: str) -> float:
    value = operand[at] if at < len(operand) else None
    if isinstance(value, (int, float)) and is_number(value):
        return double(value)
    raise ExpressionFault(f"Value of {name} must be numeric", "write a number, without quotes", [at])


def _end(operand: list[Json], at: int, reason: str) -> None:
    if len(operand) > at:
        raise ExpressionFault(reason, "end the expression before this", [at])


_ANYTHING_BUT_HINT = "give it a string, a number, or a list of only strings or only numbers"


def _anything_but(operand: Json) -> Operator:
    if isinstance(operand, Object):
        return _anything_but_operator(operand)
    if isinstance(operand, list):
        return _anything_but_list(operand)
    if isinstance(operand, str):
        return AnythingButTexts(frozenset([operand]))
    if isinstance(operand, (int, float)) and is_number(operand):
        return AnythingButNumbers(frozenset([double(operand)]))
    raise ExpressionFault("Value of anything-but must be an array or single string/number value.", _ANYTHING_BUT_HINT)


def _anything_but_list(operand: list[Json]) -> Operator:
    texts = [value for value in operand if isinstance(value, str)]
    numbers = [double(value) for value in operand if isinstance(value, (int, float)) and is_number(value)]
    if len(texts) + len(numbers) < len(operand):
        at = next(at for at, value in enumerate(operand) if not isinstance(value, str) and not is_number(value))
        raise ExpressionFault(
            "Inside anything but list, start|null|boolean is not supported.", _ANYTHING_BUT_HINT, [at]
        )
    if bool(texts) == bool(numbers):
        reason = "Inside anything but list, either all values are number or string, mixed type is not supported"
        raise ExpressionFault(reason, _ANYTHING_BUT_HINT)
    return AnythingButTexts(frozenset(texts)) if texts else AnythingButNumbers(frozenset(numbers))


def _anything_but_operator(operand: Object) -> Operator:
    if not operand.members:
        raise ExpressionFault("Anything-But expression name not found", _ANYTHING_BUT_HINT)
    name, inner = operand.members[0]
    read = _INSIDE_ANYTHING_BUT.get(name)
    if read is None:
        hint = f"inside anything-but use one of {', '.join(_INSIDE_ANYTHING_BUT)}"
        raise ExpressionFault(f"Unsupported anything-but pattern: {name}", hint, [name])
    if len(operand.members) > 1:
        raise ExpressionFault(
            "Only one key allowed in match expression", "write one operator inside it", [operand.members[1][0]]
        )
    return _within(name, lambda: AnythingButOperator(_inner_operators(inner, read)))


def _inner_operators(inner: Json, read: Callable[[Json], TextOperator]) -> tuple[TextOperator, ...]:
    if not isinstance(inner, list):
        return (read(inner),)
    if not inner:
        raise ExpressionFault("Empty arrays are not allowed", "give it at least one string")
    return tuple(_within(at, lambda value=value: read(value)) for at, value in enumerate(inner))  # type: ignore[misc]


def _inner_prefix(operand: Json) -> Prefix:
    return Prefix(_not_empty(operand))


def _inner_suffix(operand: Json) -> Suffix:
    return Suffix(_not_empty(operand))


def _not_empty(operand: Json) -> str:
    text = _text(operand, "prefix/suffix match pattern must be a string")
    if not text:
        raise ExpressionFault("Null prefix/suffix not allowed", 'it would exclude every string; use {"exists": true}')
    return text


def _inner_equals_ignore_case(operand: Json) -> EqualsIgnoreCase:
    reason = "Inside anything-but/equals-ignore-case list, number|start|null|boolean is not supported."
    return EqualsIgnoreCase(_text(operand, reason))


_INSIDE_ANYTHING_BUT: dict[str, Callable[[Json], TextOperator]] = {
    "prefix": _inner_prefix,
    "suffix": _inner_suffix,
    "equals-ignore-case": _inner_equals_ignore_case,
    "wildcard": _wildcard,
}

_OPERATORS: dict[str, Callable[[Json], Operator]] = {
    "prefix": _prefix,
    "suffix": _suffix,
    "equals-ignore-case": _equals_ignore_case,
    "wildcard": _wildcard,
    "numeric": _numeric,
    "exists": _exists,
    "cidr": _cidr,
    "anything-but": _anything_but,
}

NAMES = frozenset(_OPERATORS)
"""The operators' names; inside `$or` they cannot be field names."""
