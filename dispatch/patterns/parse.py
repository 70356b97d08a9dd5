"""Text or parsed object to a pattern's tree, or every problem in it. Used by `filters.py`.

The walk does not stop at the first problem: a user who fixes a pattern wants to see them all.
"""

from __future__ import annotations

from . import document, expressions, wildcards
from .document import Json, Object
from .errors import PatternError, PatternProblem, element, member
from .operators import AnythingButOperator, Operator, Wildcard
from .pattern_limits import MAX_BRANCHES, MAX_RULES, MAX_WILDCARD_COMPLEXITY
from .tree import Branch, Conjunction, Disjunction, Field, Rule, TooManyBranches, branches

_RESERVED = expressions.NAMES | {
    "exactly", "=", "<", "<=", ">", ">=", "regex", "not-wildcard", "not-equals-ignore-case", "date-after",
    "date-on-or-after", "date-before", "date-on-or-before", "in-date-range", "ip-address-in-range",
    "ip-address-not-in-range",
}  # fmt: skip
"""The names that EventBridge keeps for operators, present and future, and refuses as field names inside `$or`."""


def parse(source: object) -> tuple[Branch, ...]:
    """The branches of a pattern, given as JSON text or as an already parsed object. Raises PatternError."""
    root = document.read(source)
    if not isinstance(root, Object):
        hint = 'write an object of field names, e.g. {"body": {"type": ["order"]}}'
        raise PatternError([PatternProblem("$", "Filter is not an object", hint)])
    reader = _PatternReader()
    tree = reader.conjunction(root, "$", None, inside_or=False)
    if reader.problems:
        raise PatternError(reader.problems)
    try:
        return branches(tree)
    except TooManyBranches:
        reason = f"$or gives more than {MAX_BRANCHES} alternatives, or more than {MAX_RULES} rules in them"
        raise PatternError([PatternProblem("$", reason, "split the pattern over several filters")]) from None


class _PatternReader:
    """One walk over a document. `path` is where we are in the pattern, `name` the field's dotted name in a record
    (None at its root)."""

    def __init__(self) -> None:
        self.problems: list[PatternProblem] = []

    def conjunction(self, node: Object, path: str, name: str | None, *, inside_or: bool) -> Conjunction:
        if not node.members:
            self._add(path, "Empty objects are not allowed", "name a field in it, or leave it out")
        terms: list[Field | Disjunction] = []
        for key, value in node.members:
            below = member(path, key)
            if key == "$or":
                terms.append(Disjunction(self._alternatives(value, below, name)))
            else:
                # Names join by dots, as in EventBridge: {"a": {"b": …}} and {"a.b": …} are one path.
                terms += self._term(key, value, below, key if name is None else f"{name}.{key}", inside_or)
        return Conjunction(tuple(terms))

    def _term(self, key: str, value: Json, path: str, name: str, inside_or: bool) -> tuple[Field | Disjunction, ...]:
        if inside_or and key in _RESERVED:
            reason = f"{key} is Ruler reserved fieldName which cannot be used inside $or."
            self._add(path, reason, "an operator stands in an object inside a field's array")
        if isinstance(value, Object):
            return self.conjunction(value, path, name, inside_or=inside_or).terms
        if isinstance(value, list):
            return (Field(name, self._rule(value, path)),)
        self._add(path, f'"{key}" must be an object or an array', f"put the value in brackets: [{_shown(value)}]")
        return ()

    def _alternatives(self, value: Json, path: str, name: str | None) -> tuple[Conjunction, ...]:
        hint = "give $or an array of two or more patterns"
        if not isinstance(value, list):
            self._add(path, "It must be an Array followed with $or.", hint)
            return ()
        found: list[Conjunction] = []
        for index, inner in enumerate(value):
            if isinstance(inner, Object):
                found.append(self.conjunction(inner, element(path, index), name, inside_or=True))
            else:
                reason = "Only JSON object is allowed in array of $or relationship."
                self._add(element(path, index), reason, hint)
        if len(value) < 2:
            self._add(path, "There must have at least 2 Objects in $or relationship.", hint)
        return tuple(found)

    def _rule(self, values: list[Json], path: str) -> Rule:
        if not values:
            self._add(path, "Empty arrays are not allowed", 'give a value; for any value use [{"exists": true}]')
        operators: list[Operator] = []
        for index, value in enumerate(values):
            try:
                operators.append(expressions.operator(value))
            except expressions.ExpressionFault as fault:
                self._add(_inside(element(path, index), fault.inside), fault.reason, fault.hint)
        self._refuse_complex(operators, path)
        return tuple(operators)

    def _refuse_complex(self, operators: list[Operator], path: str) -> None:
        if (
            wildcards.complexity({parts for operator in operators for parts in _parts(operator)})
            > MAX_WILDCARD_COMPLEXITY
        ):
            reason = (
                "Rule is too complex - try using fewer wildcard characters or fewer repeating character sequences "
                "after a wildcard character"
            )
            self._add(path, reason, "split the wildcards over several filters, or use prefix and suffix")

    def _add(self, path: str, reason: str, hint: str) -> None:
        self.problems.append(PatternProblem(path, reason, hint))


def _parts(operator: Operator) -> list[tuple[str, ...]]:
    match operator:
        case Wildcard(_, parts):
            return [parts]
        case AnythingButOperator(inner):
            return [one.parts for one in inner if isinstance(one, Wildcard)]
        case _:
            return []


def _inside(path: str, steps: tuple[str | int, ...]) -> str:
    for step in steps:
        path = element(path, step) if isinstance(step, int) else member(path, step)
    return path


def _shown(value: Json) -> str:
    text = document.as_text(value)
    return text if len(text) <= 40 else "…"
