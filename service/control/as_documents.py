"""Functions as documents, and back. Pure.

One document for a function, and one for each published version: versions are many, large, and never change. A change
stores only the documents that differ (`changes`). A field that a document does not have has its default: the document
was stored before the field was added. So a new field of the model needs a default.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from ...config.durable.faults import UnusableState
from ...config.errors import Problem
from .documents import Document, Name
from .model import Alias, EventInvoke, Function, Package, Phase, ResourcePolicy, Version
from .names import Home

FUNCTION = "function"
VERSION = "version"


def changes(before: Function | None, after: Function | None) -> tuple[dict[Name, Document], list[Name]]:
    """The documents to store and to delete, so that the store changes from `before` to `after`."""
    function = after or before
    assert function is not None, "a change from nothing to nothing"
    name = function.name
    old = {version.number: version for version in before.versions} if before else {}
    new = {version.number: version for version in after.versions} if after else {}
    puts: dict[Name, Document] = {
        (VERSION, f"{name}:{number}"): _version(version)
        for number, version in new.items()
        if version is not old.get(number)
    }
    if after is not None:
        puts[FUNCTION, name] = _function(after)
    deletes = [(VERSION, f"{name}:{number}") for number in old if number not in new]
    return puts, deletes if after else [*deletes, (FUNCTION, name)]


def functions(documents: Mapping[str, Document], versions: Mapping[str, Document], here: Home) -> dict[str, Function]:
    """Every function, by name, in the current region and account, wherever it was created. Raises
    UnusableState for a document that this version does not understand: skipping it silently would lose its code."""
    numbered: dict[str, list[Version]] = {}
    for key, document in versions.items():
        with understanding(VERSION, key):
            numbered.setdefault(key.rpartition(":")[0], []).append(_read_version(document))
    found: dict[str, Function] = {}
    for name, document in documents.items():
        with understanding(FUNCTION, name):
            ascending = sorted(numbered.get(name, []), key=lambda version: int(version.number))
            found[name] = _read_function(document, ascending, here)
    return found


@contextmanager
def understanding(kind: str, key: str) -> Iterator[None]:
    """Raises UnusableState for what the body cannot read."""
    try:
        yield
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        what = f"this version does not understand the stored {kind} {key}: {error!r}"
        raise UnusableState([Problem(what, hint="start the version that stored it, and delete it there")]) from error


def _function(function: Function) -> Document:
    return {
        "name": function.name,
        "latest": _version(function.latest),
        "before": _version(function.before) if function.before else None,
        "last_number": function.last_number,
        "published": function.published,
        "aliases": [asdict(alias) for alias in function.aliases.values()],
        "reserved": function.reserved,
        "event_invokes": {key: asdict(each) for key, each in function.event_invokes.items()},
        "policies": {key: asdict(each) for key, each in function.policies.items()},
        "tags": function.tags,
        "recursion": function.recursion,
        "runtime_management": function.runtime_management,
    }


def _version(version: Version) -> Document:
    phase = Phase.ACTIVE if version.phase is Phase.FAILED else version.phase
    return {**asdict(version), "phase": phase.value}


def _read_function(document: Document, versions: list[Version], here: Home) -> Function:
    readers: dict[str, Callable[[Any], object]] = {
        "latest": _read_version,
        "before": lambda stored: _read_version(stored) if stored else None,
        "aliases": lambda stored: {each["name"]: Alias(**each) for each in stored},
        "event_invokes": lambda stored: {key: EventInvoke(**each) for key, each in stored.items()},
        "policies": lambda stored: {key: _read_policy(each) for key, each in stored.items()},
    }
    read = {key: readers.get(key, _as_it_is)(stored) for key, stored in document.items()}
    return Function(**{**read, "arn": here.arn(document["name"]), "versions": tuple(versions)})  # type: ignore[arg-type]


def _as_it_is(stored: Any) -> object:
    return stored


def _read_policy(document: Document) -> ResourcePolicy:
    return ResourcePolicy(tuple(document["statements"]), document["revision"])


def _read_version(document: Document) -> Version:
    read = {
        **document,
        "package": Package(**document["package"]),
        "phase": Phase(document.get("phase", Phase.ACTIVE)),
        "layers": tuple(Package(**each) for each in document.get("layers", ())),
    }
    return Version(**read)
