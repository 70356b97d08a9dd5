"""A search in a record's JSON text that can tell, before anybody parses it, that no filter takes it. Used by
`formats.py`.

A rule that wants a leaf is met only by data in which certain text stands, wherever the leaf is, in arrays too. For each
branch one rule is chosen, and its text is searched for:

    ["x"], {"prefix": "x"}, true    the leaf itself. JSON has one spelling of each constant, and one of each text as
                                    long as there is no backslash
    [5], {"numeric": […]}           the leaf's key, and behind it a number that fits, or an array. A number has many
                                    spellings (100, 1e2), so it is read
    any other                       the leaf's key. It ends with the last name of the path; a record may write more of
                                    the path, with dots, in one key

What is no JSON, or no UTF-8, is not taken by rules on JSON data either. So a text in which nothing of this stands is
refused rightly whatever it is, where no other rule asks for data that are not JSON. Who may use the search knows that.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from math import inf, nextafter

from .arrays import content_without
from .operators import ConstantLiteral, NumberLiteral, Numeric, Operator, Prefix, Suffix, TextLiteral
from .scans import Key, Scan
from .tree import Branch, Rule

MOST = 8
"""Texts that are searched for in a record. All together cost about half of parsing it."""

NumberOperator = Numeric | NumberLiteral


@dataclass(frozen=True, slots=True)
class Leaf:
    """A key with a value."""

    keys: frozenset[str]
    """Its spellings."""
    numbers: tuple[NumberOperator, ...] | None = None
    """The value is a number that one of these takes, or an array; None: any value."""

    def __or__(self, other: Leaf) -> Leaf:
        numbers = None if self.numbers is None or other.numbers is None else self.numbers + other.numbers
        return Leaf(self.keys | other.keys, numbers)

    def written(self) -> Iterator[Key]:
        ranges = None if self.numbers is None else tuple(map(_range, self.numbers))
        return ((key, ranges) for key in sorted(self.keys))


@dataclass(frozen=True, slots=True)
class Sought:
    """Things of which one must stand in the data."""

    texts: frozenset[str] = frozenset()
    leaves: Mapping[str, Leaf] = field(default_factory=dict)
    """By the last name of the key. So all that is asked of one key is asked at once."""

    def __or__(self, other: Sought) -> Sought:
        leaves = dict(self.leaves)
        for name, leaf in other.leaves.items():
            leaves[name] = leaves[name] | leaf if name in leaves else leaf
        return Sought(self.texts | other.texts, leaves)

    def __len__(self) -> int:
        return len(self.texts) + sum(len(leaf.keys) for leaf in self.leaves.values())

    @property
    def cost(self) -> tuple[bool, int, int, int]:
        """The least is searched for best: texts rather than numbers, and those rather than keys alone, which stand in
        every record of a kind; the fewest; the longest."""
        any_value = any(leaf.numbers is None for leaf in self.leaves.values())
        return any_value, len(self.leaves), len(self), -min(map(len, self.texts), default=0)


def search(branches: Iterable[Branch]) -> Scan | None:
    """For the rules on the data: one of the branches must hold. None where one of them may hold whatever stands in the
    data, or where there would be too much to search for."""
    found = Sought()
    for branch in branches:
        candidates = [one for path, rule in branch.items() if (one := _sought(path, rule)) is not None]
        if not candidates:
            return None
        found |= min(candidates, key=lambda one: one.cost)
    if not 0 < len(found) <= MOST:
        return None
    return Scan(found.texts, [key for leaf in found.leaves.values() for key in leaf.written()])


def _sought(path: str, rule: Rule) -> Sought | None:
    """What stands in all JSON data without a backslash that meet the rule. A text that JSON writes with a backslash is
    in none of these data, so searching for it as it is refuses rightly."""
    if content_without(rule) or not _encodable(path):
        return None
    texts = [text for operator in rule if (text := _text_of(operator)) is not None]
    if not all(map(_encodable, texts)):
        return None
    numbers = tuple(operator for operator in rule if isinstance(operator, (Numeric, NumberLiteral)))
    if len(texts) == len(rule):
        return Sought(frozenset(texts))
    if not _is_plain(path):
        return None
    name = path.rpartition(".")[2]
    keys = frozenset(_spellings(path))
    if len(texts) + len(numbers) == len(rule):
        return Sought(frozenset(texts), {name: Leaf(keys, numbers)})
    return Sought(leaves={name: Leaf(keys)})


def _text_of(operator: Operator) -> str | None:
    match operator:
        case TextLiteral(text):
            return f'"{text}"'
        case Prefix(text):
            return f'"{text}'
        case Suffix(text):
            return f'{text}"'
        case ConstantLiteral(constant):
            return "null" if constant is None else str(constant).lower()
        case _:
            return None


def _range(operator: NumberOperator) -> tuple[float, float]:
    """The least and the greatest double that it takes."""
    if isinstance(operator, NumberLiteral):
        return operator.number, operator.number
    low = nextafter(operator.low, inf) if operator.low_open else operator.low
    high = nextafter(operator.high, -inf) if operator.high_open else operator.high
    return low, high


def _encodable(text: str) -> bool:
    """A text with half of a surrogate pair is none in UTF-8."""
    return text.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in text)


def _is_plain(path: str) -> bool:
    """Whether a key of these names is written as it is, between the next two quotes."""
    return not any(letter in '"\\' or letter < " " for letter in path)


def _spellings(path: str) -> Iterator[str]:
    yield path
    for at, letter in enumerate(path):
        if letter == ".":
            yield path[at + 1 :]
