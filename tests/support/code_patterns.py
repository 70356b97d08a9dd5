"""Code that is found in a syntax tree by its structure, and changed there. `planted.py` uses it.

A pattern is Python: an expression, one statement or several in a row, or one `case`. How the code is laid out, what its
comments say and which quotes it has does not matter.

    $part.attempts > $policy.retries    $name stands for any expression, or for the name of an attribute, an argument, a
                                        keyword or a variable; the same $name twice stands for the same code twice
    $_                                  stands for anything, each time for something else
    if $late: ...                       `...` as the only statement stands for any, an `else` included
    Discarded(..., reason=$why)         `...` as the first argument stands for all arguments that are not named here

What the code becomes says `$name` and `...` again where it wants what was found there. Inside of text `$` is text.
"""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

Bound = dict[str, Any]
"""What the placeholders of a pattern stand for in the code that was found: a node, a list of nodes or a name."""
Way = tuple[tuple[ast.AST, str, int | None], ...]
"""From a tree to one node in it: each step is a node, its field and, where this is a list, the place in it."""
Body = list[ast.stmt] | list[ast.match_case]

MARK = "placeholder_"
ANYTHING = MARK + "_"
TEXT_OR_PLACEHOLDER = re.compile(r"""("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')|\$(\w+)""")
STATEMENTS, ARGUMENTS = "the statements of ...", "the arguments of ..."
UNCOMPARED = frozenset({"ctx", "kind", "type_comment"})


@dataclass(frozen=True, slots=True)
class Found:
    """One place at which a pattern fits."""

    way: Way
    length: int
    """How many nodes of a list it covers."""
    bound: Bound


# --- patterns -------------------------------------------------------------------------------------------------------


def parsed(text: str) -> Body:
    """A pattern, or what it becomes, as nodes. Raises SyntaxError."""
    text = textwrap.dedent(text).strip("\n")
    plain = TEXT_OR_PLACEHOLDER.sub(lambda found: found[1] or MARK + found[2], text)
    if not plain.startswith("case "):
        return ast.parse(plain).body
    (match,) = ast.parse("match _:\n" + textwrap.indent(plain, " ")).body
    assert isinstance(match, ast.Match)
    return match.cases


def places(pattern: Body, tree: ast.AST, to: Way = ()) -> list[Found]:
    """All places below the tree at which the pattern fits, in the order of the source. `to` leads to the tree."""
    found = []
    single = _as_expression(pattern)
    for way in ways(tree, to):
        owner, field, index = way[-1]
        value, bound = getattr(owner, field), Bound()
        node = value if index is None else value[index]
        length = 1 if single else len(pattern)
        if _fits(single, node, bound) if single else index is not None and _fit(pattern, value[index:], bound):
            found.append(Found(way, length, bound))
    return found


def _as_expression(pattern: Body) -> ast.expr | None:
    if len(pattern) == 1 and isinstance(pattern[0], ast.Expr):
        return pattern[0].value
    return None


def ways(tree: ast.AST, way: Way = ()) -> Iterator[Way]:
    """To all nodes below, in the order of the source."""
    for field, value in ast.iter_fields(tree):
        for index, node in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if isinstance(node, ast.AST):
                step = (*way, (tree, field, index))
                yield step
                yield from ways(node, step)


def node_at(way: Way) -> Any:
    owner, field, index = way[-1]
    return getattr(owner, field) if index is None else getattr(owner, field)[index]


def _fit(pattern: Body, nodes: list[Any], bound: Bound) -> bool:
    """Whether a list begins with the pattern."""
    return len(pattern) <= len(nodes) and all(_fits(*each, bound) for each in zip(pattern, nodes, strict=False))


def _fits(pattern: Any, node: Any, bound: Bound) -> bool:
    match pattern:
        case ast.Name(id=name) if name.startswith(MARK):
            return isinstance(node, ast.expr) and _bind(bound, name, node)
        case ast.Call(args=[ast.Constant(value=value), *_]) if value is ...:
            return isinstance(node, ast.Call) and _call_fits(pattern, node, bound)
        case ast.AST():
            return type(pattern) is type(node) and all(
                _fits(getattr(pattern, field), getattr(node, field), bound)
                for field in pattern._fields
                if field not in UNCOMPARED and not _is_open(pattern, field, node, bound)
            )
        case list():
            return len(pattern) == len(node) and _fit(pattern, node, bound)
        case str() if pattern.startswith(MARK):
            return isinstance(node, str) and _bind(bound, pattern, node)
        case _:
            return type(pattern) is type(node) and bool(pattern == node)


def _bind(bound: Bound, name: str, value: Any) -> bool:
    value = value.id if isinstance(value, ast.Name) else value
    return name == ANYTHING or _fits(bound.setdefault(name, value), value, {})


def _is_dots(node: Any) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and node.value.value is ...


def _is_open(pattern: ast.AST, field: str, node: ast.AST, bound: Bound) -> bool:
    """Whether the pattern leaves open what is there: `...` for a body, and no word of an `else`."""
    body = getattr(pattern, "body", None)
    if not isinstance(body, list) or len(body) != 1 or not _is_dots(body[0]):
        return False
    if field == "body" or (field == "orelse" and not getattr(pattern, field)):
        bound[STATEMENTS + field] = getattr(node, field)
        return True
    return False


def _call_fits(pattern: ast.Call, node: ast.Call, bound: Bound) -> bool:
    named = {keyword.arg: keyword.value for keyword in node.keywords}
    if not _fits(pattern.func, node.func, bound):
        return False
    for keyword in pattern.keywords:
        if keyword.arg not in named or not _fits(keyword.value, named.pop(keyword.arg), bound):
            return False
    bound[ARGUMENTS] = (node.args, [each for each in node.keywords if each.arg in named])
    return len(pattern.args) == 1


# --- changes --------------------------------------------------------------------------------------------------------


def replace(found: Found, becomes: str) -> None:
    """Raises ValueError where an expression shall become statements and is not a statement of its own."""
    new = _filled(becomes, found.bound)
    owner, field, index = found.way[-1]
    is_statement = isinstance(getattr(owner, field), list) and field in {"body", "orelse", "finalbody", "cases"}
    expression = _as_expression(new)
    if not is_statement and expression is not None:
        if index is None:
            setattr(owner, field, expression)
        else:
            getattr(owner, field)[index] = expression
        return
    way = found.way if is_statement else found.way[:-1]
    if not is_statement and not isinstance(owner, ast.Expr):
        raise ValueError("an expression inside of a statement cannot become statements")
    _splice(way, found.length, new)


def insert(found: Found, code: str, *, behind: bool) -> None:
    """Statements before or behind the innermost statement that holds what was found."""
    way = found.way
    while not isinstance(node_at(way), ast.stmt):
        way = way[:-1]
    owner, field, index = way[-1]
    assert index is not None
    at = index + (found.length if way is found.way else 1) if behind else index
    _splice((*way[:-1], (owner, field, at)), 0, _filled(code, found.bound))


def _splice(way: Way, length: int, new: Body) -> None:
    owner, field, index = way[-1]
    nodes = getattr(owner, field)
    assert index is not None
    nodes[index : index + length] = new
    if not nodes and field == "body" and not isinstance(owner, ast.Module):
        nodes.append(ast.Pass())


def _filled(code: str, bound: Bound) -> Body:
    module = ast.Module(body=list[Any](parsed(code)), type_ignores=[])
    filled: Body = _Filling(bound).visit(module).body
    return filled


class _Filling(ast.NodeTransformer):
    """Puts what was found in the place of placeholders and dots."""

    def __init__(self, bound: Bound) -> None:
        self._bound = bound

    def visit(self, node: ast.AST) -> Any:
        if isinstance(node, ast.Name) and node.id.startswith(MARK):
            value = self._value(node.id)
            return ast.Name(value) if isinstance(value, str) else value
        if _is_dots(node) and STATEMENTS + "body" in self._bound:
            return deepcopy(self._bound[STATEMENTS + "body"])
        opens = isinstance(getattr(node, "body", None), list) and any(map(_is_dots, getattr(node, "body", ())))
        node = self.generic_visit(node)
        if opens and not getattr(node, "orelse", True):
            node.orelse = deepcopy(self._bound.get(STATEMENTS + "orelse", []))  # type: ignore[attr-defined]
        return node

    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        if isinstance(node, ast.Call) and ARGUMENTS in self._bound:
            _with_arguments(node, *deepcopy(self._bound[ARGUMENTS]))
        for field, value in ast.iter_fields(node):
            if isinstance(value, str) and value.startswith(MARK):
                setattr(node, field, self._value(value))
        return node

    def _value(self, name: str) -> Any:
        if name not in self._bound:
            raise ValueError(f"${name.removeprefix(MARK)} stands for nothing: what is looked for does not have it")
        return deepcopy(self._bound[name])


def _with_arguments(call: ast.Call, arguments: list[ast.expr], keywords: list[ast.keyword]) -> None:
    if any(isinstance(each, ast.Constant) and each.value is ... for each in call.args):
        call.args, call.keywords = arguments, [*keywords, *call.keywords]
