"""Whether a module only decides: found in its syntax tree, by what it uses and not only by what it imports.

Pure is what gives the same for the same arguments, and changes nothing but its own values: no IO, no clock, no
randomness, no event loop, no log. `datetime` may be imported, `datetime.now` may not be used; a `Clock` that is handed
in is a clock. What is not known here is not pure: a module that is new to the pure part is added to one of the tables.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

PURE_MODULES = frozenset(
    {
        "__future__",
        "abc",
        "array",
        "base64",
        "binascii",
        "bisect",
        "collections",
        "copy",
        "dataclasses",
        "decimal",
        "difflib",
        "enum",
        "fastavro",
        "functools",
        "google",
        "hashlib",
        "heapq",
        "hmac",
        "ipaddress",
        "itertools",
        "json",
        "jsonschema",
        "keyword",
        "math",
        "operator",
        "orjson",
        "pybase64",
        "pydantic",
        "pydantic_core",
        "re",
        "referencing",
        "string",
        "struct",
        "types",
        "typing",
        "unicodedata",
        "urllib.parse",
        "zlib",
    }
)
"""Modules of which everything is pure, with what lies in them."""
PURE_PARTS: Mapping[str, frozenset[str]] = {
    "contextlib": frozenset({"AbstractContextManager", "ExitStack", "contextmanager", "nullcontext", "suppress"}),
    "datetime": frozenset({"UTC", "date", "datetime", "time", "timedelta", "timezone", "tzinfo"}),
    "email.utils": frozenset({"parsedate_to_datetime"}),
    "pathlib": frozenset({"PurePath", "PurePosixPath"}),
    "uuid": frozenset({"NAMESPACE_DNS", "NAMESPACE_OID", "NAMESPACE_URL", "UUID", "uuid3", "uuid5"}),
}
"""Of these modules, only this."""
IMPURE_PARTS = frozenset(
    {
        *("collections.abc." + name for name in ("AsyncGenerator", "AsyncIterable", "AsyncIterator", "Awaitable")),
        *("collections.abc." + name for name in ("Coroutine",)),
        "datetime.date.today",
        "datetime.datetime.now",
        "datetime.datetime.today",
        "datetime.datetime.utcnow",
        "json.dump",
        "json.load",
    }
)
"""What is not pure of what else is."""
IMPURE_BUILTINS = frozenset({"__import__", "breakpoint", "eval", "exec", "input", "open", "print"})
CLOCKS = frozenset({"current_time", "monotonic", "perf_counter", "wall"})
"""What clocks that are handed in are asked by. A moment that is handed in has such fields, and is not called."""
LOCAL_TIME = {"fromtimestamp": 2, "astimezone": 1}
"""Methods that follow the time zone of the machine where they have fewer arguments."""
PATHS = frozenset(
    {
        *("absolute", "chmod", "cwd", "exists", "expanduser", "glob", "home", "is_dir", "is_file", "iterdir", "lstat"),
        *("mkdir", "open", "read_bytes", "read_text", "readlink", "resolve", "rglob", "rmdir", "samefile", "stat"),
        *("symlink_to", "touch", "unlink", "write_bytes", "write_text"),
    }
)
"""What a path of a file system does beside being a name."""


@dataclass(frozen=True, slots=True)
class Impurity:
    line: int
    what: str


def impurities(tree: ast.Module, *, types: bool = False) -> list[Impurity]:
    """What is not pure in a module, by line. `types`: it is looked at for the types that pure modules take from it.
    Then it may declare protocols that wait, and name paths, as long as it does nothing with them."""
    known = names(tree)
    found = [*_imports(tree, known, types=types), *_waits(tree, types=types), *_uses(tree, known)]
    if types and "pathlib.Path" in known.values():
        found += _paths(tree)
    return sorted(set(found), key=lambda each: (each.line, each.what))


def at_run_time(tree: ast.AST) -> Iterator[ast.AST]:
    """Every node but those that type checkers alone look at."""
    yield tree
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.If) and ast.unparse(child.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}:
            continue
        yield from at_run_time(child)


def names(tree: ast.Module) -> dict[str, str]:
    """What each name that is imported from elsewhere stands for, those of functions too."""
    found: dict[str, str] = {}
    for node in at_run_time(tree):
        if isinstance(node, ast.Import):
            for each in node.names:
                found[each.asname or each.name.partition(".")[0]] = (
                    each.name if each.asname else each.name.partition(".")[0]
                )
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found |= {each.asname or each.name: f"{node.module}.{each.name}" for each in node.names}
    return found


def _imports(tree: ast.Module, known: Mapping[str, str], *, types: bool) -> Iterator[Impurity]:
    for node in at_run_time(tree):
        if isinstance(node, ast.Import):
            imported = [each.name for each in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            imported = [f"{node.module}.{each.name}" for each in node.names]
        else:
            continue
        whole = isinstance(node, ast.Import)
        yield from (Impurity(node.lineno, each) for each in imported if not _may_be_imported(each, types, whole=whole))


def _may_be_imported(name: str, types: bool, *, whole: bool) -> bool:
    if types and name == "pathlib.Path":
        return True
    return is_pure(name) or (whole and name in PURE_PARTS)


def is_pure(name: str) -> bool:
    """Whether something of another module, by its full name, is known to be pure."""
    if name in IMPURE_PARTS:
        return False
    for module, parts in PURE_PARTS.items():
        if name.startswith(f"{module}."):
            return name.removeprefix(f"{module}.").partition(".")[0] in parts
    return any(name == module or name.startswith(f"{module}.") for module in PURE_MODULES)


def _waits(tree: ast.Module, *, types: bool) -> Iterator[Impurity]:
    for node in at_run_time(tree):
        match node:
            case ast.AsyncFunctionDef() if not (types and _only_declares(node)):
                yield Impurity(node.lineno, f"async def {node.name}")
            case ast.Await() | ast.AsyncFor() | ast.AsyncWith():
                yield Impurity(node.lineno, "await")
            case ast.comprehension(is_async=1):
                yield Impurity(node.target.lineno, "await")


def _only_declares(function: ast.AsyncFunctionDef) -> bool:
    return all(isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant) for each in function.body)


def _uses(tree: ast.Module, known: Mapping[str, str]) -> Iterator[Impurity]:
    for node in at_run_time(tree):
        match node:
            case ast.Attribute():
                full = _full_name(node, known)
                if full is not None and not is_pure(full):
                    yield Impurity(node.lineno, full)
            case ast.Call(func=ast.Name(id=name)) if name in IMPURE_BUILTINS and name not in known:
                yield Impurity(node.lineno, name)
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)) if name.lstrip("_") == "jitter":
                yield Impurity(node.lineno, "jitter()")
            case ast.Call(func=ast.Attribute(attr=name)) if name in CLOCKS:
                yield Impurity(node.lineno, f"{name}()")
            case ast.Call(func=ast.Attribute(attr=name)) if _given(node) < LOCAL_TIME.get(name, 0):
                yield Impurity(node.lineno, f"{name}() in local time")


def _given(call: ast.Call) -> int:
    return len(call.args) + len(call.keywords)


def _full_name(node: ast.Attribute, known: Mapping[str, str]) -> str | None:
    """`datetime.datetime.now` for `datetime.now`, where that is what it stands for."""
    parts = [node.attr]
    value = node.value
    while isinstance(value, ast.Attribute):
        parts.append(value.attr)
        value = value.value
    if not isinstance(value, ast.Name) or value.id not in known:
        return None
    full = ".".join([known[value.id], *reversed(parts)])
    return full if full not in PURE_PARTS else None  # `email.utils` of `email.utils.…`, which is looked at as well


def _paths(tree: ast.Module) -> Iterator[Impurity]:
    for node in at_run_time(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in PATHS:
            yield Impurity(node.lineno, f"{node.func.attr}()")
