"""Compares a configuration that was read again with the one at work. Pure.

    the configuration at work ──┐
                                ├──► compare ──► what is added, removed, changed, renamed, kept; what needs a restart
    the one that was read ──────┘

A mapping is the same one as long as its UUID is: another name with the same UUID is a rename, and keeps positions. One
whose function changed is opened anew too. `running/reload.py` carries it out.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from ....config.function import AnyFunction
from ....config.mapping import EventSourceMapping

IDENTITY = "aws"
"""The section by which mappings get their UUIDs, and clients their endpoints."""


@dataclass(frozen=True, slots=True)
class Defined:
    """A configuration, as far as it is compared."""

    settings: Mapping[str, object]
    """By section."""
    functions: Mapping[str, AnyFunction]
    mappings: Mapping[str, EventSourceMapping]
    directory: Callable[[EventSourceMapping], PurePath]
    """Where the files lie that a mapping names."""


@dataclass(frozen=True, slots=True)
class PartChanges:
    """The differences, by name, in the order of the newer configuration."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()

    @property
    def any(self) -> bool:
        return bool(self.added or self.removed or self.changed)

    @property
    def other(self) -> tuple[str, ...]:
        """All that is not as it was."""
        return (*self.added, *self.changed, *self.removed)


@dataclass(frozen=True, slots=True)
class ConfigChanges:
    """From one configuration to the next."""

    mappings: PartChanges = PartChanges()
    """`changed` has the renamed ones too, by their new names, and those whose function changed."""
    functions: PartChanges = PartChanges()
    renamed: tuple[tuple[str, str], ...] = ()
    """Old and new name of mappings."""
    settings: tuple[str, ...] = ()
    """Sections of which another value takes a restart."""

    @property
    def any(self) -> bool:
        """Whether something is to be done."""
        return self.mappings.any or self.functions.any

    @property
    def refused(self) -> bool:
        """Whether nothing of it may be taken before a restart: mappings would have other UUIDs."""
        return IDENTITY in self.settings

    def as_plain(self) -> dict[str, Any]:
        """For answers: without the names of what is kept, which may be many."""
        return {
            "mappings": _plain(self.mappings),
            "functions": _plain(self.functions),
            "renamed": [{"from": before, "to": after} for before, after in self.renamed],
            "needs_restart": list(self.settings),
        }

    @property
    def text(self) -> str:
        """In one line for people."""
        parts = [f"{what} {_told(each)}" for what, each in (("mappings", self.mappings), ("functions", self.functions))]
        parts += [f"renamed {', '.join(f'{before} to {after}' for before, after in self.renamed)}"] * bool(self.renamed)
        return "; ".join(parts)


def compare(before: Defined, after: Defined) -> ConfigChanges:
    functions = _of(before.functions, after.functions, lambda name: before.functions[name] == after.functions[name])
    old = {mapping.uuid: mapping for mapping in before.mappings.values()}
    new = {mapping.uuid: mapping for mapping in after.mappings.values()}
    other = {*functions.added, *functions.changed, *functions.removed}

    def same(uuid: str) -> bool:
        stays = before.directory(old[uuid]) == after.directory(new[uuid])
        return old[uuid] == new[uuid] and stays and new[uuid].function_name not in other

    found = _of(old, new, same)
    mappings = PartChanges(
        added=_names(found.added, new),
        removed=_names(found.removed, old),
        changed=_names(found.changed, new),
        kept=_names(found.kept, new),
    )
    renamed = tuple((old[uuid].name, new[uuid].name) for uuid in found.changed if old[uuid].name != new[uuid].name)
    return ConfigChanges(mappings, functions, renamed, _sections(before.settings, after.settings))


def _of(before: Collection[str], after: Collection[str], same: Callable[[str], bool]) -> PartChanges:
    return PartChanges(
        added=tuple(each for each in after if each not in before),
        removed=tuple(each for each in before if each not in after),
        changed=tuple(each for each in after if each in before and not same(each)),
        kept=tuple(each for each in after if each in before and same(each)),
    )


def _names(uuids: tuple[str, ...], mappings: Mapping[str, EventSourceMapping]) -> tuple[str, ...]:
    return tuple(mappings[uuid].name for uuid in uuids)


def _sections(before: Mapping[str, object], after: Mapping[str, object]) -> tuple[str, ...]:
    return tuple(name for name in after if after[name] != before[name])


def _plain(changes: PartChanges) -> dict[str, Any]:
    return {
        "added": list(changes.added),
        "removed": list(changes.removed),
        "changed": list(changes.changed),
        "kept": len(changes.kept),
    }


def _told(changes: PartChanges) -> str:
    counts = [f"{len(names)} {what}" for what, names in _kinds(changes) if names]
    return ", ".join(counts) or "none"


def _kinds(changes: PartChanges) -> tuple[tuple[str, tuple[str, ...]], ...]:
    return (
        ("added", changes.added),
        ("removed", changes.removed),
        ("changed", changes.changed),
        ("kept", changes.kept),
    )
