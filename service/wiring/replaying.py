"""Reads records of a mapping again, in a process of its own: through its filters, batches, retries and destination, to
its function, and without a word to its own position.

    documents ──► events ──► paper source ──┐
              └─► spans ──► source once more ├─► the same parts as a running mapping's ──► progress, stored
    times ────────────────► source once more ┘

Two rules are a replay's own. A record is never too old: whoever replays it wants it. And retries end, after RETRIES
where the mapping has no end: a record that fails for ever would hold up the replay.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread

from ...config.clients.aws import AwsSettings, Clients
from ...config.clock import ServiceClock, SystemClock, system_jitter
from ...config.errors import ConfigError, HeadraceError, Problem
from ...config.function import InvokeTarget, RemoteFunction
from ...config.loader import Config
from ...config.mapping import EventSourceMapping
from ...dispatch.core.found_documents import FoundDocument, NoDocument, read_document
from ...dispatch.core.model import FateKind, Lane, Record
from ...dispatch.core.observer import Observer
from ...dispatch.kinds.table import dispatch_of
from ...pollers.checkpoints.store import CheckpointStore
from ...pollers.core.lifecycle import PollState
from ...pollers.kinds.table import poller_of
from ...pollers.replay.bounded import ReplaySource
from ...pollers.replay.core.plan import ReplayPlan, ReplayProgress, spans_of
from ...pollers.replay.paper import PaperSource
from ...pollers.source import FunctionFacts, Source
from ..running.dry_run import Show
from ..running.function_references import split
from ..running.functions import RunningFunctions, reference_of
from ..running.mappings import Changes, RunningMapping
from .document_places import DocumentText
from .endpoints import ServiceEndpoints
from .function_factory import FunctionFactory
from .invokers import InvokerFactory
from .mapping_factory import MappingFactory
from .replay_files import ReplayFile, ReplayState
from .source_factory import SourceFactory

RETRIES = 2
"""Attempts after the first, of a mapping that has no end of them."""
CHUNK = 2000
"""Records out of documents that are replayed at a time; after them the progress is stored."""
LOOK = 0.25
"""Seconds between two looks whether it is over."""
GRACE = 5.0
"""Seconds for invocations in flight when it is broken off."""


class PreparedSources(SourceFactory):
    """Gives a mapping the source that was made for it."""

    prepared: Source

    async def source(self, mapping: EventSourceMapping, function: FunctionFacts, clock: ServiceClock) -> Source:
        return self.prepared


@dataclass(frozen=True, slots=True)
class ReplayParts:
    """What a replay tells, and to whom."""

    observer: Observer
    tell: Callable[[ReplayProgress], None]
    """Called while it runs, about each LOOK."""
    given_up: Callable[[str], None]
    """Gets the id of each record that a queue would have had back, after its last attempt."""
    show: Show
    """Gets the verdicts of a dry run."""
    scratch: Path
    """Where functions put what they need while they run."""
    stop: anyio.Event
    """Set when somebody breaks it off."""


def prepared(
    config: Config, name: str, function: str, retries: int | None, daemon: str
) -> tuple[Config, EventSourceMapping]:
    """The configuration and the mapping as a replay needs them. `function`: another one than the mapping's; one that is
    not in the configuration is invoked through the daemon at `daemon`. Raises ConfigError."""
    mapping = next((each for each in config.mappings.values() if name in (each.name, each.uuid)), None)
    if mapping is None:
        known = ", ".join(config.mappings) or "none"
        raise ConfigError([Problem(f"there is no mapping {name!r}; there are {known}")])
    changes: dict[str, Any] = {"enabled": True, "maximum_record_age_in_seconds": None}
    if function:
        changes["function"] = function
    given = retries if retries is not None else mapping.retries if mapping.retries is not None else RETRIES
    if not mapping.profile.has_visibility:
        changes["maximum_retry_attempts"] = given
    mapping = mapping.model_copy(update=changes)
    functions = dict(config.functions)
    reference = reference_of(mapping)
    if reference not in functions:
        name, qualifier = split(reference)
        target = InvokeTarget(function_name=name, qualifier=qualifier or None, endpoint_url=daemon)
        functions[reference] = RemoteFunction(name=reference, invoke=target)
    return replace(config, functions=functions, mappings={mapping.name: mapping}), mapping


def read_documents(mapping: EventSourceMapping, texts: Sequence[DocumentText]) -> list[FoundDocument | NoDocument]:
    """What each document says, as far as it is about records of this kind of source."""
    kind = dispatch_of(mapping)
    return [read_document(each.name, each.text, kind.origins, lambda event: bool(kind.unpack(event))) for each in texts]


def relived(mapping: EventSourceMapping, document: FoundDocument) -> list[Record] | NoDocument:
    """The records of the event that a document holds."""
    kind = dispatch_of(mapping)
    source = mapping.source or mapping.place
    try:
        records = [kind.relived(item, source) for item in kind.unpack(document.event) or ()]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        return NoDocument(document.name, f"its event has no records of {mapping.profile.titles} ({error!r})")
    if len(document.origins) == 1:
        lane = Lane(source, document.origins[0].shard)
        for record in records:
            record.lane = record.lane if record.lane.shard else lane
    return records


class Replaying:
    """One replay that runs. `file` is None in a dry run, which keeps nothing."""

    def __init__(
        self,
        config: Config,
        mapping: EventSourceMapping,
        state: ReplayState,
        file: ReplayFile | None,
        parts: ReplayParts,
    ) -> None:
        self._config = config
        self._settings = config.settings.model_copy(update={"dry_run": file is None})
        self._mapping = mapping
        self._state = state
        self._file = file
        self._parts = parts
        self._clock = SystemClock()
        self._jitter = system_jitter()

    async def run(self, documents: Sequence[FoundDocument]) -> bool:
        """Whether all of it is done; False where it was broken off. Raises ConfigError, SourceError."""
        async with AsyncExitStack() as stack:
            await self._open(stack, self._parts.scratch)
            for chunk in self._chunks(documents):
                if not await self._pass(self._paper(chunk), ReplayPlan()):
                    return False
                self._state.read += [each.name for each, _ in chunk]
                await self._save()
            return await self._read_again(documents)

    async def _open(self, stack: AsyncExitStack, scratch: Path) -> None:
        config = replace(self._config, settings=self._settings)
        clients = await stack.enter_async_context(Clients(AwsSettings(**self._settings.aws.arguments())))
        endpoints = await ServiceEndpoints.find([self._mapping], clients)
        endpoints.refuse_real_aws([self._mapping])
        observer = self._parts.observer
        functions = InvokerFactory(config, clients, observer, scratch)
        stack.enter_context(closing(functions))
        name = reference_of(self._mapping)
        if self._file is not None:
            await functions.refuse_unstartable([name])
        made = FunctionFactory(config, functions, None, Changes(), observer, self._clock, self._jitter)
        self._fleet = RunningFunctions(made.make, kept=config.functions)
        stack.push_async_callback(self._fleet.aclose)
        self._sources = PreparedSources(
            self._settings, config.directory, clients, endpoints, _no_store, self._clock, self._jitter, observer
        )
        self._factory = MappingFactory(
            self._settings,
            clients,
            self._fleet,
            self._sources,
            observer,
            self._clock,
            self._jitter,
            self._parts.show,
            config.directory,
        )

    # --- documents that hold the event ------------------------------------------------------------------------------

    def _chunks(self, documents: Sequence[FoundDocument]) -> list[list[tuple[FoundDocument, list[Record]]]]:
        chunks: list[list[tuple[FoundDocument, list[Record]]]] = []
        size = CHUNK
        for document in documents:
            if document.event is None or document.name in self._state.read:
                continue
            records = relived(self._mapping, document)
            assert not isinstance(records, NoDocument)  # it was looked at before
            if size + len(records) > CHUNK:
                chunks.append([])
                size = 0
            chunks[-1].append((document, records))
            size += len(records)
        return chunks

    def _paper(self, chunk: Sequence[tuple[FoundDocument, Sequence[Record]]]) -> Source:
        again = self._state.wish.retries
        records = [record for _, members in chunk for record in members]
        return PaperSource(records, RETRIES if again is None else again, self._given_up)

    def _given_up(self, record: Record) -> None:
        self._state.progress.count(FateKind.RETURNED.value, 1)
        self._parts.given_up(record.name)

    # --- the source once more ---------------------------------------------------------------------------------------

    async def _read_again(self, documents: Sequence[FoundDocument]) -> bool:
        named = [origin for each in documents if each.event is None for origin in each.origins]
        plan = self._state.wish.plan or (ReplayPlan(spans=spans_of(named)) if named else None)
        if plan is None:
            return True
        member = await self._fleet.member(reference_of(self._mapping))
        maker = poller_of(self._mapping).make(self._mapping, self._sources.parts)
        clock = ServiceClock(self._clock)
        found = await maker.replayed(member.facts, clock, plan, self._state.progress)
        if found is None:
            raise HeadraceError(
                f"{self._mapping.place} keeps no record that was taken: replay a document that holds its event, or "
                "move the messages of its dead-letter queue back with `headrace redrive`"
            )
        return await self._pass(found.source, found.plan, of_documents=False)

    # --- one pass ---------------------------------------------------------------------------------------------------

    async def _pass(self, inner: Source, plan: ReplayPlan, *, of_documents: bool = True) -> bool:
        """Run the mapping over this source until that is empty. False where somebody breaks it off."""
        progress = self._state.progress
        keeps = progress if not of_documents else ReplayProgress(counts=progress.counts)
        source = ReplaySource(inner, plan, keeps, self._clock, self._state.wish.rate)
        self._sources.prepared = source
        work = await self._factory.running_mapping(self._mapping)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._fleet.run)
            tasks.start_soon(work.run)
            done = await self._watch(work, source)
            await work.supervisor.stop(GRACE)
            tasks.cancel_scope.cancel()
        await work.aclose()
        await self._save()
        return done

    async def _watch(self, work: RunningMapping, source: ReplaySource) -> bool:
        """Until nothing is left: twice nothing is in flight and the source is empty, with no record between."""
        empty, given = 0, -1
        while empty < 2:
            if self._parts.stop.is_set():
                return False
            await anyio.sleep(LOOK)
            self._parts.tell(self._state.progress)
            if source.changed:
                source.changed = False
                await self._save()
            opened = work.supervisor.status.state is PollState.POLLING
            still = opened and not work.supervisor.busy and source.given == given and await work.supervisor.empty()
            empty, given = empty + 1 if still else 0, source.given
        return True

    async def _save(self) -> None:
        if self._file is not None:
            await anyio.to_thread.run_sync(self._file.save, self._state)


async def _no_store() -> CheckpointStore:
    raise HeadraceError("a replay has no stored positions")
