"""The house: its rooms, what each imports, how large each is, and the rules that hold them apart.

A room is a package: a directory of modules. The rules, each with what the script says when one is broken:

    an arrow that runs up      config <- dispatch <- pollers <- service; inside of service the order of ROOMS
    a cycle                    packages that import each other, directly or through others
    a concrete class           of the layers below, service/wiring alone imports what implements a protocol
    a class name twice         but for those of TWICE, each with its reason
    a branch on the kind       of source, outside of the places that each kind has (`kinds.py` says which they are)

    house.py           prints the rooms and what is broken; ends with 1 when something is
    house.py --quiet   prints only what is broken
"""

from __future__ import annotations

import ast
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import kinds

ROOT = Path(__file__).resolve().parent.parent
LAYERS = ("config", "dispatch", "pollers", "service")
ROOMS = ("telemetry", "control", "running", "async_invoke", "api", "templates", "wiring", "testing", "cli")
TWICE: Mapping[str, str] = {}
"""Class names that exist twice, at most five, each with the reason."""

CONCRETE = ("dispatch/destinations", "dispatch/invokers", "pollers")
"""Folders below service of what implements a protocol …"""
LONGEST = 450
"""Lines of a file at most."""
SEAMS = frozenset(
    {
        "dispatch/destinations/base",
        "dispatch/destinations/channels",
        "dispatch/destinations/persistence",
        "dispatch/invokers/base",
        "dispatch/invokers/core/answers",
        "dispatch/invokers/tracing",
        "pollers/checkpoints/store",
        "pollers/core/lifecycle",
        "pollers/core/mark",
        "pollers/core/wish",
        "pollers/positions",
        "pollers/replay/core/bounds",
        "pollers/replay/core/plan",
        "pollers/source",
        "pollers/supervisor",
        "pollers/wrapped",
    }
)
"""… and what of them is for everybody."""

Module = tuple[str, ...]
"""A module or package of the product: `("dispatch", "core", "model")`."""


@dataclass(frozen=True, slots=True)
class Import:
    module: Module
    """Who imports."""
    line: int
    target: Module
    """The module that is imported, or the package whose `__init__` is."""


@dataclass(frozen=True, slots=True)
class House:
    """The product's sources, parsed."""

    trees: Mapping[Module, ast.Module]
    packages: frozenset[Module]
    sizes: Mapping[Module, int]
    """Lines by module."""

    @classmethod
    def read(cls, root: Path) -> House:
        trees, packages, sizes = dict[Module, ast.Module](), set[Module](), dict[Module, int]()
        for path in sorted(path for layer in LAYERS for path in (root / layer).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            module = parts[:-1] if parts[-1] == "__init__" else parts
            text = path.read_text()
            trees[module], sizes[module] = ast.parse(text, str(path)), text.count("\n")
            if parts[-1] == "__init__":
                packages.add(module)
        return cls(trees, frozenset(packages), sizes)

    def package(self, module: Module) -> Module:
        """The room that a module lies in; a package lies in itself."""
        return module if module in self.packages else module[:-1]

    def path(self, module: Module) -> str:
        return "/".join(module) + ("/__init__.py" if module in self.packages else ".py")

    def imports(self) -> Iterator[Import]:
        """Every import of the product by the product, those inside of functions too."""
        for module, tree in self.trees.items():
            for node in ast.walk(tree):
                if isinstance(node, ast.ImportFrom) and node.level:
                    for target in self._targets(module, node):
                        yield Import(module, node.lineno, target)

    def _targets(self, module: Module, node: ast.ImportFrom) -> set[Module]:
        package = self.package(module)
        base = package[: len(package) - node.level + 1] + (tuple(node.module.split(".")) if node.module else ())
        return {(*base, each.name) if (*base, each.name) in self.trees else base for each in node.names}

    def arrows(self) -> dict[Module, Counter[Module]]:
        """From each package to the packages that it imports, with how often."""
        found: dict[Module, Counter[Module]] = defaultdict(Counter)
        for each in self.imports():
            source, target = self.package(each.module), self.package(each.target)
            if source != target:
                found[source][target] += 1
        return found


# --- what is broken ---------------------------------------------------------------------------------------------------


def rank(module: Module) -> tuple[int, int]:
    """The place in the order of layers and rooms. What lies in service beside the rooms is above all of them."""
    layer = LAYERS.index(module[0])
    inside = module[1] if module[0] == "service" and module[1:] else ""
    return layer, ROOMS.index(inside) if inside in ROOMS else len(ROOMS)


def arrows_that_run_up(house: House) -> Iterator[str]:
    for each in house.imports():
        if rank(each.target) > rank(each.module):
            yield f"{house.path(each.module)}:{each.line} imports {house.path(each.target)}, which is above it"


def rooms_without_a_place(house: House) -> Iterator[str]:
    for module in sorted(house.trees):
        if module[0] == "service" and module[1:] and module[1] not in ROOMS:
            yield f"{house.path(module)} is in no room of service: {', '.join(ROOMS)}"


def concrete_classes(house: House) -> Iterator[str]:
    for each in house.imports():
        target = "/".join(each.target)
        outside = each.module[0] == "service" and each.module[1:2] != ("wiring",)
        if outside and target.startswith(CONCRETE) and target not in SEAMS:
            yield f"{house.path(each.module)}:{each.line} imports {target}, which wiring alone may know"


def cycles(house: House) -> Iterator[str]:
    arrows = house.arrows()
    for knot in knots(arrows):
        said = [
            f"{'/'.join(source)} -> {'/'.join(target)} ({arrows[source][target]})"
            for source in knot
            for target in knot
            if target in arrows[source]
        ]
        yield f"a cycle of packages: {'; '.join(said)}"


def knots(arrows: Mapping[Module, Iterable[Module]]) -> list[list[Module]]:
    """The sets of packages each of which reaches all others of its set."""
    reached = {source: reachable(arrows, source) for source in arrows}
    found: dict[frozenset[Module], list[Module]] = {}
    for source in sorted(arrows):
        knot = sorted(each for each in reached[source] if source in reached.get(each, ()))
        if knot:
            found.setdefault(frozenset(knot), knot)
    return list(found.values())


def reachable(arrows: Mapping[Module, Iterable[Module]], source: Module) -> set[Module]:
    found, ahead = set[Module](), [source]
    while ahead:
        for target in arrows.get(ahead.pop(), ()):
            if target not in found:
                found.add(target)
                ahead.append(target)
    return found


def class_names_twice(house: House) -> Iterator[str]:
    """A leading underscore makes no other name."""
    places: dict[str, list[str]] = defaultdict(list)
    for module, tree in house.trees.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                places[node.name.lstrip("_")].append(f"{house.path(module)}:{node.lineno}")
    for name, found in sorted(places.items()):
        if len(found) > 1 and name not in TWICE:
            yield f"the class name {name} exists {len(found)} times: {', '.join(found)}"
    yield from (f"TWICE names {name}, which exists once" for name in TWICE if len(places[name]) < 2)


def branches_on_the_kind(house: House) -> Iterator[str]:
    for path, line, what in kinds.branches({house.path(module): tree for module, tree in house.trees.items()}):
        yield f"{path}:{line} branches on the kind of source: it {what}"


def long_files(house: House) -> Iterator[str]:
    for module, size in sorted(house.sizes.items()):
        if size > LONGEST:
            yield f"{house.path(module)} has {size} lines, more than {LONGEST}: it is about more than one thing"


def faults(house: House) -> list[str]:
    checks = (
        rooms_without_a_place,
        arrows_that_run_up,
        concrete_classes,
        cycles,
        class_names_twice,
        branches_on_the_kind,
        long_files,
    )
    return [fault for check in checks for fault in check(house)]


# --- the plan ---------------------------------------------------------------------------------------------------------


def plan(house: House) -> Iterator[str]:
    """A line for each package: modules, lines, and what it imports from other rooms."""
    arrows = house.arrows()
    yield f"{'room':<34} {'modules':>7} {'lines':>6}  imports"
    for package in sorted(house.packages, key=lambda each: (rank(each), each)):
        inside = [module for module in house.trees if house.package(module) == package]
        lines = sum(house.sizes[module] for module in inside)
        targets = ", ".join("/".join(each) for each in sorted(arrows[package], key=lambda each: (rank(each), each)))
        yield f"{'/'.join(package):<34} {len(inside):>7} {lines:>6}  {targets}"


def totals(house: House) -> Iterator[str]:
    """The lines of each layer, and of each room of service."""
    lines: Counter[str] = Counter()
    for module, size in house.sizes.items():
        lines[module[0]] += size
        if module[0] == "service" and module[1:]:
            lines[f"service/{module[1]}"] += size
    yield "lines: " + ", ".join(f"{name} {number}" for name, number in lines.items())


def main() -> int:
    house = House.read(ROOT)
    found = faults(house)
    if "--quiet" not in sys.argv[1:]:
        print(*plan(house), "", *totals(house), "", sep="\n")
    print(*found, sep="\n", end="\n" if found else "")
    print(f"house: {len(house.packages)} rooms, {len(house.trees)} modules, {len(found)} faults")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
