"""The installed plug-ins: finds their entry points, imports them, and makes what they add.

The only module that loads code of other packages.

A plug-in is imported when a configuration names it, in a thread and with a limit, because its import is code of others
too. What is wrong with it is a value (`Plugin.refusal`, `Plugin.broken`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from ...config.clock import Clock, SystemClock
from ...config.errors import Problem
from ...config.function import PluginFunction, describe
from ...config.loader import Config
from ...config.mapping import EventSourceMapping
from ...config.nodes import NodePlace, join
from ...config.plugins import Plugin, Plugins, PluginSettings, destination_settings, plugin_named
from ...config.reasons import Reason
from ...dispatch.core.documents import Documents
from ...dispatch.destinations.base import Destination
from ...dispatch.invokers.base import Invoker, cannot_start
from ...dispatch.plugins.guarded_destination import GuardedDestination
from ...dispatch.plugins.guarded_invoker import GuardedInvoker
from ...dispatch.plugins.public import PROTOCOL_VERSION, DestinationRequest, FunctionRequest

T = TypeVar("T")

PATIENCE = 10.0
"""Seconds for an import, and for the validation of settings."""


@dataclass(frozen=True, slots=True)
class InstalledPlugin:
    """One plug-in, after the attempt to import it."""

    title: str
    refusal: str = ""
    broken: Reason | None = None
    loaded: Any = None
    """What its entry point names."""

    @property
    def settings(self) -> type[BaseModel]:
        model: type[BaseModel] = self.loaded.settings
        return model

    def guarded(self, call: Callable[[], T]) -> T | Reason:
        return _guarded(call, f"{self.title}: the check of its settings")


@dataclass(slots=True)
class EntryPointTable:
    """The plug-ins of one group. `maker`: the method that each must have."""

    group: str
    maker: str
    _loaded: dict[str, InstalledPlugin] = field(default_factory=dict)

    @property
    def names(self) -> Sequence[str]:
        return sorted(self._entries())

    def find(self, name: str) -> InstalledPlugin | None:
        if name not in self._loaded:
            entry = self._entries().get(name)
            if entry is None:
                return None
            self._loaded[name] = _imported(entry, self.maker)
        return self._loaded[name]

    def _entries(self) -> Mapping[str, metadata.EntryPoint]:
        return {entry.name: entry for entry in metadata.entry_points(group=self.group)}


@cache
def installed() -> Plugins:
    """What is installed beside Headrace. Nothing is looked for before it is asked for."""
    return Plugins(
        EntryPointTable("headrace.invokers", "invoker"), EntryPointTable("headrace.destinations", "destination")
    )


def _imported(entry: metadata.EntryPoint, maker: str) -> InstalledPlugin:
    title = f"plug-in {entry.name!r} ({_package(entry)})"
    loaded = _guarded(entry.load, f"{title}: its import")
    if isinstance(loaded, Reason):
        return InstalledPlugin(title, broken=loaded)
    refusal = _guarded(lambda: _refusal(loaded, maker), f"{title}: a look at it")
    if isinstance(refusal, Reason):
        return InstalledPlugin(title, broken=refusal)
    return InstalledPlugin(title, refusal, loaded=loaded)


def _package(entry: metadata.EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else "of an unknown package"


def _refusal(loaded: Any, maker: str) -> str:
    """Why this is no plug-in for this version of Headrace; empty when it is."""
    version = getattr(loaded, "protocol_version", None)
    if type(version) is not int:
        return "does not say for which version of the protocol it was written: it needs `protocol_version = 1`"
    if version != PROTOCOL_VERSION:
        what = f"was written for version {version} of the protocol, and this Headrace has version {PROTOCOL_VERSION}"
        do = "update Headrace" if version > PROTOCOL_VERSION else "update the plug-in"
        return f"{what}: {do}, or install a version of the other that fits"
    model = getattr(loaded, "settings", None)
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        return "has no pydantic model `settings`: correct or update the plug-in"
    return "" if callable(getattr(loaded, maker, None)) else f"has no `{maker}`: correct or update the plug-in"


def _guarded(call: Callable[[], T], what: str) -> T | Reason:
    """What `call` returns; a reason when it raises or does not return in time. ValidationError goes through."""
    found, raised = list[T](), list[BaseException]()

    def run() -> None:
        try:
            found.append(call())
        except BaseException as error:  # SystemExit too
            raised.append(error)

    thread = threading.Thread(target=run, name=f"headrace {what}", daemon=True)
    thread.start()
    thread.join(PATIENCE)
    if isinstance(error := raised[0] if raised else None, ValidationError):
        raise error
    if error is not None:
        said = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        return cannot_start(f"{what} raised {said}; correct or update the plug-in, then start Headrace again")
    if not found:
        return cannot_start(f"{what} did not end within {PATIENCE:g} s; correct or update the plug-in")
    return found[0]


# --- what they add ----------------------------------------------------------------------------------------------------


async def plugin_invoker(function: PluginFunction, clock: Clock) -> Invoker:
    """The invoker of a function that a plug-in adds; started, as far as it can be."""
    invoker = _invoker(function, clock)
    await invoker.start()
    return invoker


async def refusals(config: Config) -> list[Problem]:
    """The functions for which their plug-in makes no invoker."""
    found = []
    for name, function in config.functions.items():
        if isinstance(function, PluginFunction) and function.broken is None:
            invoker = _invoker(function, SystemClock())
            if refusal := await invoker.start():
                found.append(config.problem(join("functions", name), refusal.text))
            await invoker.aclose()
    return found


def _invoker(function: PluginFunction, clock: Clock) -> GuardedInvoker:
    found = installed().invokers.find(function.plugin)
    request = FunctionRequest(
        function.name, function.settings, function.directory, function.deadline, function.concurrency
    )
    return GuardedInvoker(
        _maker(found, function.broken, lambda loaded: loaded.invoker(request)),
        title=describe(function),
        clock=clock,
        timeout=function.deadline,
        concurrency=function.concurrency,
    )


@dataclass(frozen=True, slots=True)
class PluginUse:
    """A plug-in that a configuration uses."""

    title: str
    by: str
    """For people: the function or the mapping."""
    problem: Problem | None
    """Why it does not work, as far as that is known without a call; None when nothing is known."""


def uses(config: Config) -> list[PluginUse]:
    """The plug-ins of a configuration without a problem."""
    found = []
    for name, function in config.functions.items():
        if isinstance(function, PluginFunction):
            problem = _problem(config, join("functions", name), function.broken)
            found.append(PluginUse(describe(function), f"function {name}", problem))
    for name, mapping in config.mappings.items():
        if mapping.failure_plugin:
            looked = _destination_settings(mapping)
            problem = _problem(config, join("mappings", name), looked.broken)
            found.append(PluginUse(looked.title, f"failure destination of {name}", problem))
    return found


def _problem(config: Config, path: str, broken: Reason | None) -> Problem | None:
    return config.problem(path, broken.text) if broken else None


def _destination_settings(mapping: EventSourceMapping) -> PluginSettings:
    return destination_settings(installed(), mapping.failure_plugin, NodePlace("destination_config", "", None))


def plugin_destination(mapping: EventSourceMapping, directory: Path, documents: Documents) -> Destination:
    """The failure destination of a mapping that a plug-in adds. The mapping breaks no rule."""
    found = installed().destinations.find(plugin_named(mapping.failure_plugin))
    looked = _destination_settings(mapping)
    request = DestinationRequest(mapping.name, looked.settings, directory, documents)
    return GuardedDestination(
        _maker(found, looked.broken, lambda loaded: loaded.destination(request)),
        title=looked.title,
        address=mapping.failure_plugin.partition("?")[0],
    )


def _maker(found: Plugin | None, broken: Reason | None, make: Callable[[Any], T]) -> Callable[[], T] | Reason:
    if broken is not None or not isinstance(found, InstalledPlugin) or found.loaded is None:
        return broken or cannot_start("its plug-in is not installed: install it, then start Headrace again")
    loaded = found.loaded
    return lambda: make(loaded)
