"""Conditions on one leaf as generated source. For the writers of matchers, `compile.py` and `compile_arrays.py`."""

from __future__ import annotations

from .operators import AnythingButTexts, ConstantLiteral, Exists, Operator, Prefix, Suffix, TextLiteral
from .tree import Rule


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
            terms.insert(0, f"{leaf} in {self.constant(texts)}")
        return " or ".join(terms)

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
            case _:
                return f"{leaf} is not missing and {self.constant(operator.test)}({leaf})"


def texts_of(rule: Rule) -> frozenset[str]:
    """The texts that a rule takes literally."""
    return frozenset(operator.text for operator in rule if isinstance(operator, TextLiteral))
