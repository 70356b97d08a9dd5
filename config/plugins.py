"""What a configuration asks of plug-ins: whether there is one of a name, and whether it takes its settings.

Plug-ins are found and imported elsewhere (`service/wiring/plugins.py`), because this layer loads no code of others. It
gets them as `PluginTable`, and runs their code through `Plugin.guarded` alone: a settings model that raises or hangs
makes a function that cannot start, and no configuration that cannot be read. Used by the loader and the wiring.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar
from urllib.parse import parse_qsl, urlsplit

from pydantic import BaseModel, ValidationError

from . import complaints, wanted
from .complaints import did_you_mean
from .errors import Problem
from .fields.mapping_fields import PLUGIN_SCHEME
from .fields.spoken import folded
from .function import PLUGIN_KEYS
from .nodes import Node, NodePlace, join, locate
from .reasons import Reason

T = TypeVar("T")


class Plugin(Protocol):
    """One installed plug-in, as far as a configuration needs it."""

    @property
    def title(self) -> str:
        """For messages: `plug-in 'echo' (headrace-echo 1.2)`."""
        ...

    @property
    def refusal(self) -> str:
        """Why Headrace cannot use it, with what to do; empty when it can."""
        ...

    @property
    def broken(self) -> Reason | None:
        """Why it could not be imported; None when it was, and when it is refused."""
        ...

    @property
    def settings(self) -> type[BaseModel]:
        """The model of its settings. Of a plug-in that is neither refused nor broken."""
        ...

    def guarded(self, call: Callable[[], T]) -> T | Reason:
        """What `call`, which runs code of the plug-in, returns; a reason when it raises something or does not return in
        time. A ValidationError of pydantic goes through."""
        ...


class PluginTable(Protocol):
    """The installed plug-ins of one group of entry points."""

    @property
    def names(self) -> Sequence[str]: ...

    def find(self, name: str) -> Plugin | None:
        """The plug-in of this name, imported on its first use; None when none is installed."""
        ...


@dataclass(frozen=True, slots=True)
class Plugins:
    """What is installed: kinds of function, and kinds of failure destination."""

    invokers: PluginTable
    destinations: PluginTable


@dataclass(frozen=True, slots=True)
class PluginSettings:
    """Settings that a plug-in looked at: the model, or why there is none."""

    settings: BaseModel | None = None
    broken: Reason | None = None
    """The plug-in failed: what uses it cannot start."""
    problems: tuple[Problem, ...] = ()
    """The user's: nothing starts."""
    title: str = ""
    """The plug-in's; empty where none is installed."""


_OURS = frozenset(map(folded, PLUGIN_KEYS))


def own_members(node: Node) -> Node:
    """The members of a function that every plug-in's function has."""
    return replace(node, value={key: member for key, member in _members(node) if folded(key) in _OURS})


def function_settings(plugins: Plugins | None, name: str, node: Node, place: NodePlace) -> PluginSettings:
    """The settings of a function of plug-in `name`: all members that are not ours. `place`: that of the function."""
    named = locate(node, ["plugin"], place.path)
    found = _found(plugins.invokers if plugins else None, name, "a kind of function", named)
    if isinstance(found, PluginSettings):
        return found
    theirs = replace(node, value={key: member for key, member in _members(node) if folded(key) not in _OURS})
    return _looked_at(found, theirs, place)


def destination_settings(plugins: Plugins | None, text: str, place: NodePlace) -> PluginSettings:
    """The settings of a failure destination `plugin://NAME?setting=value`."""
    found = _found(plugins.destinations if plugins else None, plugin_named(text), "a failure destination", place)
    if isinstance(found, PluginSettings):
        return found
    members = {
        key: Node(value, place.file, place.line, value)
        for key, value in parse_qsl(urlsplit(text).query, keep_blank_values=True)
    }
    looked = _looked_at(found, Node(members, place.file, place.line), place)
    return replace(looked, problems=tuple(replace(each, path=place.path) for each in looked.problems))


def plugin_named(text: str) -> str:
    """NAME of `plugin://NAME?setting=value`."""
    return text.removeprefix(PLUGIN_SCHEME).partition("?")[0]


def _members(node: Node) -> Iterator[tuple[str, Node]]:
    assert isinstance(node.value, dict)
    yield from node.value.items()


def _found(table: PluginTable | None, name: str, what: str, place: NodePlace) -> Plugin | PluginSettings:
    """The plug-in; or settings with why there is none."""
    plugin = table.find(name) if table else None
    if table is None or plugin is None:
        names = table.names if table else ()
        hint = did_you_mean(name, names) or (f"installed are {', '.join(names)}" if names else "none is installed")
        text = f"there is no plug-in {name[:64]!r} for {what}"
        return PluginSettings(
            problems=(place.problem(text, f"{hint}; install the package that has it beside Headrace"),)
        )
    if plugin.refusal:
        return PluginSettings(problems=(place.problem(f"{plugin.title} {plugin.refusal}"),), title=plugin.title)
    return PluginSettings(broken=plugin.broken, title=plugin.title) if plugin.broken else plugin


def _looked_at(plugin: Plugin, node: Node, place: NodePlace) -> PluginSettings:
    model, members = plugin.settings, dict(_members(node))
    known = list(model.model_fields)
    spelled = {*known, *(field.alias for field in model.model_fields.values() if field.alias)}
    open_to_all = model.model_config.get("extra") == "allow"
    strangers = {key for key in members if key not in spelled and not open_to_all}
    problems = [complaints.unknown_key(key, known, _place(members[key], key, place)) for key in sorted(strangers)]
    kept = replace(node, value={key: member for key, member in members.items() if key not in strangers})
    looked = PluginSettings(problems=tuple(problems), title=plugin.title)
    try:
        made = plugin.guarded(lambda: wanted.validated(model, kept))
    except ValidationError as fault:
        return replace(looked, problems=(*problems, *complaints.problems(fault, model, kept, place.path)))
    return replace(looked, broken=made) if isinstance(made, Reason) else replace(looked, settings=made)


def _place(node: Node, key: str, place: NodePlace) -> NodePlace:
    return NodePlace(join(place.path, key), node.file, node.line)
