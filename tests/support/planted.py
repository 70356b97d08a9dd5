"""Planted bugs: changes of one line or a few that a named test must notice. The list is `tests/proof/planted/*.toml`.

    where = "dispatch.core.planner:Planner._on_failure"     see `anchors.py`, for `nth` too
    find = "$part.attempts > $policy.retries"
    becomes = "$part.attempts >= max(1, $policy.retries)"

In the place of `becomes`: `delete = true`, or `before` or `after` with statements to add. Placeholders keep an entry
true when names change that it does not depend on.

`tests/unit/test_planted_bugs_apply.py` keeps the list applicable, `tests/proof/test_planted_bugs.py` plants each one.
"""

from __future__ import annotations

import ast
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support import code_patterns
from support.anchors import Anchor
from support.code_patterns import Found
from support.wheel import ROOT

LISTS = ROOT / "tests" / "proof" / "planted"
EFFECTS = ("becomes", "delete", "before", "after")


@dataclass(frozen=True, slots=True)
class Bug:
    """One entry of the list."""

    id: str
    breaks: str
    """What goes wrong, in one line."""
    where: str
    find: str
    tests: tuple[str, ...]
    """Ids as pytest knows them: at least one of these fails."""
    becomes: str | None = None
    delete: bool = False
    before: str | None = None
    after: str | None = None
    nth: int | None = None

    @property
    def anchor(self) -> Anchor:
        return Anchor(self.where, self.find, self.nth)

    @property
    def file(self) -> str:
        """Relative to the repository, as all paths here."""
        return self.anchor.file

    def planted(self, text: str) -> str:
        """The file with the bug in it: the outermost statement around it is written anew, the rest stays as it is.
        Raises ValueError where the list is not that of this source."""
        try:
            return self._planted(text)
        except (ValueError, SyntaxError) as error:
            advice = f"say in {LISTS.relative_to(ROOT)} how it would be broken now"
            raise ValueError(f"planted bug {self.id}: {error}; {advice}") from error

    def _planted(self, text: str) -> str:
        tree = ast.parse(text)
        found = self.anchor.found(tree)
        _, _, first = found.way[0]
        assert first is not None
        old = tree.body[first : first + (found.length if len(found.way) == 1 else 1)]
        behind = len(tree.body) - first - len(old)
        self._change(found)
        new = tree.body[first : len(tree.body) - behind]
        lines = text.splitlines(keepends=True)
        lines[_first_line(old[0]) - 1 : old[-1].end_lineno] = [ast.unparse(each).strip("\n") + "\n" for each in new]
        return "".join(lines)

    def _change(self, found: Found) -> None:
        effects = [each for each in EFFECTS if getattr(self, each)]
        if len(effects) != 1:
            raise ValueError(f"it says {' and '.join(effects) or 'nothing'} of {', '.join(EFFECTS)}, not one")
        if self.before or self.after:
            code_patterns.insert(found, self.before or self.after or "", behind=bool(self.after))
        else:
            code_patterns.replace(found, self.becomes or "")


def bugs() -> list[Bug]:
    """All entries, ordered by the file that they change."""
    entries: list[dict[str, Any]] = [
        entry for path in sorted(LISTS.glob("*.toml")) for entry in tomllib.loads(path.read_text())["bug"]
    ]
    found = [Bug(**{**entry, "tests": tuple(entry["tests"])}) for entry in entries]
    return sorted(found, key=lambda bug: bug.file)


def path_of(test: str) -> Path:
    """The file of a test id."""
    return ROOT / test.partition("::")[0]


def _first_line(statement: ast.stmt) -> int:
    decorators: list[ast.expr] = getattr(statement, "decorator_list", [])
    return min([statement.lineno, *(each.lineno for each in decorators)])
