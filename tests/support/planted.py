"""Planted bugs: changes of one line or a few that a named test must notice. The list is `tests/proof/planted/*.toml`.

    where = "dispatch.core.planner:Planner._on_failure"     module and function, or class; the module alone for the rest
    find = "$part.attempts > $policy.retries"               what stands there once, see `code_patterns.py`
    becomes = "$part.attempts >= max(1, $policy.retries)"

In the place of `becomes`: `delete = true`, or `before` or `after` with statements to add. Where the code stands there
more than once, `nth` says which, from 1. Placeholders keep an entry true when names change that it does not depend on.

`tests/unit/test_planted_bugs_apply.py` keeps the list applicable, `tests/proof/test_planted_bugs.py` plants each one.
"""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from support import code_patterns
from support.code_patterns import Found, Way
from support.wheel import LAYERS, ROOT

LISTS = ROOT / "tests" / "proof" / "planted"
EFFECTS = ("becomes", "delete", "before", "after")
SCOPES = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True)
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
    def module(self) -> str:
        return self.where.partition(":")[0]

    @property
    def name(self) -> str:
        """Of the function or class, as it is qualified in its module; empty for the module."""
        return self.where.partition(":")[2]

    @cached_property
    def file(self) -> str:
        """Relative to the repository, as all paths here."""
        path = Path(*self.module.split("."))
        return str(path / "__init__.py" if (ROOT / path).is_dir() else path.with_suffix(".py"))

    def planted(self, text: str) -> str:
        """The file with the bug in it: the outermost statement around it is written anew, the rest stays as it is.
        Raises ValueError where the list is not that of this source."""
        tree = ast.parse(text)
        found = self.found(tree)
        _, _, first = found.way[0]
        assert first is not None
        old = tree.body[first : first + (found.length if len(found.way) == 1 else 1)]
        behind = len(tree.body) - first - len(old)
        self._change(found)
        new = tree.body[first : len(tree.body) - behind]
        lines = text.splitlines(keepends=True)
        lines[_first_line(old[0]) - 1 : old[-1].end_lineno] = [ast.unparse(each).strip("\n") + "\n" for each in new]
        return "".join(lines)

    def found(self, tree: ast.Module) -> Found:
        inside = [way for name, way in scopes(tree) if name == self.name] if self.name else [Way()]
        if not inside:
            raise self._error(f"there is no {self.name} in {self.file}", _elsewhere(self.name))
        pattern = self._parsed(self.find)
        found = [
            each
            for way in inside
            for each in code_patterns.places(pattern, code_patterns.node_at(way) if way else tree, way)
        ]
        if self.nth is not None and self.nth <= len(found):
            return found[self.nth - 1]
        if len(found) != 1 or self.nth is not None:
            hint = "" if found else _holders(pattern)
            raise self._error(f"what it looks for stands {len(found)} times in {self.where}, not once", hint)
        return found[0]

    def _change(self, found: Found) -> None:
        effects = [each for each in EFFECTS if getattr(self, each)]
        if len(effects) != 1:
            raise self._error(f"it says {' and '.join(effects) or 'nothing'} of {', '.join(EFFECTS)}, not one")
        try:
            if self.before or self.after:
                code_patterns.insert(found, self.before or self.after or "", behind=bool(self.after))
            else:
                code_patterns.replace(found, self.becomes or "")
        except (ValueError, SyntaxError) as error:
            raise self._error(str(error)) from error

    def _parsed(self, code: str) -> code_patterns.Body:
        try:
            return code_patterns.parsed(code)
        except SyntaxError as error:
            raise self._error(f"{code!r} is no Python: {error.msg}") from error

    def _error(self, problem: str, hint: str = "") -> ValueError:
        advice = f"say in {LISTS.relative_to(ROOT)} how it would be broken now"
        return ValueError(f"planted bug {self.id}: {problem}{hint and '; ' + hint}; {advice}")


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


def scopes(tree: ast.Module) -> Iterator[tuple[str, Way]]:
    """The classes and functions of a module: their qualified names, which a property and its setter share."""
    for way in code_patterns.ways(tree):
        node = code_patterns.node_at(way)
        if isinstance(node, SCOPES):
            yield name_of((*way, (node, "", None))), way


def name_of(way: Way) -> str:
    """The qualified name of the class or function in which a node is, empty for that of its module."""
    return ".".join(owner.name for owner, _, _ in way if isinstance(owner, SCOPES))


def _first_line(statement: ast.stmt) -> int:
    decorators: list[ast.expr] = getattr(statement, "decorator_list", [])
    return min([statement.lineno, *(each.lineno for each in decorators)])


# --- hints ----------------------------------------------------------------------------------------------------------


def _product() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(path for layer in LAYERS for path in (ROOT / layer).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        yield ".".join(parts).removesuffix(".__init__"), ast.parse(path.read_text())


def _elsewhere(name: str) -> str:
    modules = [module for module, tree in _product() if name in dict(scopes(tree))]
    return f"there is one: {modules[0]}:{name}" if len(modules) == 1 else ""


def _holders(pattern: code_patterns.Body) -> str:
    holders = {
        f"{module}:{name_of(found.way)}" for module, tree in _product() for found in code_patterns.places(pattern, tree)
    }
    return f"it stands in {holders.pop()}" if len(holders) == 1 else ""
