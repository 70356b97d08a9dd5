"""What a mapping at work is made of, for tests: each part has a default, and is named where a test wants another one.

    function = target_of(CallableInvoker(handler, clock=clock, timeout=3.0, concurrency=2), watch)
    rig = MappingRig(clock=clock, observer=watch, target=function, batch_size=1, slots=by_key(2))
    supervisor = rig.supervisor(MemoryQueueSource(queue, 2))

The defaults are those of a queue: batches of ten at once, one at a time, and what failed goes back. The product makes
the same of a configuration (`service/wiring/mapping_factory.py`), and `MappingRig.configured` does as it does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from headrace.config.clock import Clock, Jitter, ServiceClock
from headrace.config.mapping import EventSourceMapping
from headrace.dispatch.core.backoff import Backoff
from headrace.dispatch.core.batcher import Limits
from headrace.dispatch.core.events import Envelope, RecordsEnvelope
from headrace.dispatch.core.keeping import keep_all
from headrace.dispatch.core.model import Lane, OpenWindow
from headrace.dispatch.core.observer import Observer
from headrace.dispatch.core.partition_slots import PartitionSlots
from headrace.dispatch.core.policy import Policy, Progress
from headrace.dispatch.core.response import TEXT
from headrace.dispatch.core.slots import KeyHash, SingleSlot, Slots
from headrace.dispatch.core.windows import WindowSlot
from headrace.dispatch.destinations.base import Destination
from headrace.dispatch.destinations.persistence import FailureDestination, Persistence
from headrace.dispatch.dispatcher import Dispatcher, Target
from headrace.dispatch.invokers.base import Invoker
from headrace.dispatch.kinds.kafka import OFFSETS, KafkaEnvelope
from headrace.dispatch.kinds.table import dispatch_of
from headrace.dispatch.permits import Gate, Permits
from headrace.pollers.checkpoints.store import CheckpointStore
from headrace.pollers.core.pool import Pool
from headrace.pollers.feed_settings import AHEAD_BYTES, AHEAD_RECORDS, FeedSettings, Keeps, ahead_of
from headrace.pollers.source import FunctionFacts, Source
from headrace.pollers.streams.opening import StreamSettings
from headrace.pollers.streams.service import StreamService
from headrace.pollers.streams.source import StreamSource
from headrace.pollers.supervisor import Supervisor
from headrace.service.running.mappings import RunningMapping

Start = Literal["TRIM_HORIZON", "LATEST", "AT_TIMESTAMP"]

QUEUE_POLICY = Policy(Progress.NONE)
PROBES, FETCHES = Backoff(), Backoff(cap=10.0)
DEFAULT_PERSISTENCE = Persistence()


def no_jitter() -> float:
    """The longest delay, always the same."""
    return 0.0


# --- the function ---------------------------------------------------------------------------------------------------


def target_of(
    invoker: Invoker,
    observer: Observer,
    *,
    name: str = "function",
    permits: int = 0,
    remembered: bool = False,
    backoff: Backoff = PROBES,
) -> Target:
    """A function with its permits, as many as the invoker has places where no number is given, and its gate, which is
    open at once if it is remembered that the function starts."""
    gate = Gate(name, invoker, observer=observer, jitter=no_jitter, backoff=backoff, remembered=remembered)
    return Target(name, invoker, Permits(permits or invoker.concurrency), gate)


# --- the slots ------------------------------------------------------------------------------------------------------

MakeSlots = Callable[["MappingRig", Lane | None, OpenWindow | None], Slots]


def one_at_a_time(*, grouped: bool = False) -> MakeSlots:
    return lambda rig, lane, window: SingleSlot(rig.limits, grouped=grouped)


def by_key(factor: int = 1) -> MakeSlots:
    return lambda rig, lane, window: KeyHash(rig.limits, factor)


def by_partition(most: int | None = None) -> MakeSlots:
    return lambda rig, lane, window: PartitionSlots(rig.limits, most)


def by_window(seconds: int) -> MakeSlots:
    def slots(rig: MappingRig, lane: Lane | None, window: OpenWindow | None) -> Slots:
        assert lane is not None
        return WindowSlot(rig.limits, seconds, lane, rig.dispatcher.now(), window)

    return slots


# --- where its records come from and go to ----------------------------------------------------------------------------


def stream_source(
    service: StreamService,
    store: CheckpointStore,
    observer: Observer,
    *,
    mapping: str = "mapping",
    uuid: str = "",
    start: Start = "TRIM_HORIZON",
    clock: ServiceClock | None = None,
    jitter: Jitter = no_jitter,
    **settings: Any,
) -> StreamSource:
    """`settings` are the other fields of `StreamSettings`."""
    about = StreamSettings(mapping, uuid or mapping, start, **settings)
    return StreamSource(about, service, store, jitter, observer, clock)


def discards_to(
    destination: Destination,
    observer: Observer,
    *,
    clock: Clock,
    mapping: str = "mapping",
    persistence: Persistence = DEFAULT_PERSISTENCE,
) -> FailureDestination:
    return FailureDestination(mapping, destination, persistence, clock, no_jitter, observer)


# --- the mapping ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class MappingRig:
    """One mapping's parts."""

    clock: Clock
    observer: Observer
    target: Target
    name: str = "mapping"
    policy: Policy = QUEUE_POLICY
    envelope: Envelope = field(default_factory=RecordsEnvelope)
    batch_size: int = 10
    window: float = 0.0
    """Seconds that a batch may be gathered."""
    slots: MakeSlots = field(default_factory=one_at_a_time)
    keeps: Keeps = keep_all
    """The filter."""
    destination: FailureDestination | None = None
    jitter: Jitter = no_jitter
    backoff: Backoff = FETCHES
    """Between fetches that failed."""
    fetch_limit: int = 10_000
    ahead_records: int = AHEAD_RECORDS
    ahead_bytes: int = AHEAD_BYTES
    pool: Pool = field(default_factory=Pool)

    @classmethod
    def configured(cls, config: EventSourceMapping, **parts: Any) -> MappingRig:
        """The mapping of a configuration. `parts` are the fields of a rig."""
        kind = dispatch_of(config)
        envelope = kind.envelope(config, lambda: "")

        def slots(rig: MappingRig, lane: Lane | None, window: OpenWindow | None) -> Slots:
            return kind.feed_slots(config, envelope, rig.dispatcher.now)(lane, window)

        ahead_records, ahead_bytes = ahead_of(config)
        made: dict[str, Any] = {
            "name": config.name,
            "policy": kind.policy(config),
            "envelope": envelope,
            "slots": slots,
            "keeps": kind.keeps(config.patterns) if config.patterns else keep_all,
            "ahead_records": ahead_records,
            "ahead_bytes": ahead_bytes,
        }
        return cls(**(made | parts))

    @property
    def limits(self) -> Limits:
        return Limits(self.batch_size, self.window, self.envelope)

    @property
    def dispatcher(self) -> Dispatcher:
        return Dispatcher(
            mapping=self.name,
            target=self.target,
            policy=self.policy,
            envelope=self.envelope,
            identifiers=OFFSETS if isinstance(self.envelope, KafkaEnvelope) else TEXT,
            clock=self.clock if isinstance(self.clock, ServiceClock) else ServiceClock(self.clock),
            jitter=self.jitter,
            observer=self.observer,
            destination=self.destination,
        )

    def feeds(self, *, lent: bool) -> FeedSettings:
        """For feeds without a supervisor."""
        return FeedSettings(
            dispatcher=self.dispatcher,
            slots=lambda lane, window: self.slots(self, lane, window),
            keeps=self.keeps,
            backoff=self.backoff,
            lent=lent,
            fetch_limit=self.fetch_limit,
            ahead_records=self.ahead_records,
            ahead_bytes=self.ahead_bytes,
            pool=self.pool,
        )

    def supervisor(self, source: Source) -> Supervisor:
        return Supervisor(self.feeds(lent=source.lent), source)

    def work(self, config: EventSourceMapping, source: Source, facts: FunctionFacts | None = None) -> RunningMapping:
        """The mapping at work, as the daemon has it."""
        supervisor = self.supervisor(source)
        return RunningMapping(config, supervisor, self.target, self.destination, facts or FunctionFacts())
