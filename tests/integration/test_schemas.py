"""Records as the usual client libraries write them, read with their registry; and registries that make trouble."""

from __future__ import annotations

import asyncio
import json
import ssl
import subprocess
import sys
import tempfile
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import anyio.to_thread
import pytest
from aiohttp import web
from confluent_kafka.schema_registry import Schema, SchemaReference, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from headrace.config.clients.aws import AwsSettings, Clients
from headrace.config.errors import SourceError, SourceRefused, SourceUnavailable
from headrace.config.fields.kafka_mapping import SchemaRegistryConfig
from headrace.dispatch.kinds.kafka import SchemaMetadata
from headrace.dispatch.kinds.table import filter_rules
from headrace.dispatch.patterns.formats import RecordFilter
from headrace.pollers.schemas import Decoded, RecordSchemas, SchemaFailure, open_schemas, opening
from headrace.pollers.schemas.core import proto_text
from support import schema_registry_stub
from support.certificates import Authority
from support.schema_producers import ORDER, ORDER_PROTOBUF, PRODUCERS, written
from support.schema_registry_stub import SchemaRegistry

Format = Literal["JSON", "SOURCE"]


@pytest.fixture
async def registry() -> AsyncIterator[SchemaRegistry]:
    async with schema_registry_stub.serve() as serving:
        yield serving


@pytest.fixture
async def clients() -> AsyncIterator[Clients]:
    async with Clients(AwsSettings(endpoint_url="http://127.0.0.1:9")) as made:
        yield made


def config(url: str, form: Format = "JSON", access: Mapping[str, str] | None = None) -> SchemaRegistryConfig:
    return SchemaRegistryConfig.model_validate(
        {
            "schema_registry_uri": url,
            "event_record_format": form,
            "access_configs": [{"type": kind, "uri": uri} for kind, uri in (access or {}).items()],
            "schema_validation_configs": [{"attribute": "KEY"}, {"attribute": "VALUE"}],
        }
    )


def opened(clients: Clients, found: SchemaRegistryConfig, environ: Mapping[str, str] | None = None) -> RecordSchemas:
    return open_schemas(found, clients, Path(), environ or {})


# --- what producers write ---------------------------------------------------------------------------------------------


async def produced(
    registry: SchemaRegistry, data_format: str, order: dict[str, Any], field: MessageField = MessageField.VALUE
) -> bytes:
    """A record's key or value by Confluent's own client, which blocks."""
    return await anyio.to_thread.run_sync(written, registry.url, data_format, order, field)


@pytest.mark.semantics("SCHEMA-01")
@pytest.mark.semantics("SCHEMA-02")
@pytest.mark.semantics("SCHEMA-03")
@pytest.mark.parametrize("form", ["JSON", "SOURCE"])
@pytest.mark.parametrize("data_format", list(PRODUCERS))
async def test_what_clients_write(registry: SchemaRegistry, clients: Clients, data_format: Any, form: Format) -> None:
    key = await produced(registry, data_format, ORDER | {"id": "key"}, MessageField.KEY)
    value = await produced(registry, data_format, ORDER)
    schemas = opened(clients, config(registry.url, form))
    found = await schemas.decode(key, value)
    await schemas.aclose()

    assert isinstance(found, Decoded)
    assert found.key_schema == found.value_schema == SchemaMetadata(data_format, "1")
    expected = ORDER | ({"at": 1_767_225_600_000} if data_format == "AVRO" else {})
    assert found.value_json is not None
    assert found.key_json is not None
    assert json.loads(found.value_json) == expected
    assert json.loads(found.key_json) == expected | {"id": "key"}
    if form == "JSON":
        assert (found.key, found.value) == (found.key_json, found.value_json)
    else:
        assert (found.key, found.value) == (key[5:], value[5:])


@pytest.mark.semantics("SCHEMA-04")
@pytest.mark.parametrize("form", ["JSON", "SOURCE"])
@pytest.mark.parametrize("data_format", list(PRODUCERS))
async def test_filters_look_at_the_decoded_value(
    registry: SchemaRegistry, clients: Clients, data_format: str, form: Format
) -> None:
    large = RecordFilter.parse(filter_rules("kafka"), [{"value": {"amount": [{"numeric": [">", 10]}]}}])
    schemas = opened(clients, config(registry.url, form))
    kept = []
    for amount in (5, 12, 10, 11):
        found = await schemas.decode(None, await produced(registry, data_format, ORDER | {"amount": amount}))
        assert isinstance(found, Decoded)
        if large.keeps({"topic": "orders"}, found.value_json):
            kept.append(amount)
    await schemas.aclose()
    assert kept == [12, 11]
    assert registry.asked.count("/schemas/ids/1") == 1  # four records, one look-up


@pytest.mark.parametrize("knows_formats", [True, False])
async def test_a_registry_that_has_protobuf_as_text_only(
    registry: SchemaRegistry, clients: Clients, knows_formats: bool
) -> None:
    value = await produced(registry, "PROTOBUF", ORDER)
    registry.knows_formats = knows_formats
    registry.texts = {registry.schemas[1]["schema"]: ORDER_PROTOBUF}
    schemas = opened(clients, config(registry.url))
    found = await schemas.decode(None, value)
    await schemas.aclose()
    assert isinstance(found, Decoded)
    assert json.loads(found.value or b"") == ORDER


async def test_avro_that_refers_to_other_schemas(registry: SchemaRegistry, clients: Clients) -> None:
    money = '{"type": "record", "name": "Money", "namespace": "bank", "fields": [{"name": "cents", "type": "long"}]}'
    price = '{"type": "record", "name": "Price", "namespace": "s", "fields": [{"name": "net", "type": "bank.Money"}]}'
    order = '{"type": "record", "name": "Order", "namespace": "s", "fields": [{"name": "price", "type": "s.Price"}]}'

    def produce() -> bytes:
        with SchemaRegistryClient({"url": registry.url}) as client:
            client.register_schema("money/1 é", Schema(money, "AVRO"))
            inner = [SchemaReference("bank.Money", "money/1 é", 1)]
            client.register_schema("price", Schema(price, "AVRO", inner))
            outer = Schema(order, "AVRO", [SchemaReference("s.Price", "price", 1)])
            context = SerializationContext("orders", MessageField.VALUE)
            return bytes(AvroSerializer(client, outer)({"price": {"net": {"cents": 5}}}, context) or b"")

    value = await anyio.to_thread.run_sync(produce)
    schemas = opened(clients, config(registry.url))
    found = await schemas.decode(None, value)
    assert isinstance(found, Decoded)
    assert found.value == b'{"price":{"net":{"cents":5}}}'
    await schemas.aclose()

    del registry.subjects["money/1 é"]
    again = opened(clients, config(registry.url))
    gone = await again.decode(None, value)
    await again.aclose()
    assert isinstance(gone, SchemaFailure)
    assert gone.reason == "SCHEMA_NOT_FOUND"


async def test_protobuf_that_imports_other_schemas(registry: SchemaRegistry, clients: Clients) -> None:
    def descriptor(text: str) -> str:
        return b64encode(proto_text.parse(text).SerializeToString()).decode()

    money = 'syntax = "proto3"; package bank; message Money { int64 cents = 1; }'
    order = 'syntax = "proto3"; import "bank/money.proto"; message Order { bank.Money price = 1; }'
    registry.add("money", descriptor(money), "PROTOBUF")
    reference = {"name": "bank/money.proto", "subject": "money", "version": 1}
    schema_id = registry.add("order", descriptor(order), "PROTOBUF", [reference])
    schemas = opened(clients, config(registry.url))
    found = await schemas.decode(None, b"\x00" + schema_id.to_bytes(4) + b"\x00\x0a\x02\x08\x05")
    await schemas.aclose()
    assert isinstance(found, Decoded)
    assert found.value == b'{"price":{"cents":"5"}}'


async def test_json_that_refers_to_other_schemas(registry: SchemaRegistry, clients: Clients) -> None:
    registry.add("money", '{"type": "integer"}', "JSON")
    reference = {"name": "money.json", "subject": "money", "version": 1}
    schema_id = registry.add("order", '{"properties": {"price": {"$ref": "money.json"}}}', "JSON", [reference])
    schemas = opened(clients, config(registry.url))
    header = b"\x00" + schema_id.to_bytes(4)
    assert isinstance(await schemas.decode(None, header + b'{"price": 5}'), Decoded)
    assert isinstance(await schemas.decode(None, header + b'{"price": "5"}'), SchemaFailure)
    await schemas.aclose()


# --- registries that make trouble -------------------------------------------------------------------------------------


@pytest.mark.semantics("SCHEMA-10")
async def test_a_registry_that_is_down_and_comes_back(registry: SchemaRegistry, clients: Clients) -> None:
    value = await produced(registry, "AVRO", ORDER)
    schemas = opened(clients, config(registry.url))
    registry.down = True
    with pytest.raises(SourceUnavailable, match=r"answers 503 .*down for the moment"):
        await schemas.decode(None, value)
    registry.down = False
    assert isinstance(await schemas.decode(None, value), Decoded)
    registry.down = True
    assert isinstance(await schemas.decode(None, value), Decoded)  # what is known needs nobody
    await schemas.aclose()


@pytest.mark.semantics("SCHEMA-12")
async def test_a_login_that_is_replaced(registry: SchemaRegistry, clients: Clients) -> None:
    value = await produced(registry, "AVRO", ORDER)
    registry.login = ("ann", "new")
    environ = {"LOGIN": '{"username": "ann", "password": "old-s3cret"}'}
    schemas = opened(clients, config(registry.url, access={"BASIC_AUTH": "env:LOGIN"}), environ)
    with pytest.raises(SourceRefused, match=r"answers 401 .*check the BASIC_AUTH secret") as refused:
        await schemas.decode(None, value)
    assert "old-s3cret" not in str(refused.value)
    environ["LOGIN"] = '{"username": "ann", "password": "new"}'
    assert isinstance(await schemas.decode(None, value), Decoded)
    await schemas.aclose()


@pytest.mark.semantics("SCHEMA-17")
async def test_a_registry_that_wants_a_token(registry: SchemaRegistry, clients: Clients) -> None:
    value = await produced(registry, "AVRO", ORDER)
    given = iter(["old-t0ken", "new-t0ken"])

    async def answer(request: web.Request) -> web.Response:
        return web.json_response({"access_token": next(given), "expires_in": 3600})

    async with token_endpoint(answer) as url:
        client = {"oauthTokenEndpointUrl": url, "oauthClientId": "me", "oauthClientSecret": "s3cret"}
        access = {"OAUTHBEARER_AUTH": "env:CLIENT"}
        schemas = opened(clients, config(registry.url, access=access), {"CLIENT": json.dumps(client)})
        registry.token = "new-t0ken"
        with pytest.raises(SourceRefused, match=r"answers 401 .*check the OAUTHBEARER_AUTH secret") as refused:
            await schemas.decode(None, value)
        assert "t0ken" not in str(refused.value)
        assert isinstance(await schemas.decode(None, value), Decoded)
        await schemas.aclose()


@asynccontextmanager
async def token_endpoint(answer: Any) -> AsyncIterator[str]:
    application = web.Application()
    application.router.add_post("/token", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/token"
    finally:
        await runner.cleanup()


@pytest.mark.semantics("SCHEMA-12")
@pytest.mark.parametrize(
    ("user", "login"),
    [("ann:s3cret", ("ann", "s3cret")), ("a%3An:p%40%2F%E2%82%AC", ("a:n", "p@/\u20ac")), ("key", ("key", ""))],
    ids=["plain", "escaped", "user alone"],
)
async def test_a_login_in_the_url(
    registry: SchemaRegistry, clients: Clients, user: str, login: tuple[str, str]
) -> None:
    value = await produced(registry, "AVRO", ORDER)
    registry.login = ("bob", "other")
    schemas = opened(clients, config(registry.url.replace("://", f"://{user}@")))
    with pytest.raises(SourceRefused, match=r"answers 401 .*check the login in its URL") as refused:
        await schemas.decode(None, value)
    assert f"schema registry {registry.url} answers" in str(refused.value)
    registry.login = login
    assert isinstance(await schemas.decode(None, value), Decoded)
    await schemas.aclose()


@pytest.mark.semantics("SCHEMA-10")
async def test_a_secret_that_is_not_there_judges_no_record(registry: SchemaRegistry, clients: Clients) -> None:
    registry.add("orders", '"long"')
    schemas = opened(clients, config(registry.url, access={"BASIC_AUTH": "file:nowhere/login"}))
    with pytest.raises(SourceError, match="nowhere/login"):
        await schemas.decode(None, b"\x00\x00\x00\x00\x01\x02")
    await schemas.aclose()


@pytest.mark.semantics("SCHEMA-12")
async def test_certificates_of_ones_own(clients: Clients) -> None:
    authority, other = Authority("registry's"), Authority("somebody's")
    server, client = authority.pair("registry", hosts=("127.0.0.1",)), authority.pair("headrace")
    stranger = other.pair("headrace")

    def secret(pair: Any) -> str:
        return json.dumps({"certificate": pair.certificate, "privateKey": pair.private_key})

    environ = {
        "CA": json.dumps({"certificate": authority.certificate}),
        "OTHER_CA": json.dumps({"certificate": other.certificate}),
        "CLIENT": secret(client),
        "STRANGER": secret(stranger),
    }
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_verify_locations(cadata=authority.certificate)
    tls.verify_mode = ssl.CERT_REQUIRED
    _load(tls, server)
    async with schema_registry_stub.serve(tls=tls) as registry:
        registry.add("orders", '"long"')

        async def attempt(**access: str) -> Decoded | SchemaFailure:
            schemas = opened(clients, config(registry.url, access=access), environ)
            try:
                return await schemas.decode(None, b"\x00\x00\x00\x00\x01\x02")
            finally:
                await schemas.aclose()

        found = await attempt(SERVER_ROOT_CA_CERTIFICATE="env:CA", CLIENT_CERTIFICATE_TLS_AUTH="env:CLIENT")
        assert isinstance(found, Decoded)
        with pytest.raises(SourceUnavailable, match=r"does not answer: .*certificate"):
            await attempt(SERVER_ROOT_CA_CERTIFICATE="env:OTHER_CA", CLIENT_CERTIFICATE_TLS_AUTH="env:CLIENT")
        with pytest.raises(SourceUnavailable, match=r"does not answer: .*certificate"):
            await attempt(CLIENT_CERTIFICATE_TLS_AUTH="env:CLIENT")
        with pytest.raises(SourceUnavailable, match="does not answer"):
            await attempt(SERVER_ROOT_CA_CERTIFICATE="env:CA")
        with pytest.raises(SourceUnavailable, match="does not answer"):
            await attempt(SERVER_ROOT_CA_CERTIFICATE="env:CA", CLIENT_CERTIFICATE_TLS_AUTH="env:STRANGER")
        with pytest.raises(SourceError, match="GONE"):
            await attempt(SERVER_ROOT_CA_CERTIFICATE="env:GONE")


def _load(context: ssl.SSLContext, pair: Any) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "pem")
        path.write_text(pair.certificate + pair.private_key)
        context.load_cert_chain(path)


@asynccontextmanager
async def answering(answer: Callable[[web.Request], Awaitable[web.Response]]) -> AsyncIterator[str]:
    """A server's URL that gives this answer to everything."""
    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()


ANSWERS = {
    "not JSON": (200, "<html>", SourceUnavailable, "does not answer with JSON: is the URL right"),
    "a list": (200, "[]", SourceUnavailable, "does not answer with JSON"),
    "no schema": (200, "{}", SourceUnavailable, "answers without 'schema'"),
    "another type": (200, '{"schema": "", "schemaType": "XML"}', SourceUnavailable, "of type 'XML'"),
    "odd references": (200, '{"schema": "", "references": [5]}', SourceUnavailable, "invalid references"),
    "no references": (200, '{"schema": "", "references": 5}', SourceUnavailable, "invalid references"),
    "a reference to nothing": (
        200,
        '{"schema": "", "references": [{"name": "a"}]}',
        SourceUnavailable,
        "invalid references",
    ),
    "not here": (404, "no such page", SourceRefused, "answers 404: is the URL right"),
    "not here, as JSON": (404, '{"error_code": 404, "message": "HTTP 404"}', SourceRefused, "is the URL right"),
    "forbidden": (403, "", SourceRefused, "may not read schemas"),
    "throttled": (429, "", SourceUnavailable, "answers 429"),
    "too slow": (408, "", SourceUnavailable, "answers 408"),
    "broken": (500, '{"error_code": "x"}', SourceUnavailable, "answers 500"),
}


@pytest.mark.semantics("SCHEMA-10")
@pytest.mark.parametrize("case", list(ANSWERS))
async def test_answers_that_judge_no_record(clients: Clients, case: str) -> None:
    status, text, kind, why = ANSWERS[case]

    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=status, text=text)

    async with answering(answer) as url:
        schemas = opened(clients, config(url))
        with pytest.raises(kind, match=why):
            await schemas.decode(None, b"\x00\x00\x00\x00\x01\x02")
        await schemas.aclose()


async def test_nobody_sends_us_elsewhere(registry: SchemaRegistry, clients: Clients) -> None:
    """Where our login would go too."""
    registry.add("orders", '"long"')

    async def elsewhere(request: web.Request) -> web.Response:
        raise web.HTTPTemporaryRedirect(registry.url + request.path_qs)

    async with answering(elsewhere) as url:
        schemas = opened(clients, config(url))
        with pytest.raises(SourceRefused, match="answers 307: is the URL right"):
            await schemas.decode(None, b"\x00\x00\x00\x00\x01\x02")
        await schemas.aclose()
    assert registry.asked == []


async def test_references_that_go_in_a_circle(registry: SchemaRegistry, clients: Clients) -> None:
    to_b, to_a = {"name": "b", "subject": "b", "version": 1}, {"name": "a", "subject": "a", "version": 1}
    registry.add("a", '"int"', "AVRO", [to_b])
    registry.add("b", '"long"', "AVRO", [to_a])
    schemas = opened(clients, config(registry.url))
    assert isinstance(await schemas.decode(None, b"\x00\x00\x00\x00\x01\x02"), Decoded)
    await schemas.aclose()


async def test_references_without_end(clients: Clients) -> None:
    count = 0

    async def answer(request: web.Request) -> web.Response:
        nonlocal count
        count += 1
        more = {"name": f"r{count}", "subject": "r", "version": count}
        return web.json_response({"schema": '"long"', "references": [more]})

    async with answering(answer) as url:
        schemas = opened(clients, config(url))
        found = await schemas.decode(None, b"\x00\x00\x00\x00\x01\x02")
        await schemas.aclose()
    assert isinstance(found, SchemaFailure)
    assert count == 201


async def test_an_answer_that_does_not_come_while_we_leave(registry: SchemaRegistry, clients: Clients) -> None:
    registry.add("orders", '"long"')
    registry.hold = asyncio.Event()
    schemas = opened(clients, config(registry.url))
    decoding = asyncio.create_task(schemas.decode(None, b"\x00\x00\x00\x00\x01\x02"))
    while not registry.asked:  # noqa: ASYNC110 - the stub says when it was asked
        await anyio.sleep(0.01)
    decoding.cancel()
    with pytest.raises(asyncio.CancelledError):
        await decoding
    registry.hold = None
    assert isinstance(await schemas.decode(None, b"\x00\x00\x00\x00\x01\x02"), Decoded)
    await schemas.aclose()


# --- what cannot be opened --------------------------------------------------------------------------------------------


def test_without_the_libraries() -> None:
    assert opening.missing_libraries() == ""
    assert opening.missing_libraries(["fastavro", "nowhere.protobuf", "nowhere"]) == "nowhere.protobuf, nowhere"


def test_no_library_is_loaded_before_it_is_needed() -> None:
    """Their start-up time is paid by mappings with a registry, and they may be missing."""
    libraries = ["fastavro", "google.protobuf", "jsonschema", "referencing", "aiohttp"]
    script = f"import sys, headrace.pollers.schemas; print([name for name in {libraries} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
