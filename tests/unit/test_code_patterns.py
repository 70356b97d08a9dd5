"""What a pattern of code finds, and what it becomes."""

from __future__ import annotations

import ast

import pytest

from support.code_patterns import insert, parsed, places, replace


def found(pattern: str, code: str) -> int:
    return len(places(parsed(pattern), ast.parse(code)))


def changed(pattern: str, code: str, becomes: str) -> str:
    tree = ast.parse(code)
    (place,) = places(parsed(pattern), tree)
    replace(place, becomes)
    return ast.unparse(tree)


@pytest.mark.parametrize(
    ("pattern", "code", "count"),
    [
        ("a + b", "x = (a  +\n  b) # sum", 1),
        ("a + b", "x = b + a", 0),
        ("'text'", 'x = "text"', 1),
        ("1", "x = True", 0),
        ("$x + 1", "a + 1; b.c(d) + 1; e + 2", 2),
        ("$x + $x", "a.b + a.b; a + b", 1),
        ("$_ + $_", "a + b", 1),
        ("$x.kind = $y", "self.part.kind = old.kind", 1),
        ("$x = $x or 1", "a = a or 1", 1),
        ("self.$parts.append(part)", "self._parts.append(part); self.parts.extend(part)", 1),
        ("f($key=1)", "f(a=1)", 1),
        ("def $name($a): ...", "def f(x):\n    return x", 1),
        ("f('$x')", "f('$x')", 1),
        ("f('$x')", "f('y')", 0),
        ("a()\nb()", "a()\nb()\nc()\na()\nc()", 1),
        ("if $x: ...", "if a:\n    b()\nelif c:\n    d()\nelse:\n    e()", 2),
        ("if $x: ...\nelse: e()", "if a:\n    b()\nelif c:\n    d()\nelse:\n    e()", 1),
        ("if a: b()", "if a:\n    b()\nelse:\n    c()", 0),
        ("...", "class P:\n    def f(self): ...", 1),
        ("case A() | B(): ...", "match x:\n    case A() | B():\n        f()\n    case C():\n        g()", 1),
        ("case A(x=$x) if $x > 1: ...", "match x:\n    case A(x=y) if y > 1:\n        f()", 1),
        ("f(..., c=$x)", "f(a, b=1, c=2); f(c=1); f(a, 1); f(**c); g(c=1)", 2),
        ("await $x", "async def f():\n    await g()", 1),
    ],
)
def test_a_pattern_fits_by_structure(pattern: str, code: str, count: int) -> None:
    assert found(pattern, code) == count


def test_places_are_in_the_order_of_the_source() -> None:
    assert [
        place.bound["placeholder_x"] for place in places(parsed("f($x)"), ast.parse("f(a)\nif f(b): f(c)\nf(d)"))
    ] == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("pattern", "code", "becomes", "result"),
    [
        ("$x > $y", "f(a.b > c)", "$y >= $x", "f(c >= a.b)"),
        ("$parts.append($x)", "self._q.append(1)", "$parts.appendleft($x)", "self._q.appendleft(1)"),
        ("self.$parts.append", "self._q.append(1)", "self.$parts.pop", "self._q.pop(1)"),
        ("$x = 1", "a.b = 1", "$x += 2", "a.b += 2"),
        ("f($x)", "y = f(a)\nz = 1", "g(lambda: $x)", "y = g(lambda: a)\nz = 1"),
        ("f($x)", "f(a)", "g($x)\nh($x)", "g(a)\nh(a)"),
        ("a()\nb()", "a()\nb()\nc()", "b()\na()", "b()\na()\nc()"),
        ("a()", "if x:\n    a()", "", "if x:\n    pass"),
        ("b()", "if x:\n    a()\nelse:\n    b()", "", "if x:\n    a()"),
        ("if $x: ...", "if a:\n    b()\nelse:\n    c()", "if not $x: ...", "if not a:\n    b()\nelse:\n    c()"),
        ("if $x: ...", "if a:\n    b()\nelse:\n    c()", "while $x:\n    ...", "while a:\n    b()\nelse:\n    c()"),
        ("if $x: ...", "if a:\n    b()", "if $x:\n    c()\n    ...", "if a:\n    c()\n    b()"),
        ("if b: ...", "if a:\n    x()\nelif b:\n    y()", "...", "if a:\n    x()\nelse:\n    y()"),
        ("case A(): ...", "match x:\n    case A():\n        f()", "case B: ...", "match x:\n    case B:\n        f()"),
        ("f(..., c=$x)", "f(a, b=1, c=2)", "f(..., d=$x)", "f(a, b=1, d=2)"),
    ],
)  # fmt: skip
def test_what_was_found_becomes_something_else(pattern: str, code: str, becomes: str, result: str) -> None:
    assert changed(pattern, code, becomes) == result


def test_statements_are_inserted_beside_the_innermost_statement() -> None:
    code = "if a:\n    x = f(b)\n    c()"
    for behind, result in (
        (False, "if a:\n    g(b)\n    x = f(b)\n    c()"),
        (True, "if a:\n    x = f(b)\n    g(b)\n    c()"),
    ):
        tree = ast.parse(code)
        (place,) = places(parsed("f($x)"), tree)
        insert(place, "g($x)", behind=behind)
        assert ast.unparse(tree) == result
