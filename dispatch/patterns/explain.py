"""Why a record passed a pattern, or why not, in words. For `headrace filter test`; never on the way of records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .arrays import ArrayMatcher, Found, consistent, content_without, passes
from .choices import TooManyChoices
from .filters import Pattern
from .formats import Data, DataFormat, FilterRules, RecordFilter, left_of, read
from .operators import describe, quoted
from .tree import Branch, Rule


@dataclass(frozen=True, slots=True)
class Explanation:
    """A verdict with its reason. `path` is the first field that failed, dotted; None when no single field did."""

    matched: bool
    reason: str
    path: str | None = None

    def as_json(self) -> dict[str, object]:
        return {"matched": self.matched, "reason": self.reason, "path": self.path}


def explain(pattern: Pattern, view: object) -> Explanation:
    """The verdict of one pattern on one view. Of several alternatives that all fail it explains the one that came
    furthest."""
    return _best([_explain_branch(branch, view) for branch in pattern.branches])


def explain_record(record_filter: RecordFilter, metadata: Mapping[str, object], data: Data = None) -> list[Explanation]:
    """The verdict of each filter of a mapping on one record, formats included; the record is kept when one matched."""
    rules = record_filter.rules
    form = read(data)[0] if rules.apart else DataFormat.JSON
    view = record_filter.view(metadata, data)
    return [
        _best([_explain_format(rules, branch, form, view) for branch in pattern.branches])
        for pattern in record_filter.patterns
    ]


def _explain_format(rules: FilterRules, branch: Branch, form: DataFormat, view: object) -> tuple[int, Explanation]:
    key = rules.key
    left = left_of(rules, branch, form)
    if left is None:
        reason = f"{key} is {form.value}, and the filter's rules on it expect another format"
        return -1, Explanation(False, reason, key)
    if not left:
        reason = f"{key} is {form.value}, so the filter's rules on it do not count, and it has no others"
        return 0, Explanation(True, reason)
    return _explain_branch(left, view)


def _best(tried: list[tuple[int, Explanation]]) -> Explanation:
    for _, explanation in tried:
        if explanation.matched:
            return explanation
    _, furthest = max(tried, key=lambda one: one[0])
    if len(tried) == 1:
        return furthest
    return Explanation(False, f"none of {len(tried)} alternatives; the nearest: {furthest.reason}", furthest.path)


def _explain_branch(branch: Branch, view: object) -> tuple[int, Explanation]:
    """With how many rules passed before the first failed one."""
    if not isinstance(view, dict):
        return -1, Explanation(False, "the record is not an object")
    found = ArrayMatcher.of([branch]).leaves(view)
    for passed, (path, rule) in enumerate(branch.items()):
        failure = _failure(path, rule, found)
        if failure:
            return passed, Explanation(False, failure, path)
    return len(branch), _explain_choice(branch, found)


def _failure(path: str, rule: Rule, found: Found) -> str | None:
    """Why a rule cannot pass whatever elements are chosen, or None."""
    leaves = found.get(path, [])
    if any(passes(rule, leaf) for leaf, _ in leaves):
        return None
    if content_without(rule) and not any(place == () for _, place in leaves):
        return None
    if not leaves:
        return f"{path} is missing or holds no value, and the pattern wants one that {describe(rule)}"
    values = ", ".join(_shown(leaf) for leaf, _ in leaves[:3])
    more = f" and {len(leaves) - 3} more" if len(leaves) > 3 else ""
    return f"{path} is {values}{more}, and the pattern wants one that {describe(rule)}"


def _explain_choice(branch: Branch, found: Found) -> Explanation:
    try:
        if consistent(branch, found):
            return Explanation(True, f"every rule is met: {', '.join(sorted(branch))}")
    except TooManyChoices:
        return Explanation(True, "the record has too many combinations of array elements to decide; it is kept")
    return Explanation(False, "each rule is met by itself, but by different elements of an array")


def _shown(leaf: object) -> str:
    text = quoted(leaf)
    return text if len(text) <= 60 else f"{text[:59]}…"
