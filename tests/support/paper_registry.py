"""A schema registry on paper: schemas by id, and what was asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import anyio

from headrace.config.errors import SourceUnavailable
from headrace.pollers.schemas.core import avro, json_schema, wire
from headrace.pollers.schemas.core.model import Codec, DataFormat, Schema


class PaperRegistry:
    """Every member may be changed at any time."""

    unframe = staticmethod(wire.unframe_confluent)
    codecs: Mapping[DataFormat, Callable[[Schema], Codec]] = {"AVRO": avro.codec, "JSON": json_schema.codec}

    def __init__(self, **schemas: Schema) -> None:
        self.schemas = {name.strip("_"): schema for name, schema in schemas.items()}
        self.asked: list[str] = []
        self.down = False
        self.hold: anyio.Event | None = None
        self.closed = False

    async def schema(self, schema_id: str) -> Schema | None:
        self.asked.append(schema_id)
        if self.hold is not None:
            await self.hold.wait()
        if self.down:
            raise SourceUnavailable("away")
        return self.schemas.get(schema_id)

    async def aclose(self) -> None:
        self.closed = True

    def __str__(self) -> str:
        return "paper"
