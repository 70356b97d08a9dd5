"""Makes a running mapping from its configuration: source, policy, slots, filters, failure destination, supervisor."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ...config.clients.aws import Clients
from ...config.clock import Clock, Jitter, ServiceClock
from ...config.fields.arn import Arn
from ...config.mapping import EventSourceMapping
from ...config.settings import Settings
from ...dispatch.core.backoff import Backoff
from ...dispatch.core.documents import Documents
from ...dispatch.core.keeping import keep_all
from ...dispatch.core.observer import Observer
from ...dispatch.core.trace_carriers import NOTHING_HANDED, Handing
from ...dispatch.destinations.aws import make_destination
from ...dispatch.destinations.base import Destination
from ...dispatch.destinations.persistence import FailureDestination, Persistence
from ...dispatch.dispatcher import Dispatcher, Target
from ...dispatch.kinds.table import dispatch_of
from ...pollers.core.pace import Pace
from ...pollers.feed_settings import FeedSettings, ahead_of
from ...pollers.supervisor import Supervisor
from ..running.dry_run import Show, dry
from ..running.functions import RunningFunctions, reference_of
from ..running.mappings import RunningMapping
from .plugins import plugin_destination
from .source_factory import SourceFactory

SOURCE_BACKOFF = Backoff(base=0.5, cap=5.0)
"""Seconds between attempts to reach a source: short, because a user may just be starting the emulator or the queue."""


class MappingFactory:
    """`show` gets the results of a dry run. `directory`: that of the file in which a mapping stands. `fake`: a
    destination in the place of a real one. `handing`: what a mapping's invocations take along of a trace."""

    def __init__(
        self,
        settings: Settings,
        clients: Clients,
        fleet: RunningFunctions,
        sources: SourceFactory,
        observer: Observer,
        clock: Clock,
        jitter: Jitter,
        show: Show,
        directory: Callable[[EventSourceMapping], Path],
        fake: Callable[[Arn, Documents], Destination | None] = lambda arn, documents: None,
        handing: Callable[[EventSourceMapping], Handing] = lambda mapping: lambda request_id: NOTHING_HANDED,
    ) -> None:
        self._handing = handing
        self._fake = fake
        self._directory = directory
        self._settings = settings
        self._clients = clients
        self._fleet = fleet
        self._sources = sources
        self._observer = observer
        self._clock = clock
        self._jitter = jitter
        self._show = show
        self._pace = Pace()

    async def running_mapping(self, mapping: EventSourceMapping) -> RunningMapping:
        clock = ServiceClock(self._clock)  # the clock for the age of the source's records
        member = await self._fleet.member(reference_of(mapping))
        source = await self._sources.source(mapping, member.facts, clock)
        destination = await self._destination(mapping)
        dispatcher = self._dispatcher(mapping, member.target, clock, destination)
        kind = dispatch_of(mapping)
        ahead_records, ahead_bytes = ahead_of(mapping)
        feeds = FeedSettings(
            dispatcher=dispatcher,
            slots=kind.feed_slots(mapping, dispatcher.envelope, dispatcher.now),
            keeps=kind.keeps(mapping.patterns) if mapping.patterns else keep_all,
            backoff=SOURCE_BACKOFF,
            lent=source.lent,
            ahead_records=ahead_records,
            ahead_bytes=ahead_bytes,
            pace=self._pace,
        )
        if self._settings.dry_run:
            source = dry(source, mapping.name, member.target.name, self._show)
        return RunningMapping(mapping, Supervisor(feeds, source), member.target, destination, member.facts)

    def _dispatcher(
        self, mapping: EventSourceMapping, target: Target, clock: ServiceClock, destination: FailureDestination | None
    ) -> Dispatcher:
        kind = dispatch_of(mapping)
        return Dispatcher(
            mapping=mapping.name,
            target=target,
            policy=kind.policy_of(mapping, self._settings.retry_backoff),
            envelope=kind.envelope(mapping, self._sources.maker(mapping).address),
            identifiers=kind.identifiers,
            clock=clock,
            jitter=self._jitter,
            observer=self._observer,
            destination=destination,
            handed=self._handing(mapping),
        )

    async def _destination(self, mapping: EventSourceMapping) -> FailureDestination | None:
        """The failure destination; none in a dry run."""
        destination = None if self._settings.dry_run else await self._place(mapping)
        if destination is None:
            return None
        persistence = Persistence.of(self._settings.destinations)
        return FailureDestination(mapping.name, destination, persistence, self._clock, self._jitter, self._observer)

    async def _place(self, mapping: EventSourceMapping) -> Destination | None:
        """The destination of a mapping's documents."""
        aws = self._settings.aws
        maker, arn = self._sources.maker(mapping), mapping.function_arn(aws.account, aws.region)
        own = maker.destination(arn)
        if own is not None or not mapping.has_failure_destination:
            return own
        documents = dispatch_of(mapping).documents(mapping, arn, maker.address)
        if mapping.failure_plugin:
            return plugin_destination(mapping, self._directory(mapping), documents)
        assert mapping.failure_destination is not None  # a topic is the maker's own
        if fake := self._fake(mapping.failure_destination, documents):
            return fake
        return await make_destination(mapping.failure_destination, self._clients, documents, mapping.uuid)
