"""The order of the layers, read from the imports themselves: config <- dispatch <- pollers <- service."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LAYERS = ("config", "dispatch", "pollers", "service")
SOURCES = sorted(path for layer in LAYERS for path in (ROOT / layer).rglob("*.py"))

# The pure core: no IO, no clock, no randomness, no asyncio, no logging.
PURE = (
    "dispatch/core/backoff.py",
    "dispatch/core/batcher.py",
    "dispatch/core/documents.py",
    "dispatch/core/events.py",
    "dispatch/core/partition_slots.py",
    "dispatch/core/model.py",
    "dispatch/core/observer.py",
    "dispatch/patterns",
    "dispatch/core/planner.py",
    "dispatch/core/policy.py",
    "dispatch/core/response.py",
    "dispatch/core/slots.py",
    "dispatch/core/steps.py",
    "dispatch/core/watermark.py",
    "dispatch/core/windows.py",
    "pollers/kinesis/core/aggregation.py",
    "pollers/core/lifecycle.py",
    "pollers/core/mark.py",
    "pollers/streams/core/lineage.py",
    "pollers/sqs/core/scaling.py",
    "pollers/schemas/core/avro.py",
    "pollers/schemas/core/json_schema.py",
    "pollers/schemas/core/model.py",
    "pollers/schemas/core/proto_text.py",
    "pollers/schemas/core/protobuf.py",
    "pollers/schemas/core/wire.py",
    "config/core",
    "config/limits.py",
    "service/api/core/recorded.py",
    "service/api/core/signatures.py",
    "service/api/core/field_support.py",
    "service/api/core/field_support_tables.py",
    "service/api/wire/call.py",
    "service/api/wire/constraints.py",
    "service/api/wire/refusals.py",
    "service/control/refusals.py",
    "config/reasons.py",
    "service/running/core/descriptor_need.py",
    "service/telemetry/core/line_backlog.py",
    "service/api/wire/printing.py",
    "service/api/wire/reading.py",
    "service/api/wire/routing.py",
    "service/api/wire/writing.py",
)
IMPURE = {
    "aiobotocore",
    "aiohttp",
    "anyio",
    "asyncio",
    "boto3",
    "botocore",
    "io",
    "logging",
    "os",
    "pathlib",
    "random",
    "secrets",
    "socket",
    "subprocess",
    "tempfile",
    "threading",
    "time",
}


OF_HTTP = {"aiohttp", "http", "multidict", "socket", "urllib", "yarl"}


def module_of(path: Path) -> tuple[str, ...]:
    """`dispatch/core/model.py` is ("headrace", "dispatch", "model"), a package is itself without `__init__`."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ("headrace", *(parts[:-1] if parts[-1] == "__init__" else parts))


def imports(path: Path) -> Iterator[tuple[int, tuple[str, ...], bool]]:
    """Line, what is imported, whether it was written as a relative import; those inside functions too."""
    package = module_of(path) if path.name == "__init__.py" else module_of(path)[:-1]
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, tuple(name.name.split(".")), False) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            base += tuple(node.module.split(".")) if node.module else ()
            yield from ((node.lineno, (*base, name.name), bool(node.level)) for name in node.names)


def layer_of(module: tuple[str, ...]) -> int | None:
    return LAYERS.index(module[1]) if module[0] == "headrace" and module[1:2] and module[1] in LAYERS else None


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_down_and_are_relative(path: Path) -> None:
    own = layer_of(module_of(path))
    assert own is not None
    for line, module, relative in imports(path):
        where = f"{path.relative_to(ROOT)}:{line} imports {'.'.join(module)}"
        assert module[0] not in (*LAYERS, "tests"), f"{where}: a plain top-level name, which a user's module may shadow"
        if module[0] == "headrace":
            target = layer_of(module)
            assert target is not None, f"{where}: no such layer"
            assert relative, f"{where}: inside the product every import is relative"
            assert target <= own, f"{where}: {LAYERS[own]} may not know {LAYERS[target]}"


@pytest.mark.parametrize("name", PURE)
def test_the_core_is_pure(name: str) -> None:
    place = ROOT / name
    paths = sorted(place.rglob("*.py")) if place.is_dir() else [place]
    assert [path.is_file() for path in paths] == [True] * (len(paths) or 1), (
        f"{name} has moved: name it anew in this list"
    )
    for path in paths:
        for line, module, _ in imports(path):
            assert module[0] not in IMPURE, (
                f"{path.relative_to(ROOT)}:{line} imports {module[0]}: it decides, nothing else"
            )


@pytest.mark.parametrize(
    "path", sorted((ROOT / "service" / "control").rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT))
)
def test_control_knows_nothing_of_http(path: Path) -> None:
    """What it refuses has a kind; the status of each kind is in service/api/wire."""
    assert not {module[0] for _, module, _ in imports(path)} & OF_HTTP
    words = {name for node in ast.walk(ast.parse(path.read_text())) for name in names(node)}
    assert not words & {"status", "headers", "status_code", "url", "host"}


def names(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name) | ast.keyword(arg=str() as name):
            yield name


def test_the_walk_sees_what_it_must(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    module = tmp_path / "dispatch" / "patterns" / "one.py"
    module.parent.mkdir(parents=True)
    module.write_text(
        "from ...service import cli\nimport os.path\nfrom . import two\n\ndef f():\n    from ..model import X\n"
    )
    assert [(line, ".".join(name), relative) for line, name, relative in imports(module)] == [
        (1, "headrace.service.cli", True),
        (2, "os.path", False),
        (3, "headrace.dispatch.patterns.two", True),
        (6, "headrace.dispatch.model.X", True),
    ]
