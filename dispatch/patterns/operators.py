"""The operators with which a rule tests one leaf of a record: one class each.

Each class knows whether a leaf passes (`test`) and says so in words (`describe`, for explanations). Parsing lives in
`expressions.py`, faster spellings of the common operators in `compile.py`. A leaf is what JSON has beside objects and
arrays; a missing one is never given to `test`: only `Exists(False)` is content with that.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf

from . import addresses, wildcards
from .casing import Folded

Leaf = str | int | float | bool | None


def double(number: float) -> float:
    """The IEEE double of a JSON number; beyond its range an infinity."""
    try:
        return float(number)
    except OverflowError:
        return inf if number > 0 else -inf


def is_number(value: object) -> bool:
    """Whether the value is a JSON number. Python counts True as 1; JSON does not."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def quoted(value: object) -> str:
    """A value as JSON text, for words to the user; escaped where a terminal could not show it."""
    text = json.dumps(value, ensure_ascii=False)
    return text if text.isprintable() else json.dumps(value)


@dataclass(frozen=True, slots=True)
class TextLiteral:
    """A literal string: equal, character by character."""

    text: str

    def test(self, value: Leaf) -> bool:
        return value == self.text

    def describe(self) -> str:
        return f"is {quoted(self.text)}"


@dataclass(frozen=True, slots=True)
class AddressLiteral:
    """A literal string that looks like an IP address: any spelling of that address."""

    text: str
    address: bytes

    def test(self, value: Leaf) -> bool:
        return isinstance(value, str) and addresses.packed(value) == self.address

    def describe(self) -> str:
        return f"is the address {quoted(self.text)}"


@dataclass(frozen=True, slots=True)
class NumberLiteral:
    """A literal number: equal as IEEE doubles, so 300 is 300.0 and 3e2."""

    number: float

    def test(self, value: Leaf) -> bool:
        return isinstance(value, (int, float)) and not isinstance(value, bool) and double(value) == self.number

    def describe(self) -> str:
        return f"is the number {self.number:.15g}"


@dataclass(frozen=True, slots=True)
class ConstantLiteral:
    """A literal true, false or null."""

    constant: bool | None

    def test(self, value: Leaf) -> bool:
        return value is self.constant

    def describe(self) -> str:
        return f"is {quoted(self.constant)}"


@dataclass(frozen=True, slots=True)
class Prefix:
    text: str

    def test(self, value: Leaf) -> bool:
        return isinstance(value, str) and value.startswith(self.text)

    def describe(self) -> str:
        return f"starts with {quoted(self.text)}"


@dataclass(frozen=True, slots=True)
class Suffix:
    text: str

    def test(self, value: Leaf) -> bool:
        return isinstance(value, str) and value.endswith(self.text)

    def describe(self) -> str:
        return f"ends with {quoted(self.text)}"


@dataclass(frozen=True, slots=True)
class _IgnoringCase:
    """Base of the operators that fold their text once."""

    text: str
    folded: Folded = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "folded", Folded(self.text))


class PrefixIgnoreCase(_IgnoringCase):
    def test(self, value: Leaf) -> bool:
        return isinstance(value, str) and self.folded.starts(value)

    def describe(self) -> str:
        return f"starts with {quoted(self.text)} in any case"


class SuffixIgnoreCase(_IgnoringCase):
    def test(self, value: Leaf) -> bool:
        return isinstance(value, str) and self.folded.ends(value)

    def describe(self) -> str:
        return f"ends with {quoted(self.text)} in any case"


class EqualsIgnoreCase(_IgnoringCase):
    def test(self, value: Leaf) -> bool:
        return isinstance(value, str) and self.folded.equals(value)

    def describe(self) -> str:
        return f"is {quoted(self.text)} in any case"


@dataclass(frozen=True, slots=True)
class Wildcard:
    text: str
    parts: tuple[str, ...]

    def test(self, value: Leaf) -> bool:
        return isinstance(value, str) and wildcards.matches(self.parts, value)

    def describe(self) -> str:
        return f"fits the wildcard {quoted(self.text)}"


@dataclass(frozen=True, slots=True)
class Numeric:
    """A range of numbers; a side that was not given is infinite. Strings of digits and booleans are no numbers."""

    low: float
    low_open: bool
    high: float
    high_open: bool

    def test(self, value: Leaf) -> bool:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return False
        number = double(value)
        above = number > self.low if self.low_open else number >= self.low
        return above and (number < self.high if self.high_open else number <= self.high)

    def describe(self) -> str:
        if self.low == self.high:
            return f"is the number {self.low:.15g}"
        sides = []
        if self.low != -inf:
            sides.append(f"{'>' if self.low_open else '>='} {self.low:.15g}")
        if self.high != inf:
            sides.append(f"{'<' if self.high_open else '<='} {self.high:.15g}")
        return f"is a number {' and '.join(sides)}"


@dataclass(frozen=True, slots=True)
class Exists:
    """Whether there is a leaf at all. An object, an empty object and an empty array are no leaves."""

    wanted: bool

    def test(self, value: Leaf) -> bool:
        return self.wanted

    def describe(self) -> str:
        return "exists" if self.wanted else "does not exist"


@dataclass(frozen=True, slots=True)
class Cidr:
    text: str
    first: bytes
    last: bytes

    def test(self, value: Leaf) -> bool:
        address = addresses.packed(value) if isinstance(value, str) else None
        return address is not None and len(address) == len(self.first) and self.first <= address <= self.last

    def describe(self) -> str:
        return f"is an address in {quoted(self.text)}"


@dataclass(frozen=True, slots=True)
class AnythingButTexts:
    """Any leaf but these strings: numbers, booleans and null pass."""

    texts: frozenset[str]

    def test(self, value: Leaf) -> bool:
        return value not in self.texts

    def describe(self) -> str:
        return f"is anything but {', '.join(quoted(text) for text in sorted(self.texts))}"


@dataclass(frozen=True, slots=True)
class AnythingButNumbers:
    """Any leaf but these numbers: strings, booleans and null pass."""

    numbers: frozenset[float]

    def test(self, value: Leaf) -> bool:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return True
        return double(value) not in self.numbers

    def describe(self) -> str:
        numbers = ", ".join(f"{number:.15g}" for number in sorted(self.numbers))
        return f"is anything but {numbers}"


TextOperator = Prefix | Suffix | EqualsIgnoreCase | Wildcard


@dataclass(frozen=True, slots=True)
class AnythingButOperator:
    """Any leaf that none of the inner operators takes. They take only strings, so all other leaves pass."""

    inner: tuple[TextOperator, ...]

    def test(self, value: Leaf) -> bool:
        return not any(operator.test(value) for operator in self.inner)

    def describe(self) -> str:
        return "is anything but what " + " or ".join(operator.describe() for operator in self.inner)


Operator = (
    TextLiteral
    | AddressLiteral
    | NumberLiteral
    | ConstantLiteral
    | Prefix
    | Suffix
    | PrefixIgnoreCase
    | SuffixIgnoreCase
    | EqualsIgnoreCase
    | Wildcard
    | Numeric
    | Exists
    | Cidr
    | AnythingButTexts
    | AnythingButNumbers
    | AnythingButOperator
)


def describe(operators: Sequence[Operator]) -> str:
    """A rule in words: what a leaf must be for it to pass."""
    return " or ".join(operator.describe() for operator in operators)
