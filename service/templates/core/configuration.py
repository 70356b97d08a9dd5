"""What was taken of a template, as a document of our own configuration: what comes after is the loader. Pure.

Every value stands where the template has it, so the loader's problems point there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ....config.nodes import Node, plain
from .model import TemplateFunction, TemplateMapping
from .values import TemplateValue, node_of


@dataclass(frozen=True, slots=True)
class ReadyFunction:
    """A function whose code is on this machine. Paths are absolute."""

    function: TemplateFunction
    runtime: str
    code: str
    layers: tuple[str, ...] = ()


def document(functions: Sequence[ReadyFunction], mappings: Sequence[TemplateMapping], region: str = "") -> Node:
    """The configuration. `region`: one that the project names, and nobody else."""
    members = {
        "functions": Node({each.function.name: _function(each) for each in functions}, ""),
        "mappings": Node({each.name: _mapping(each) for each in mappings}, ""),
    }
    if region:
        members["aws"] = Node({"region": Node(region, "samconfig.toml")}, "samconfig.toml")
    return Node(members, "")


def _function(ready: ReadyFunction) -> Node:
    given = ready.function
    spot = given.spot

    def here(value: str | list[Node]) -> Node:
        return Node(value, spot.file, spot.line)

    members = {"runtime": here(ready.runtime), "code": here(ready.code)}
    if given.handler:
        members["handler"] = here(given.handler)
    for key, value in (("timeout", given.timeout), ("memory_size", given.memory_size)):
        if value is not None and value.held is not None:
            members[key] = node_of(value)
    if ready.layers:
        members["layers"] = here([here(layer) for layer in ready.layers])
    if given.role.startswith("arn:"):
        members["role"] = here(given.role)
    if given.environment:
        variables: dict[str, Node] = {key: _text(value) for key, value in given.environment.items()}
        members["environment"] = Node(variables, spot.file, spot.line)
    return Node(dict(members), spot.file, spot.line)


def _text(value: TemplateValue) -> Node:
    return Node(str(value.held), value.spot.file, value.spot.line)


def _mapping(given: TemplateMapping) -> Node:
    members = {key: node_of(value) for key, value in given.fields.items()}
    return Node(members, given.spot.file, given.spot.line)


def written(tree: Node) -> dict[str, object]:
    """The document as plain data for a file: dollar signs are doubled, which a file's readers take for one."""
    found = _escaped(plain(tree))
    assert isinstance(found, dict)
    return found


def _escaped(value: object) -> object:
    match value:
        case str():
            return value.replace("$", "$$")
        case list():
            return [_escaped(each) for each in value]
        case dict():
            return {key: _escaped(each) for key, each in value.items()}
        case _:
            return value


def with_paths(tree: Mapping[str, object], paths: Mapping[str, str]) -> dict[str, object]:
    """A function of written data with other paths."""
    changed = dict(tree)
    changed["code"] = paths.get(str(changed["code"]), changed["code"])
    layers = changed.get("layers")
    if isinstance(layers, list):
        changed["layers"] = [paths.get(str(each), each) for each in layers]
    return changed
