"""Conditions on one leaf as generated source. For the writers of matchers, `compile.py` and `compile_arrays.py`."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf

from .operators import (
    AnythingButNumbers,
    AnythingButOperator,
    AnythingButTexts,
    ConstantLiteral,
    Exists,
    NumberLiteral,
    Numeric,
    Operator,
    Prefix,
    Suffix,
    TextLiteral,
)
from .tree import Rule

EXACT = 2.0**53
"""A whole number below it is the same number as a double. So the limit of a rule below it is above or below a number
exactly when it is above or below its double."""

ANYTHING_BUT = (AnythingButTexts, AnythingButNumbers, AnythingButOperator)


class Conditions:
    """Writes expressions over a variable, and keeps the constants that they name (`c0`, `c1`, …)."""

    def __init__(self) -> None:
        self.constants: list[object] = []

    def constant(self, value: object) -> str:
        self.constants.append(value)
        return f"c{len(self.constants) - 1}"

    def of(self, rule: Rule, leaf: str) -> str:
        """An expression over a leaf that is a string, number, true, false, null, or missing."""
        terms = [self._term(operator, leaf) for operator in rule if not isinstance(operator, TextLiteral)]
        texts = texts_of(rule)
        if texts:
            terms.insert(0, self.among(texts, leaf))
        return " or ".join(terms)

    def among(self, texts: frozenset[str], leaf: str) -> str:
        """An expression: the leaf is one of some texts. One is compared faster than it is hashed."""
        if len(texts) == 1:
            return f"{leaf} == {self.constant(*texts)}"
        return f"isinstance({leaf}, str) and {leaf} in {self.constant(texts)}"

    def _term(self, operator: Operator, leaf: str) -> str:
        match operator:
            case Exists(wanted):
                return f"{leaf} is not missing" if wanted else f"{leaf} is missing"
            case ConstantLiteral(constant):
                return f"{leaf} is {self.constant(constant)}"
            case Prefix(text):
                return f"isinstance({leaf}, str) and {leaf}.startswith({self.constant(text)})"
            case Suffix(text):
                return f"isinstance({leaf}, str) and {leaf}.endswith({self.constant(text)})"
            case AnythingButTexts(texts):
                return f"{leaf} is not missing and {leaf} not in {self.constant(texts)}"
            case NumberLiteral(number) if abs(number) < EXACT:
                return f"{leaf} == {self.constant(number)} and not isinstance({leaf}, bool)"
            case Numeric() if all(abs(limit) < EXACT or abs(limit) == inf for limit in (operator.low, operator.high)):
                return " and ".join(self._range(operator, leaf))
            case _:
                return f"{leaf} is not missing and {self.constant(operator.test)}({leaf})"

    def _range(self, numeric: Numeric, leaf: str) -> Iterator[str]:
        yield f"isinstance({leaf}, numbers) and not isinstance({leaf}, bool)"
        if numeric.low != -inf:
            yield f"{leaf} {'>' if numeric.low_open else '>='} {self.constant(numeric.low)}"
        if numeric.high != inf:
            yield f"{leaf} {'<' if numeric.high_open else '<='} {self.constant(numeric.high)}"


def refuses_structures(rule: Rule) -> bool:
    """Whether its condition is safe for objects and arrays too, and false."""
    return not any(isinstance(operator, (Exists, *ANYTHING_BUT)) for operator in rule)


def texts_of(rule: Rule) -> frozenset[str]:
    """The texts that a rule takes literally."""
    return frozenset(operator.text for operator in rule if isinstance(operator, TextLiteral))
