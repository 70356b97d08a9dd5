"""A record's key and value, decoded as the mapping wants them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Literal

from ...dispatch.core.model import DiscardReason, Flaw, Record
from ...dispatch.kinds.kafka import SchemaMetadata, kafka_bytes, kafka_decoded
from .core.model import Decoded, SchemaFailure, Undecodable
from .lookups import Lookups, RegistryClient

Attribute = Literal["KEY", "VALUE"]
RecordFormat = Literal["JSON", "SOURCE"]


@dataclass(frozen=True, slots=True)
class _RecordPart:
    """A key or a value for the event, and as JSON."""

    payload: bytes | None
    json: bytes | None
    schema: SchemaMetadata | None = None


class RecordSchemas:
    """One mapping's schema registry, and what is decoded with it."""

    def __init__(
        self, registry: RegistryClient, record_format: RecordFormat, attributes: Collection[Attribute]
    ) -> None:
        """`attributes` are decoded, which proves them valid; the rest of a record stays as it is."""
        self._registry = registry
        self._lookups = Lookups(registry)
        self._format = record_format
        self._attributes = frozenset(attributes)

    async def read(self, record: Record) -> Record:
        """The record as function and filters are to see it, or with the flaw for which it is given up. Raises as
        `decode`."""
        found = await self.decode(*kafka_bytes(record.item))
        if isinstance(found, SchemaFailure):
            return replace(record, flaw=Flaw(DiscardReason(found.reason), found.detail))
        item = kafka_decoded(
            record.item,
            key=found.key,
            value=found.value,
            key_schema=found.key_schema,
            value_schema=found.value_schema,
        )
        return replace(record, item=item, view=found.value_json)

    async def decode(self, key: bytes | None, value: bytes | None) -> Decoded | SchemaFailure:
        """Raises SourceError when the registry does not answer, or refuses us: the record is to be tried again."""
        first = await self._part("KEY", key)
        if isinstance(first, SchemaFailure):
            return first
        second = await self._part("VALUE", value)
        if isinstance(second, SchemaFailure):
            return second
        return Decoded(
            key=first.payload,
            value=second.payload,
            key_schema=first.schema,
            value_schema=second.schema,
            key_json=first.json,
            value_json=second.json,
        )

    async def aclose(self) -> None:
        await self._registry.aclose()

    async def _part(self, attribute: Attribute, raw: bytes | None) -> _RecordPart | SchemaFailure:
        if raw is None or attribute not in self._attributes:
            return _RecordPart(raw, raw)
        name = f"the record's {attribute.lower()}"
        try:
            framed = self._registry.unframe(raw)
        except Undecodable as error:
            return SchemaFailure("DESERIALIZATION_ERROR", f"{name} {error}")
        known = await self._lookups.get(framed.schema_id)
        if isinstance(known, SchemaFailure):
            return SchemaFailure(known.reason, f"{name} {known.detail}")
        try:
            json = known.decode(framed.data)
        except Undecodable as error:
            about = f"{name} ({known.data_format} schema {known.schema_id})"
            return SchemaFailure("DESERIALIZATION_ERROR", f"{about} {error}")
        metadata = SchemaMetadata(known.data_format, known.schema_id)
        return _RecordPart(json if self._format == "JSON" else framed.data, json, metadata)
