"""A search in a record's JSON text that can tell, before anybody parses it, that no filter takes it. Used by
`formats.py`.

A rule of literals is met only by a leaf that is one of them. So the text of one of them stands in the data, wherever
the leaf is, however the keys are spelled or repeated, and in arrays too. JSON has one spelling of true, false and null,
and one of each text as long as there is no backslash. A number has many (100, 1e2), an address too, and a text that
counts in any case more than we could list: of such a rule nothing is searched.

What is no JSON, or no UTF-8, is not taken by rules on JSON data either. So a text in which no literal stands is refused
rightly whatever it is, where no other rule asks for data that are not JSON. Who may use the search knows that.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .operators import ConstantLiteral, Operator, Prefix, Suffix, TextLiteral
from .tree import Branch, Rule

MOST = 4
"""Texts that are searched for in a record. Each costs about a tenth of parsing it."""


@dataclass(frozen=True, slots=True)
class LiteralSearch:
    """Texts of which one stands in all JSON data that the filters take."""

    texts: tuple[str, ...]
    encoded: tuple[bytes, ...]

    @classmethod
    def of(cls, branches: Iterable[Branch]) -> LiteralSearch | None:
        """For the rules on the data: one of the branches must hold. None where one of them may hold without a literal,
        or where there would be too much to search for."""
        found: set[str] = set()
        for branch in branches:
            texts = [texts for rule in branch.values() if (texts := texts_of(rule))]
            if not texts:
                return None
            fewest: frozenset[str] = min(texts, key=_cost)
            found |= fewest
        if not 0 < len(found) <= MOST:
            return None
        ordered = tuple(sorted(found))
        return cls(ordered, tuple(text.encode() for text in ordered))

    def refuses(self, data: object) -> bool:
        """Whether surely no filter takes these data. Data that are no text are for others to judge."""
        if isinstance(data, str):
            for text in self.texts:
                if text in data:
                    return False
            return "\\" not in data
        if isinstance(data, bytes):
            for encoded in self.encoded:
                if encoded in data:
                    return False
            return b"\\" not in data
        return False


def texts_of(rule: Rule) -> frozenset[str]:
    """Texts of which one stands in all JSON data without a backslash that meet the rule; none where nothing is known.
    A text that JSON writes with a backslash is in none of these data, so searching for it as it is refuses rightly."""
    found = [_text_of(operator) for operator in rule]
    return frozenset() if None in found else frozenset(text for text in found if text)


def _text_of(operator: Operator) -> str | None:
    match operator:
        case TextLiteral(text):
            written = f'"{text}"'
        case Prefix(text):
            written = f'"{text}'
        case Suffix(text):
            written = f'{text}"'
        case ConstantLiteral(constant):
            written = "null" if constant is None else str(constant).lower()
        case _:
            return None
    return written if _encodable(written) else None


def _encodable(text: str) -> bool:
    """A text with half of a surrogate pair is none in UTF-8."""
    return text.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in text)


def _cost(texts: frozenset[str]) -> tuple[int, int]:
    """The fewest first, then the longest, which stand in other records least."""
    return len(texts), -min(map(len, texts))
