"""AWS Glue's schema registry."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ...config.clients import faults
from ...config.clients.aws import Clients
from ...config.errors import ConfigError, SourceRefused, SourceUnavailable
from ...config.fields.arn import Arn
from .core import avro, json_schema, protobuf, wire
from .core.model import Codec, DataFormat, Schema

FORMATS: Mapping[str, DataFormat] = {"AVRO": "AVRO", "PROTOBUF": "PROTOBUF", "JSON": "JSON"}


class GlueRegistry:
    """Schema versions by their ids, which are unique among all registries of an account."""

    unframe = staticmethod(wire.unframe_glue)
    codecs: Mapping[DataFormat, Callable[[Schema], Codec]] = {
        "AVRO": avro.codec,
        "PROTOBUF": protobuf.glue_codec,
        "JSON": json_schema.codec,
    }

    def __init__(self, arn: Arn, clients: Clients) -> None:
        self._arn = arn
        self._clients = clients

    async def schema(self, schema_id: str) -> Schema | None:
        try:
            client = await self._clients.get("glue", region=self._arn.region)
        except ConfigError as error:
            raise SourceRefused(f"schema registry {self} cannot be called: {error}") from error
        try:
            answer = await client.get_schema_version(SchemaVersionId=schema_id)
        except Exception as error:
            if faults.code(error) == "EntityNotFoundException":
                return None
            if not faults.foreign(error):
                raise
            raise faults.translate(error, f"ask schema registry {self} for schema version {schema_id}") from error
        data_format = FORMATS.get(answer.get("DataFormat", ""))
        if data_format is None:
            what = f"schema registry {self} has schema version {schema_id} in no format that is known"
            raise SourceUnavailable(f"{what}: {answer.get('DataFormat')!r}")
        return Schema(data_format, str(answer.get("SchemaDefinition", "")))

    async def aclose(self) -> None:
        """The client is shared."""

    def __str__(self) -> str:
        return str(self._arn)
