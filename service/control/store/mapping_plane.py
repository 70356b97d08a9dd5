"""Stores the API's mappings, serialises their calls, and notifies the reconciler.

    change ──► decide (pure) ──► one durable transaction ──► in memory ──► watcher ──► the answer

Readers see only durable state, except for the progress, which is in memory alone (`as_documents.py`). Mappings of
the configuration file are here too; the first change of one that may be adopted stores it.
"""

from __future__ import annotations

import uuid as uuids
from collections.abc import Callable
from functools import partial

import anyio

from ....config.clock import Clock
from ....config.durable.faults import StoreUnavailable
from ....config.mapping import EventSourceMapping
from ..documents import Document
from ..mappings import as_documents, decisions, from_file
from ..mappings.decisions import DecisionContext
from ..mappings.from_file import Filed
from ..mappings.model import Mapped, Mappings, SourceLook, settled
from ..mappings.requests import Request
from ..model import Moment
from ..refusals import service
from ..tags import Change
from .document_store import Documents


class MappingPlane:
    """Belongs to the running event loop. `say` gets a line for each mapping that differs from its file."""

    def __init__(
        self,
        documents: Documents,
        configured: Filed,
        ground: DecisionContext,
        clock: Clock,
        *,
        say: Callable[[str], None] = lambda line: None,
        fresh: Callable[[], str] = lambda: str(uuids.uuid4()),
    ) -> None:
        """`fresh`: a new text each time."""
        self.ground = ground
        self._documents = documents
        self._configured = configured
        self._clock = clock
        self._fresh = fresh
        self._turn = anyio.Lock()
        self._watch: Callable[[str], None] = lambda uuid: None
        self._begun = from_file.begin(configured, *as_documents.mappings(documents), ground.here, clock.wall())
        self._mappings = dict(self._begun.mappings)
        self._noted: dict[str, Mapped] = {}
        self._say = say
        for line in self._begun.lines:
            say(line)

    async def start(self) -> None:
        """Delete obsolete documents. Raises StoreUnavailable."""
        if self._begun.forgotten:
            await self._documents.write({}, self._begun.forgotten)

    def watch(self, changed: Callable[[str], None]) -> None:
        """Call it with the UUID after each change."""
        self._watch = changed

    @property
    def all(self) -> Mappings:
        return self._mappings

    def is_of_the_file(self, uuid: str) -> bool:
        """Whether a mapping of the configuration is unchanged from its file."""
        found = self._mappings.get(uuid)
        return found is not None and not found.is_stored

    def definition(self, uuid: str) -> EventSourceMapping:
        """A mapping of the configuration as its file has it."""
        return self._configured[uuid][0]

    def moment(self) -> Moment:
        return Moment(self._clock.wall(), self._fresh())

    def origin(self, uuid: str) -> str:
        """Where a mapping comes from: `file`, `api` or `emulator`."""
        found = self._mappings.get(uuid)
        return found.origin if found else "file"

    # --- a file that was read again -----------------------------------------------------------------------------------

    async def refile(self, configured: Filed) -> None:
        """The configuration has these mappings from now on. The API's changes hold as at a start: as long as the
        definition that they replace is the same. Tells no watcher. Raises StoreUnavailable, and then nothing
        changed."""
        async with self._turn:
            read = as_documents.mappings(self._documents)
            begun = from_file.begin(configured, *read, self.ground.here, self._clock.wall())
            if begun.forgotten:
                await self._documents.write({}, begun.forgotten, partial(self._refile, configured, begun))
            else:
                self._refile(configured, begun)

    def _refile(self, configured: Filed, begun: from_file.Beginning) -> None:
        """A mapping that stays the same keeps its state and its time."""
        uuids = self._configured.keys() | configured.keys()
        self._mappings = from_file.read_again(self._mappings, begun.mappings, uuids)
        self._configured = configured
        for line in begun.lines:
            if line not in self._begun.lines:
                self._say(line)
        self._begun = begun

    # --- what was taken over from an emulator -------------------------------------------------------------------------

    def take_up(self) -> None:
        """Continue the mappings that an earlier daemon took over. Raises UnusableState."""
        running, noted = as_documents.taken(self._documents)
        self._noted = {uuid: from_file.at_home(mapped, self.ground.here) for uuid, mapped in noted.items()}
        for uuid, mapped in running.items():
            self._mappings[uuid] = from_file.at_home(mapped, self.ground.here)

    @property
    def left_off(self) -> list[str]:
        """UUIDs of the mappings that an emulator may have switched off for us, whether they run here or not."""
        return sorted(self._documents.all(as_documents.TAKEN))

    @property
    def taken(self) -> Mappings:
        """Those that were taken over and run here, or are paused here."""
        return {uuid: mapped for uuid, mapped in self._mappings.items() if mapped.taken}

    @property
    def noted(self) -> Mappings:
        """Those that are to be taken over, and do not run here yet."""
        return self._noted

    async def note(self, mapped: Mapped) -> None:
        """Remember, before it is switched off there, that it is ours from now on. Raises StoreUnavailable."""
        await self._write_taken(mapped, as_documents.noted(mapped), partial(self._note, mapped))

    async def hold(self, mapped: Mapped) -> None:
        """It runs here from now on, or as another one than before. Raises StoreUnavailable."""
        await self._write_taken(mapped, as_documents.document(mapped), partial(self._remember, mapped))

    def rest(self, mapped: Mapped) -> None:
        """It is to stop here; a daemon that dies meanwhile does not know of it."""
        self._remember(mapped)

    async def let_go(self, uuid: str) -> None:
        """It is the emulator's again, and nothing of it runs here. Raises StoreUnavailable."""
        async with self._turn:
            await self._documents.write({}, [(as_documents.TAKEN, uuid)], partial(self._forget, uuid))

    async def _write_taken(self, mapped: Mapped, document: Document, then: Callable[[], None]) -> None:
        async with self._turn:
            await self._documents.write({as_documents.name_of(mapped): document}, then=then)

    def _note(self, mapped: Mapped) -> None:
        self._noted[mapped.uuid] = mapped

    # --- the calls ----------------------------------------------------------------------------------------------------

    async def create(self, request: Request, seen: SourceLook, moment: Moment) -> Mapped:
        """Raises ApiError, and then nothing changed."""
        return await self._change(lambda: decisions.create(self.all, request, seen, moment, self.ground))

    async def update(self, request: Request, seen: SourceLook, moment: Moment) -> Mapped:
        """Raises ApiError, and then nothing changed."""
        return await self._change(lambda: decisions.update(self.all, request, seen, moment, self.ground))

    async def delete(self, uuid: str) -> Mapped:
        """Raises ApiError, and then nothing changed."""
        return await self._change(lambda: decisions.delete(self.all, uuid, self.ground))

    async def tag(self, uuid: str, change: Change) -> Mapped:
        """`change` gets the tags as they are when it is this call's turn. Raises ApiError, and then nothing
        changed."""
        return await self._change(lambda: decisions.tag(self.all, uuid, change, self.ground))

    async def _change(self, decide: Callable[[], Mapped]) -> Mapped:
        async with self._turn:
            after = self._adopted(decide())
            puts = {as_documents.name_of(after): as_documents.document(after)}
            try:
                await self._documents.write(puts, then=partial(self._remember, after))
            except StoreUnavailable as error:
                raise service(str(error)) from error
        return after

    def _remember(self, after: Mapped) -> None:
        """Called in the step in which the change is known to be durable: updates memory and notifies the watcher in one
        step."""
        self._noted.pop(after.uuid, None)
        self._mappings[after.uuid] = after
        self._watch(after.uuid)

    def _adopted(self, after: Mapped) -> Mapped:
        if after.is_stored:
            return after
        return from_file.adopted(after, self._configured[after.uuid][0])

    # --- what follows -------------------------------------------------------------------------------------------------

    def settle(self, mapped: Mapped) -> None:
        """Mark this change as done, unless another change replaced it."""
        after = settled(mapped)
        if self._mappings.get(mapped.uuid) is mapped and after is not None:
            self._mappings[mapped.uuid] = after

    async def end(self, mapped: Mapped) -> None:
        """Complete a deletion. Raises StoreUnavailable, and then the mapping still exists."""
        async with self._turn:
            await self._documents.write(*as_documents.ending(mapped), partial(self._forget, mapped.uuid))

    def _forget(self, uuid: str) -> None:
        self._mappings.pop(uuid, None)
        self._noted.pop(uuid, None)
