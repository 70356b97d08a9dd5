"""Layers as documents, and back. Pure. A document for a layer, and one for each version, as of functions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from .as_documents import understanding
from .documents import Document, Name
from .layers import Layer, LayerVersion
from .model import Package, ResourcePolicy
from .names import Home

LAYER = "layer"
LAYER_VERSION = "layer version"


def changes(before: Layer | None, after: Layer) -> tuple[dict[Name, Document], list[Name]]:
    """The documents to store and to delete, so that the store changes from `before` to `after`."""
    old = {version.number: version for version in before.versions} if before else {}
    new = {version.number: version for version in after.versions}
    puts: dict[Name, Document] = {
        (LAYER_VERSION, f"{after.name}:{number}"): asdict(version)
        for number, version in new.items()
        if version is not old.get(number)
    }
    puts[LAYER, after.name] = {"name": after.name, "last_number": after.last_number}
    return puts, [(LAYER_VERSION, f"{after.name}:{number}") for number in old if number not in new]


def layers(documents: Mapping[str, Document], versions: Mapping[str, Document], here: Home) -> dict[str, Layer]:
    """Every layer, by name. Raises UnusableState for a document that this version does not understand."""
    numbered: dict[str, list[LayerVersion]] = {}
    for key, document in versions.items():
        with understanding(LAYER_VERSION, key):
            numbered.setdefault(key.rpartition(":")[0], []).append(_version(document))
    found: dict[str, Layer] = {}
    for name, document in documents.items():
        with understanding(LAYER, name):
            ascending = sorted(numbered.get(name, []), key=lambda version: version.number)
            found[name] = Layer(document["name"], here.layer_arn(name), tuple(ascending), document["last_number"])
    return found


def _version(document: Document) -> LayerVersion:
    policy = document["policy"]
    read = {
        **document,
        "package": Package(**document["package"]),
        "policy": ResourcePolicy(tuple(policy["statements"]), policy["revision"]) if policy else None,
    }
    return LayerVersion(**read)
