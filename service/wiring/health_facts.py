"""Gathers what `headrace doctor` judges: asks endpoints, sources, functions, the disk, the system and the daemon.

Nothing is changed, no message is received, no group is joined, no function of this machine is started. What does not
answer in PATIENCE is a fact too.
"""

from __future__ import annotations

import http.client
import resource
import shutil
import tempfile
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, closing, suppress
from dataclasses import replace
from email.utils import parsedate_to_datetime
from pathlib import Path
from time import time
from typing import TypeVar

import anyio
import anyio.to_thread

from ...config.clients import foreign_mappings
from ...config.clients.aws import AwsSettings, Clients
from ...config.clients.endpoints import LocalEndpoint, RefusedEndpoint
from ...config.clock import ServiceClock, SystemClock, system_jitter
from ...config.errors import ConfigError, HeadraceError, SourceError, SourceMissing
from ...config.function import AnyFunction, CommandFunction, ExternalFunction, LocalFunction, describe
from ...config.loader import Config
from ...config.mapping import EventSourceMapping
from ...dispatch.core.observer import Observers
from ...dispatch.destinations.aws import make_destination
from ...dispatch.invokers.base import NotReady
from ...dispatch.kinds.table import dispatch_of
from ...pollers.checkpoints.store import CheckpointStore
from ...pollers.replay.core.plan import ReplayPlan, ReplayProgress
from ...pollers.source import FunctionFacts
from ..running.core.descriptor_need import needed
from ..running.core.health import (
    DescriptorFact,
    DiskFact,
    EndpointFact,
    FunctionFact,
    HealthFacts,
    SourceFact,
)
from ..running.functions import facts_of
from .endpoints import ServiceEndpoints, where
from .function_factory import with_remark
from .invokers import InvokerFactory, Refused
from .source_factory import SourceFactory

T = TypeVar("T")
F = TypeVar("F")

PATIENCE = 10.0
"""Seconds for one answer."""


class HealthFactsGathering:
    """Gathers the facts of one configuration. `scratch`: where functions would put files."""

    def __init__(self, config: Config, scratch: Path) -> None:
        self._config = config
        self._scratch = scratch
        self._clock = SystemClock()

    async def gather(self) -> HealthFacts:
        """Raises ConfigError for a broken profile."""
        config = self._config
        async with AsyncExitStack() as stack:
            clients = await stack.enter_async_context(Clients(AwsSettings(**config.settings.aws.arguments())))
            self._clients = clients
            self._endpoints = await ServiceEndpoints.find(config.mappings.values(), clients)
            self._sources = SourceFactory(
                config.settings,
                config.directory,
                clients,
                self._endpoints,
                _no_store,
                self._clock,
                system_jitter(),
                Observers(),
            )
            self._invokers = stack.enter_context(closing(InvokerFactory(config, clients, Observers(), self._scratch)))
            return HealthFacts(
                await self._all(self._endpoint, self._services()),
                await self._all(self._source, list(config.mappings.values())),
                await self._all(self._function, list(config.functions.items())),
                await anyio.to_thread.run_sync(disk_of, config.settings.state),
                DescriptorFact(_allowed(), needed(len(config.mappings), config.functions.values())),
            )

    def _services(self) -> list[str]:
        """The services that mappings call, each once; without mappings, the one that is asked most."""
        return list(self._endpoints.shown()) or ["sqs"]

    async def _all(self, ask: Callable[[T], Awaitable[F]], things: Sequence[T]) -> list[F]:
        """The facts of all, asked at once, in their order."""
        found: dict[int, F] = {}

        async def one(index: int, thing: T) -> None:
            found[index] = await ask(thing)

        async with anyio.create_task_group() as tasks:
            for index, thing in enumerate(things):
                tasks.start_soon(one, index, thing)
        return [found[index] for index in sorted(found)]

    # --- endpoints --------------------------------------------------------------------------------------------------

    async def _endpoint(self, service: str) -> EndpointFact:
        target = await self._clients.target(service)
        if isinstance(target, RefusedEndpoint):
            return EndpointFact(service, "", str(target.problem))
        credentials = ""
        try:
            client = await self._clients.get(service)
        except ConfigError as error:
            credentials = str(error)
            return EndpointFact(service, where(target), credentials=credentials)
        url = str(client.meta.endpoint_url)
        before = time()
        told, obstacle = await anyio.to_thread.run_sync(date_of, url)
        skew = None if told is None else told - (before + time()) / 2
        return EndpointFact(service, url, obstacle, None if skew is None else round(skew, 1))

    # --- sources ----------------------------------------------------------------------------------------------------

    async def _source(self, mapping: EventSourceMapping) -> SourceFact:
        function = self._config.functions.get(mapping.function_name)
        facts = FunctionFacts() if function is None else facts_of(function)
        about = SourceFact(
            mapping.name,
            mapping.place,
            mapping.profile.noun,
            mapping.function_name,
            enabled=mapping.enabled,
            timeout=facts.deadline,
        )
        try:
            seen = await self._sources.look(mapping)
            if seen.missing:
                return replace(about, missing=True)
            obstacle = f"{seen.code}: {seen.message}" if seen.code else await self._unreadable(mapping, facts)
        except ConfigError as error:
            return replace(about, obstacle=str(error))
        except SourceMissing:
            return replace(about, missing=True)
        about = replace(about, obstacle=obstacle, visibility=seen.visibility)
        if obstacle:
            return about
        destination, trouble = await self._destination(mapping)
        rivals = await self._rivals(mapping)
        return replace(about, rivals=rivals, destination=destination, destination_obstacle=trouble)

    async def _unreadable(self, mapping: EventSourceMapping, function: FunctionFacts) -> str:
        """Why its records cannot be read, where a look at the source alone does not say it; empty when they can."""
        maker = self._sources.maker(mapping)
        clock = ServiceClock(self._clock)
        try:
            with anyio.fail_after(PATIENCE):
                await maker.replayed(function, clock, ReplayPlan(until=0.0), ReplayProgress())
        except SourceMissing:
            raise
        except SourceError as error:
            return str(error)
        except TimeoutError:
            return f"there was no answer within {PATIENCE:g} seconds"
        return ""

    async def _rivals(self, mapping: EventSourceMapping) -> tuple[str, ...]:
        """Other pollers: mappings of the endpoint's own, and of this configuration where records are taken."""
        others = [
            f"mapping {other.name} of this configuration takes messages of {mapping.place}, too"
            for other in self._config.mappings.values()
            if mapping.profile.competing and other.enabled and other is not mapping and other.source == mapping.source
        ]
        target = await self._clients.target("lambda")
        if not mapping.source or not isinstance(target, LocalEndpoint):
            return tuple(others)
        with suppress(HeadraceError):
            client = await self._clients.get("lambda")
            competing = mapping.profile.competing
            found = await foreign_mappings.find(client, mapping.source, mapping.function_name, competing=competing)
            ours = {each.uuid for each in self._config.mappings.values()}
            others += [each.text for each in found if each.uuid not in ours]
        return tuple(others)

    async def _destination(self, mapping: EventSourceMapping) -> tuple[str, str]:
        """Its failure destination, and why that cannot be written to."""
        aws, maker = self._config.settings.aws, self._sources.maker(mapping)
        function = mapping.function_arn(aws.account, aws.region)
        found = maker.destination(function)
        try:
            if found is None and mapping.failure_destination is not None:
                documents = dispatch_of(mapping).documents(mapping, function, maker.address)
                found = await make_destination(mapping.failure_destination, self._clients, documents, mapping.uuid)
            if found is None:
                return "", ""
            with anyio.fail_after(PATIENCE):
                await found.probe()
        except (SourceError, ConfigError) as error:
            return "", str(error)
        except TimeoutError:
            return "", f"the failure destination did not answer within {PATIENCE:g} seconds"
        return found.arn, ""

    # --- functions --------------------------------------------------------------------------------------------------

    async def _function(self, named: tuple[str, AnyFunction]) -> FunctionFact:
        name, function = named
        what = describe(function)
        if isinstance(function, LocalFunction | CommandFunction):
            found = await self._invokers.looked_at(function)
            if isinstance(found, Refused):
                return FunctionFact(name, what, found.why)
            return FunctionFact(name, with_remark(what, found))
        if isinstance(function, ExternalFunction):
            return FunctionFact(name, what)
        try:
            invoker = await self._invokers.invoker(function)
        except ConfigError as error:
            return FunctionFact(name, what, str(error))
        try:
            with anyio.fail_after(PATIENCE):
                answer = await invoker.probe()
        except TimeoutError:
            return FunctionFact(name, what, f"there was no answer within {PATIENCE:g} seconds")
        finally:
            with anyio.CancelScope(shield=True):
                await invoker.aclose()
        return FunctionFact(name, what, answer.cause.text if isinstance(answer, NotReady) else "")


def date_of(url: str) -> tuple[float | None, str]:
    """What an address says of the time (seconds since the epoch), and why it does not answer; an error status is an
    answer."""
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE) as answer:  # noqa: S310 - an endpoint of the configuration
            text = answer.headers.get("Date")
    except urllib.error.HTTPError as refusal:
        text = refusal.headers.get("Date")
    except (OSError, ValueError, http.client.HTTPException) as error:
        return None, f"{url} does not answer: {getattr(error, 'reason', error)}"
    try:
        return (parsedate_to_datetime(text).timestamp() if text else None), ""
    except ValueError:
        return None, ""


def disk_of(state: Path) -> DiskFact:
    """The disk of the state directory, or of the next existing directory above it."""
    place = next(each for each in (state.absolute(), *state.absolute().parents) if each.exists())
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
        return DiskFact(str(place), shutil.disk_usage(place).free)
    except OSError as error:
        return DiskFact(str(place), None, f"it cannot be written to: {error.strerror or error}")


def _allowed() -> int:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return 1 << 20 if hard == resource.RLIM_INFINITY else hard


async def _no_store() -> CheckpointStore:
    raise HeadraceError("nobody reads here")
