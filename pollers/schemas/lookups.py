"""Schemas by id: each is asked for once, and kept; what the registry does not have is not asked for again at once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Protocol

import anyio
import anyio.to_thread

from ...config.errors import SourceError, SourceUnavailable
from .core.model import Codec, DataFormat, Schema, SchemaFailure, Undecodable
from .core.wire import Unframe

MOST = 1000
"""Schemas that are kept; the one that was not used for the longest time goes first."""
GONE = 30.0
"""Seconds for which a schema that is not there, or cannot be followed, is not asked for again."""


class RegistryClient(Protocol):
    """Where schemas come from."""

    @property
    def unframe(self) -> Unframe: ...

    @property
    def codecs(self) -> Mapping[DataFormat, Callable[[Schema], Codec]]: ...

    async def schema(self, schema_id: str) -> Schema | None:
        """None: it has no such schema. Raises SourceError when it does not answer, or refuses us."""
        ...

    async def aclose(self) -> None: ...

    def __str__(self) -> str:
        """Its address, for messages."""
        ...


@dataclass(frozen=True, slots=True)
class Known:
    """A schema that data can be read with."""

    schema_id: str
    data_format: DataFormat
    decode: Codec


@dataclass(slots=True, eq=False)
class _Asking:
    """A schema is being asked for."""

    over: anyio.Event = field(default_factory=anyio.Event)
    failure: SourceError | None = None


class Lookups:
    """One mapping's schemas."""

    def __init__(
        self, registry: RegistryClient, most: int = MOST, now: Callable[[], float] = anyio.current_time
    ) -> None:
        """`now` is a monotonic clock, in seconds."""
        self._registry = registry
        self._most = most
        self._now = now
        self._found: OrderedDict[str, tuple[Known | SchemaFailure, float]] = OrderedDict()  # with the time of its end
        self._asking: dict[str, _Asking] = {}

    async def get(self, schema_id: str) -> Known | SchemaFailure:
        """Raises SourceError when the registry does not answer, or refuses us: then nothing is known. Who asks for the
        same schema meanwhile gets the same answer, that too: however many wait, the registry is asked once."""
        while not (found := self._kept(schema_id)):
            asking = self._asking.get(schema_id)
            if asking is None:
                return await self._ask_for_all(schema_id)
            await asking.over.wait()
            if asking.failure is not None:
                raise SourceUnavailable.because(asking.failure.reason) from asking.failure
        return found

    async def _ask_for_all(self, schema_id: str) -> Known | SchemaFailure:
        asking = self._asking[schema_id] = _Asking()
        try:
            return await self._ask(schema_id)
        except SourceError as error:
            asking.failure = error
            raise
        finally:
            del self._asking[schema_id]
            asking.over.set()

    def _kept(self, schema_id: str) -> Known | SchemaFailure | None:
        found, end = self._found.get(schema_id, (None, 0.0))
        if found is None or (end < inf and end <= self._now()):
            return None
        self._found.move_to_end(schema_id)
        return found

    async def _ask(self, schema_id: str) -> Known | SchemaFailure:
        schema = await self._registry.schema(schema_id)
        if schema is None:
            what = f"names schema {schema_id}, which {self._registry} does not have"
            found: Known | SchemaFailure = SchemaFailure("SCHEMA_NOT_FOUND", what)
        else:
            # Importing a format's library and building the reader take their time: not the event loop's.
            found = await anyio.to_thread.run_sync(self._built, schema_id, schema)
        end = inf if isinstance(found, Known) else self._now() + GONE
        self._found[schema_id] = (found, end)
        self._found.move_to_end(schema_id)
        while len(self._found) > self._most:
            self._found.popitem(last=False)
        return found

    def _built(self, schema_id: str, schema: Schema) -> Known | SchemaFailure:
        try:
            return Known(schema_id, schema.data_format, self._registry.codecs[schema.data_format](schema))
        except Undecodable as error:
            return SchemaFailure("DESERIALIZATION_ERROR", f"names {schema.data_format} schema {schema_id}, and {error}")
