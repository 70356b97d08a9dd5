"""What a mapping expects of every schema registry: a stand-in for Confluent's, an emulator's Glue."""

from __future__ import annotations

import json
import uuid
import zlib
from collections.abc import AsyncIterator
from typing import Any, Literal, Protocol

import pytest

from headrace.config.clients.aws import AwsSettings, Clients
from headrace.config.errors import SourceRefused, SourceUnavailable
from headrace.config.fields.arn import Arn
from headrace.dispatch.kinds.kafka import SchemaMetadata
from headrace.pollers.schemas import Decoded, RecordSchemas, SchemaFailure
from headrace.pollers.schemas.confluent import ConfluentRegistry, RestAccess
from headrace.pollers.schemas.glue import GlueRegistry
from headrace.pollers.schemas.lookups import RegistryClient
from support import schema_registry_stub
from support.schema_registry_stub import SchemaRegistry
from support.servers.running import Server

AVRO = json.dumps({"type": "record", "name": "Item", "fields": [{"name": "count", "type": "long"}]})
PROTOBUF = 'syntax = "proto3"; message Zero { string a = 1; } message Item { int32 count = 1; }'
JSON = json.dumps({"$schema": "http://json-schema.org/draft-07/schema#", "properties": {"count": {"type": "integer"}}})
DEFINITIONS = {"AVRO": AVRO, "PROTOBUF": PROTOBUF, "JSON": JSON}
GLUE_ARN = "arn:aws:glue:us-east-1:000000000000:registry/shop"
NOWHERE = "http://127.0.0.1:9"


class Kit(Protocol):
    """One registry to try, and how records for it are written."""

    registry: RegistryClient
    away: RegistryClient
    """The same where nobody listens."""
    item: bytes
    """Which message `Item` of the Protobuf schema is."""

    async def register(self, data_format: str) -> str: ...

    async def forget(self, schema_id: str) -> None: ...

    def framed(self, schema_id: str, data: bytes) -> bytes: ...

    def unknown(self) -> str: ...


class ConfluentKit:
    item = b"\x02\x02"  # one number: 1

    def __init__(self, stub: SchemaRegistry) -> None:
        self._stub = stub
        self.registry: RegistryClient = ConfluentRegistry(stub.url + "/", nobody)
        self.away: RegistryClient = ConfluentRegistry(NOWHERE, nobody)

    async def register(self, data_format: str) -> str:
        return str(self._stub.add("items", DEFINITIONS[data_format], data_format))

    async def forget(self, schema_id: str) -> None:
        del self._stub.schemas[int(schema_id)]

    def framed(self, schema_id: str, data: bytes) -> bytes:
        return b"\x00" + int(schema_id).to_bytes(4) + data

    def unknown(self) -> str:
        return "4000000000"


class GlueKit:
    item = b"\x00"  # the first by name

    def __init__(self, clients: Clients, away: Clients) -> None:
        self._clients = clients
        self._names: dict[str, str] = {}
        self.registry: RegistryClient = GlueRegistry(Arn.parse(GLUE_ARN), clients)
        self.away: RegistryClient = GlueRegistry(Arn.parse(GLUE_ARN), away)

    async def register(self, data_format: str) -> str:
        glue = await self._clients.get("glue")
        name = f"items-{uuid.uuid4().hex}"
        made = await glue.create_schema(
            SchemaName=name, DataFormat=data_format, Compatibility="NONE", SchemaDefinition=DEFINITIONS[data_format]
        )
        self._names[made["SchemaVersionId"]] = name
        return str(made["SchemaVersionId"])

    async def forget(self, schema_id: str) -> None:
        which = {"RegistryName": "default-registry", "SchemaName": self._names[schema_id]}
        await (await self._clients.get("glue")).delete_schema(SchemaId=which)

    def framed(self, schema_id: str, data: bytes) -> bytes:
        return b"\x03\x05" + uuid.UUID(schema_id).bytes + zlib.compress(data)

    def unknown(self) -> str:
        return str(uuid.uuid4())


async def nobody() -> RestAccess:
    return RestAccess()


@pytest.fixture(params=["confluent", "glue"])
async def kit(request: pytest.FixtureRequest) -> AsyncIterator[Kit]:
    if request.param == "confluent":
        async with schema_registry_stub.serve() as stub:
            made = ConfluentKit(stub)
            yield made
            await made.registry.aclose()
    else:
        url = request.getfixturevalue("moto").endpoint_url
        async with Clients(AwsSettings(endpoint_url=url)) as there, Clients(AwsSettings(endpoint_url=NOWHERE)) as away:
            yield GlueKit(there, away)


def written(kit: Kit, data_format: str) -> bytes:
    """An Item with a count of 3."""
    return {"AVRO": b"\x06", "PROTOBUF": kit.item + b"\x08\x03", "JSON": b'{"count":3}'}[data_format]


@pytest.mark.semantics("SCHEMA-02")
@pytest.mark.semantics("SCHEMA-03")
@pytest.mark.parametrize("data_format", ["AVRO", "PROTOBUF", "JSON"])
@pytest.mark.parametrize("record_format", ["JSON", "SOURCE"])
async def test_records_are_decoded(kit: Kit, data_format: Any, record_format: Literal["JSON", "SOURCE"]) -> None:
    schema_id = await kit.register(data_format)
    data = written(kit, data_format)
    schemas = RecordSchemas(kit.registry, record_format, ["VALUE"])
    found = await schemas.decode(b"k", kit.framed(schema_id, data))
    payload = b'{"count":3}' if record_format == "JSON" else data
    metadata = SchemaMetadata(data_format, schema_id)
    assert found == Decoded(b"k", payload, None, metadata, b"k", b'{"count":3}')


@pytest.mark.semantics("SCHEMA-09")
async def test_what_the_registry_never_had(kit: Kit) -> None:
    schema_id = kit.unknown()
    found = await RecordSchemas(kit.registry, "JSON", ["KEY"]).decode(kit.framed(schema_id, b"\x06"), None)
    assert found == SchemaFailure(
        "SCHEMA_NOT_FOUND", f"the record's key names schema {schema_id}, which {kit.registry} does not have"
    )


@pytest.mark.semantics("SCHEMA-09")
async def test_what_the_registry_has_no_more(kit: Kit) -> None:
    schema_id = await kit.register("AVRO")
    value = kit.framed(schema_id, b"\x06")
    known = RecordSchemas(kit.registry, "JSON", ["VALUE"])
    assert isinstance(await known.decode(None, value), Decoded)
    await kit.forget(schema_id)
    found = await RecordSchemas(kit.registry, "JSON", ["VALUE"]).decode(None, value)
    assert isinstance(found, SchemaFailure)
    assert found.reason == "SCHEMA_NOT_FOUND"
    assert isinstance(await known.decode(None, value), Decoded)  # who knows it needs nobody


@pytest.mark.semantics("SCHEMA-10")
async def test_a_registry_that_is_not_there(kit: Kit) -> None:
    with pytest.raises(SourceUnavailable, match=r"schema registry (http|arn)"):
        await RecordSchemas(kit.away, "JSON", ["VALUE"]).decode(None, kit.framed(kit.unknown(), b""))
    await kit.away.aclose()


async def test_an_endpoint_without_glue(ministack: Server) -> None:
    """An emulator that has Glue, and no schemas in it: it says so, and no record is judged by it."""
    async with Clients(AwsSettings(endpoint_url=ministack.endpoint_url)) as clients:
        registry = GlueRegistry(Arn.parse(GLUE_ARN), clients)
        with pytest.raises((SourceRefused, SourceUnavailable), match=GLUE_ARN):
            await registry.schema(str(uuid.uuid4()))
