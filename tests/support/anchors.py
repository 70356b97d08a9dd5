"""A place in the product's code that is named by its function and by its structure, so that lines may move.

    where   dispatch.core.planner:Planner._on_failure     module and function, or class; the module alone for the rest
    find    $part.attempts > $policy.retries              what stands there once, see `code_patterns.py`
    nth     2                                             which, from 1, where it stands there more than once

The planted bugs use it, and the list of what no test takes.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from support import code_patterns
from support.code_patterns import Body, Found, Way
from support.wheel import LAYERS, ROOT

SCOPES = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True, slots=True)
class Anchor:
    where: str
    find: str
    nth: int | None = None

    @property
    def name(self) -> str:
        """Of the function or class, as it is qualified in its module; empty for the module."""
        return self.where.partition(":")[2]

    @property
    def file(self) -> str:
        """Relative to the repository."""
        path = Path(*self.where.partition(":")[0].split("."))
        return str(path / "__init__.py" if (ROOT / path).is_dir() else path.with_suffix(".py"))

    def found(self, tree: ast.Module) -> Found:
        """Where it is in its file. Raises ValueError where it is not there once, with where it may be now."""
        inside = [way for name, way in scopes(tree) if name == self.name] if self.name else [Way()]
        if not inside:
            raise ValueError(f"there is no {self.name} in {self.file}{_elsewhere(self.name)}")
        pattern = self._pattern()
        found = [
            each
            for way in inside
            for each in code_patterns.places(pattern, code_patterns.node_at(way) if way else tree, way)
        ]
        if self.nth is not None and self.nth <= len(found):
            return found[self.nth - 1]
        if len(found) != 1 or self.nth is not None:
            hint = "" if found else _holder(pattern)
            raise ValueError(f"what it looks for stands {len(found)} times in {self.where}, not once{hint}")
        return found[0]

    def _pattern(self) -> Body:
        try:
            return code_patterns.parsed(self.find)
        except SyntaxError as error:
            raise ValueError(f"{self.find!r} is no Python: {error.msg}") from error


def scopes(tree: ast.Module) -> Iterator[tuple[str, Way]]:
    """The classes and functions of a module: their qualified names, which a property and its setter share."""
    for way in code_patterns.ways(tree):
        node = code_patterns.node_at(way)
        if isinstance(node, SCOPES):
            yield _name_of((*way, (node, "", None))), way


def _name_of(way: Way) -> str:
    """The qualified name of the class or function in which a node is, empty for that of its module."""
    return ".".join(owner.name for owner, _, _ in way if isinstance(owner, SCOPES))


# --- where it may be now --------------------------------------------------------------------------------------------


def _product() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(path for layer in LAYERS for path in (ROOT / layer).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        yield ".".join(parts).removesuffix(".__init__"), ast.parse(path.read_text())


def _elsewhere(name: str) -> str:
    modules = [module for module, tree in _product() if name in dict(scopes(tree))]
    return f"; there is one: {modules[0]}:{name}" if len(modules) == 1 else ""


def _holder(pattern: Body) -> str:
    holders = {
        f"{module}:{_name_of(found.way)}"
        for module, tree in _product()
        for found in code_patterns.places(pattern, tree)
    }
    return f"; it stands in {holders.pop()}" if len(holders) == 1 else ""
