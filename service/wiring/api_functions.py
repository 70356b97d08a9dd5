"""The functions of the Lambda API in a running daemon: assembles the control plane, the running functions, invocation,
and the API's calls. Beside `daemon.py` a place that knows concrete classes.

    open ──► `references` and `environments` for the running functions ──► served, with them ──► parts and calls
"""

from __future__ import annotations

import secrets
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ...config.clients.aws import Clients
from ...config.clock import Clock, Jitter
from ...config.durable.writer import GroupWriter
from ...config.settings import Address
from ...dispatch.core.observer import Observer
from ..api.calls.account import AccountCalls
from ..api.calls.aliases import AliasCalls
from ..api.calls.concurrency import ConcurrencyCalls
from ..api.calls.event_invoke_configs import EventInvokeConfigCalls
from ..api.calls.functions import FunctionCalls
from ..api.calls.invoke import InvokeCalls
from ..api.calls.layers import LayerCalls
from ..api.calls.policies import PolicyCalls
from ..api.calls.versions import VersionCalls
from ..api.code_downloads import CodeDownloads, Downloads
from ..api.wire.call import Group
from ..async_invoke.deliveries import Deliveries, EventQueue, RetryPace
from ..async_invoke.endings import Endings
from ..async_invoke.store import FILE as EVENTS
from ..async_invoke.store import EventStore
from ..control import hot_reload
from ..control.store.attachments import Attachments
from ..control.store.function_plane import FunctionPlane
from ..control.store.layer_plane import LayerPlane
from ..control.store.networks import Networks
from ..control.store.uploads import Uploads
from ..control.store.upstream_layers import UpstreamLayers
from ..running.environments import Environments
from ..running.function_references import FunctionReferences
from ..running.functions import RunningFunctions
from ..running.invocations import Invocations
from ..running.mappings import Companion
from ..telemetry.tails import Tails
from .control_plane import ControlPlane
from .invokers import InvokerFactory
from .live_config import Configured

SETTLES = 1.0
"""Seconds that GetFunction and GetFunctionConfiguration wait at most for what is under way."""


@dataclass(frozen=True, slots=True)
class DaemonParts:
    """Values that the rest of the daemon provides."""

    config: Configured
    clients: Clients
    observer: Observer
    tails: Tails
    clock: Clock
    jitter: Jitter
    settles: float = SETTLES
    """Seconds that a look at a function waits until nothing is under way."""


@dataclass(frozen=True, slots=True)
class Served:
    """The running parts, and the API's calls."""

    parts: tuple[Companion, ...] = ()
    groups: tuple[Group, ...] = ()
    code: CodeDownloads | None = None


class ApiFunctions:
    """The functions of the API, stored and running."""

    def __init__(
        self,
        given: DaemonParts,
        plane: FunctionPlane,
        layers: LayerPlane,
        functions: InvokerFactory,
        environments: Environments,
        queue: EventQueue,
    ) -> None:
        self._given = given
        self._functions = functions
        self.plane = plane
        self._layers = layers
        self.environments = environments
        self.references = FunctionReferences(environments)
        self._queue = queue

    @classmethod
    async def open(
        cls, given: DaemonParts, planes: ControlPlane, functions: InvokerFactory, state: Path, stack: AsyncExitStack
    ) -> ApiFunctions:
        """Opens the events of `state`. Raises UnusableState when they cannot be used."""
        store = await EventStore.open(state / EVENTS)
        stack.push_async_callback(store.aclose)
        plane = planes.functions
        make = await functions.maker(plane.here)
        at_once = given.config.settings.concurrency
        environments = Environments(plane, make, at_once, given.clock, given.jitter)
        return cls(given, plane, planes.layers, functions, environments, EventQueue(store, given.clock))

    @property
    def events(self) -> GroupWriter:
        """The store of accepted events."""
        return self._queue.store.file

    def served(self, fleet: RunningFunctions, address: Address) -> Served:
        """`fleet`: the running functions, including those of the configuration file; `address`: our own address."""
        given, settings = self._given, self._given.config.settings.asynchronous
        invocations = Invocations(given.config.functions, fleet, self.environments, given.clock)
        endings = Endings(
            given.clients, invocations, self._queue, self.plane.here, given.observer, given.clock, given.jitter
        )
        pace = RetryPace(settings.at_once, settings.retry_factor)
        deliveries = Deliveries(self._queue, invocations, endings, given.observer, given.clock, pace)
        downloads = Downloads(self.plane.code, lambda: f"http://{address}", secrets.token_bytes(32))
        return Served(
            (deliveries, invocations), self._groups(invocations, downloads, address), CodeDownloads(downloads)
        )

    def _groups(self, invocations: Invocations, downloads: Downloads, address: Address) -> tuple[Group, ...]:
        plane, clients, settings = self.plane, self._given.clients, self._given.config.settings
        obstacle = partial(self._functions.obstacle, here=plane.here)
        hot = hot_reload.is_allowed(settings.api.hot_reload, address.host)
        uploads = Uploads(plane.code, clients, hot_reload=hot)
        upstream = UpstreamLayers(clients, settings.api.upstream) if settings.api.upstream else None
        attachments = Attachments(self._layers, uploads, settings.layers, upstream)
        return (
            FunctionCalls(plane, uploads, downloads, Networks(clients), attachments, obstacle, self._given.settles),
            LayerCalls(self._layers, uploads, downloads),
            VersionCalls(plane),
            AliasCalls(plane),
            ConcurrencyCalls(plane),
            EventInvokeConfigCalls(plane),
            PolicyCalls(plane),
            AccountCalls(plane, self._layers),
            InvokeCalls(plane.here, invocations, self._queue, self._given.tails),
        )
