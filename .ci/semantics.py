"""The rules that users can observe, each with an id, in docs/semantics/*.md, and the tests that prove them.

A rule is a table row: `| SQS-07 | what holds | AWS's page, or observed |`. A test claims it with
`@pytest.mark.semantics("SQS-07")`. The test run writes down which tests that passed claimed which ids.

    semantics.py --check     ids are unique and well formed; what tests claim exists
    semantics.py --proven    besides: every id was proven in the last whole test run (`make test`); those that only
                             tests of `make proof` or `make page-check` claim are counted, and proven there
"""

from __future__ import annotations

import ast
import json
import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGES = ROOT / "docs" / "semantics"
PROVEN = ROOT / ".pytest_cache" / "semantics.json"
ROW = re.compile(r"^\| *([^|]*?) *\|(.*)\| *([^|]*?) *\|$")
ELSEWHERE = ("tests/proof/", "tests/page/")
"""Tests that `make test` does not run: they take long, or need a browser."""
ID = re.compile(r"^[A-Z][A-Z0-9]*(-[A-Z][A-Z0-9]*)*-\d{2,3}$")


@dataclass(frozen=True, slots=True)
class Rule:
    id: str
    text: str
    source: str
    page: str
    line: int

    @property
    def prefix(self) -> str:
        return self.id.rpartition("-")[0]

    @property
    def where(self) -> str:
        return f"docs/semantics/{self.page}:{self.line}"


def rules() -> list[Rule]:
    """Every row of every page, in the order of the pages."""
    return [rule for page in sorted(PAGES.glob("*.md")) for rule in rules_of(page)]


def rules_of(page: Path) -> Iterator[Rule]:
    for number, line in enumerate(page.read_text().splitlines(), start=1):
        row = ROW.match(line.strip().replace(r"\|", "&#124;"))
        if row and row[1].lower() != "id" and set(row[1]) - set("-: "):
            yield Rule(row[1].strip("`"), row[2].strip(), row[3], page.name, number)


def title(page: Path) -> str:
    """The page's first heading."""
    lines = page.read_text().splitlines()
    return next((line.removeprefix("# ") for line in lines if line.startswith("# ")), page.stem)


def claimed() -> Iterator[tuple[str, str]]:
    """Each id that a test's marker names, with the place."""
    for path in sorted((ROOT / "tests").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(), str(path))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "semantics":
                where = f"{path.relative_to(ROOT)}:{node.lineno}"
                yield from (
                    (argument.value, where)
                    for argument in node.args
                    if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
                )


def complaints(known: list[Rule]) -> Iterator[str]:
    seen: dict[str, Rule] = {}
    for rule in known:
        if not ID.match(rule.id):
            yield f"{rule.where}: {rule.id!r} is not an id like SQS-07"
        if rule.id in seen:
            yield f"{rule.where}: {rule.id} is there twice, first in {seen[rule.id].where}"
        if not rule.text or not rule.source:
            yield f"{rule.where}: {rule.id} needs a rule and a source (AWS's page, or observed)"
        seen.setdefault(rule.id, rule)
    for name, where in claimed():
        if name not in seen:
            yield f"{where}: {name} is in no page of docs/semantics/"


def by_others_alone() -> set[str]:
    """Rules whose every claim stands in a test that `make test` does not run."""
    claims = list(claimed())
    return {name for name, _ in claims} - {name for name, where in claims if not where.startswith(ELSEWHERE)}


def unproven(known: list[Rule]) -> Iterator[str]:
    try:
        proofs: dict[str, list[str]] = json.loads(PROVEN.read_text())
    except OSError:
        yield f"{PROVEN.relative_to(ROOT)} is missing: run `make test` first"
        return
    elsewhere = by_others_alone()
    for rule in known:
        if not proofs.get(rule.id) and rule.id not in elsewhere:
            yield f"{rule.where}: no passing test claims {rule.id}"


def main() -> int:
    known = rules()
    faults = list(complaints(known))
    if "--proven" in sys.argv[1:]:
        faults += unproven(known)
    print(*faults, sep="\n", end="\n" if faults else "")
    counts = Counter(rule.prefix for rule in known)
    print(f"semantics: {len(known)} rules ({', '.join(f'{name} {n}' for name, n in counts.items())})", end="; ")
    print(f"{len(by_others_alone())} by `make proof` or `make page-check` alone; {len(faults)} faults")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
