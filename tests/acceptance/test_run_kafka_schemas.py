"""The daemon as a process between a real broker and a schema registry: records as Confluent's own serializers write
them."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import boto3
import pytest
from confluent_kafka.serialization import MessageField

from support import daemons, schema_registry_stub
from support.daemons import headrace
from support.schema_producers import ORDER, PRODUCERS, written
from support.schema_registry_stub import SchemaRegistry
from support.servers import kafka
from support.servers.running import Server
from support.topics import Topics

pytestmark = pytest.mark.needs("java", "maven")

LARGE: dict[str, Any] = {"filter_criteria": {"filters": [{"pattern": {"value": {"amount": [{"numeric": [">", 10]}]}}}]}}
BOTH = ("KEY", "VALUE")
UNKNOWN = b"\x00\x00\x00\x03\xe7\x02"
"""A value of schema 999."""


@pytest.fixture(scope="module")
def broker() -> Iterator[Server]:
    with kafka.start() as server:
        yield server


@pytest.fixture
def topics(broker: Server) -> Topics:
    return Topics(f"{broker.host}:{broker.port}")


@pytest.fixture
def registry() -> Iterator[SchemaRegistry]:
    with schema_registry_stub.serving() as registry:
        yield registry


def reading(
    topics: Topics, topic: str, uri: str, form: str = "JSON", attributes: tuple[str, ...] = BOTH, **more: Any
) -> dict[str, object]:
    """A mapping of the topic, whose group has the topic's name."""
    access = more.pop("access", [])
    schemas = {
        "schema_registry_uri": uri,
        "event_record_format": form,
        "access_configs": access,
        "schema_validation_configs": [{"attribute": attribute} for attribute in attributes],
    }
    return {
        "self_managed_event_source": {"endpoints": {"kafka_bootstrap_servers": [topics.server]}},
        "topics": [topic],
        "self_managed_kafka_event_source_config": {"consumer_group_id": topic, "schema_registry_config": schemas},
        **more,
    }


def configured(
    directory: Path, function: daemons.Function, mappings: Mapping[str, Mapping[str, object]], endpoint: str = ""
) -> str:
    return str(daemons.write_config(directory, endpoint or "http://127.0.0.1:9", function.url, mappings))


def taken(function: daemons.Function, topic: str) -> list[dict[str, Any]]:
    """The records of a topic that the function was given, in order, repetitions included."""
    groups = [group for event in tuple(function.events) for group in event["records"].values()]
    return [record for records in groups for record in records if record["topic"] == topic]


def data(record: Mapping[str, str], part: str = "value") -> bytes:
    return base64.b64decode(record[part])


@pytest.mark.semantics("SCHEMA-01", "SCHEMA-02", "SCHEMA-03", "SCHEMA-04")
def test_each_format_is_filtered_by_what_is_in_it_and_delivered_as_the_mapping_says(
    topics: Topics, registry: SchemaRegistry, tmp_path: Path
) -> None:
    ways = {f"{kind.lower()}-{form.lower()}": (kind, form) for kind in PRODUCERS for form in ("JSON", "SOURCE")}
    sent: dict[str, list[tuple[bytes, bytes]]] = {}
    mappings = {}
    for name, (kind, form) in ways.items():
        topic = topics.create(topics.name())
        key = written(registry.url, kind, ORDER | {"id": "key"}, MessageField.KEY)
        sent[name] = [(key, written(registry.url, kind, ORDER | {"amount": amount})) for amount in (5, 12, 10, 11)]
        for _, value in sent[name]:
            topics.send(topic, value, key=key)
        mappings[name] = reading(topics, topic, registry.url, form, **LARGE)
    with daemons.function() as function:
        config = configured(tmp_path, function, mappings)
        with daemons.running(config, "--until-idle=60", cwd=tmp_path) as daemon:
            assert daemon.wait() == 0
    for name, (kind, form) in ways.items():
        (topic,) = mappings[name]["topics"]  # type: ignore[misc]
        found = taken(function, topic)
        assert [record["offset"] for record in found] == [1, 3], name
        for record, (key, value) in zip(found, (sent[name][1], sent[name][3]), strict=True):
            metadata = {"dataFormat": kind, "schemaId": str(int.from_bytes(value[1:5]))}
            assert record["keySchemaMetadata"] == record["valueSchemaMetadata"] == metadata
            if form == "SOURCE":
                assert (data(record, "key"), data(record)) == (key[5:], value[5:])
            else:
                assert json.loads(data(record, "key"))["id"] == "key"
        if form == "JSON":
            assert [json.loads(data(record))["amount"] for record in found] == [12, 11], name
        assert topics.committed(topic, topic) == {0: 4}, name
    assert daemon.logged("discard") == []


@pytest.mark.semantics("SCHEMA-09", "SCHEMA-14", "SCHEMA-16")
def test_a_schema_that_is_gone_and_a_record_that_is_corrupt(
    topics: Topics, registry: SchemaRegistry, tmp_path: Path
) -> None:
    told, silent, dead = topics.create(), topics.create(), topics.create()
    key = written(registry.url, "AVRO", ORDER | {"id": "key"}, MessageField.KEY)
    good = written(registry.url, "AVRO", ORDER)
    for topic in (told, silent):
        topics.send(topic, good, UNKNOWN, good, good[:-3], good, key=key)
    destination: dict[str, Any] = {"destination_config": {"on_failure": {"destination": f"kafka://{dead}"}}}
    mappings = {
        "told": reading(topics, told, registry.url, **destination),
        "silent": reading(topics, silent, registry.url, **LARGE),
    }
    with daemons.function() as function:
        config = configured(tmp_path, function, mappings)
        with daemons.running(config, cwd=tmp_path) as daemon:
            daemon.ready()
            for topic in (told, silent):
                daemon.wait_until(lambda topic=topic: topics.committed(topic, topic) == {0: 5})  # type: ignore[misc]
            states = {each["name"]: each["state"] for each in daemon.status()["mappings"]}
            assert states == {"told": "polling", "silent": "polling"}
            assert daemon.stop() == 0
    for topic in (told, silent):
        assert [record["offset"] for record in taken(function, topic)] == [0, 2, 4]
    written_down = sorted((json.loads(value or b"") for _, value in topics.messages(dead, 2)), key=offset)
    assert [each["requestContext"]["condition"] for each in written_down] == [
        "SCHEMA_NOT_FOUND",
        "DESERIALIZATION_ERROR",
    ]
    assert [offset(each) for each in written_down] == ["1", "3"]
    records = [each["payload"]["records"][f"{told}-0"][0] for each in written_down]
    assert [data(record) for record in records] == [UNKNOWN, good[:-3]]  # as they were written
    assert [message_key for message_key, _ in topics.messages(dead, 2)] == [key, key]
    for name, topic in (("told", told), ("silent", silent)):
        gone, corrupt = daemon.logged("discard", mapping=name)
        assert (
            f"(SCHEMA_NOT_FOUND: the record's value names schema 999, which {registry.url} does not have)"
            in gone["event"]
        )
        assert "(DESERIALIZATION_ERROR: the record's value (AVRO schema" in corrupt["event"]
        assert [gone["ids"], corrupt["ids"]] == [[f"{topic}-0@1"], [f"{topic}-0@3"]]
    assert registry.asked.count("/schemas/ids/999") == 2  # by each mapping, once


def offset(document: Mapping[str, Any]) -> str:
    found: str = document["KafkaBatchInfo"]["recordInfo"]["offset"]
    return found


@pytest.mark.semantics("SCHEMA-10", "SCHEMA-13")
def test_a_registry_that_is_down_is_waited_for_over_a_restart_and_holds_up_nobody_else(
    topics: Topics, registry: SchemaRegistry, tmp_path: Path
) -> None:
    topic, other = topics.create(), topics.create()
    orders = [written(registry.url, "JSON", ORDER | {"amount": amount}) for amount in range(5)]
    topics.send(topic, *orders)
    topics.send(other, b"plain")
    plain = {name: value for name, value in reading(topics, other, "").items() if not name.endswith("_config")}
    mappings = {"m": reading(topics, topic, registry.url, attributes=("VALUE",)), "other": plain}
    registry.down = True
    with daemons.function() as function:
        config = configured(tmp_path, function, mappings)
        with daemons.running(config, cwd=tmp_path) as daemon:
            daemon.ready()
            says = f"schema registry {registry.url} answers 503 (50301: down for the moment)"
            daemon.wait_until(lambda: bool(daemon.logged("fetch_failed", mapping="m")))
            daemon.wait_until(lambda: f"m: {says}" in json.loads(daemon.get("/readyz")[1])["reasons"])
            daemon.wait_until(lambda: len(taken(function, other)) == 1)
            topics.send(other, b"more")
            daemon.wait_until(lambda: len(taken(function, other)) == 2)
            assert daemon.stop() == 0
        (line,) = daemon.logged("fetch_failed")
        assert line["event"] == f"m could not fetch: {says}"
        assert taken(function, topic) == []
        assert topics.committed(topic, topic) == {0: 0}
        with daemons.running(config, cwd=tmp_path) as daemon:
            daemon.wait_logged("fetch_failed", mapping="m")
            registry.down = False
            daemon.wait_until(lambda: topics.committed(topic, topic) == {0: 5})
            assert daemon.stop() == 0
    assert [json.loads(data(record))["amount"] for record in taken(function, topic)] == list(range(5))
    assert daemon.logged("discard") == []


def client(server: Server, service: str) -> Any:
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    return boto3.client(service, region_name="us-east-1", endpoint_url=server.endpoint_url, **keys)


@pytest.mark.semantics("SCHEMA-12", "SCHEMA-15")
def test_glue_and_a_login_from_secrets_manager_are_reached_through_the_endpoint(
    topics: Topics, registry: SchemaRegistry, moto: Server, tmp_path: Path
) -> None:
    glue, confluent = topics.create(), topics.create()
    item = {"type": "record", "name": "Item", "fields": [{"name": "amount", "type": "long"}]}
    made = client(moto, "glue").create_schema(
        SchemaName=f"items-{uuid4().hex}", DataFormat="AVRO", Compatibility="NONE", SchemaDefinition=json.dumps(item)
    )
    header = b"\x03\x05" + UUID(made["SchemaVersionId"]).bytes
    topics.send(glue, *(header + zlib.compress(bytes([amount * 2])) for amount in (9, 12)))
    topics.send(confluent, *(written(registry.url, "AVRO", ORDER | {"amount": amount}) for amount in (9, 12)))
    registry.login = ("ann", "s3cret")
    secret = json.dumps({"username": "ann", "password": "s3cret"})
    arn = client(moto, "secretsmanager").create_secret(Name=f"registry-{uuid4().hex}", SecretString=secret)["ARN"]
    shop = "arn:aws:glue:us-east-1:123456789012:registry/shop"
    access = [{"type": "BASIC_AUTH", "uri": arn}]
    mappings = {
        "glue": reading(topics, glue, shop, attributes=("VALUE",), **LARGE),
        "confluent": reading(topics, confluent, registry.url, attributes=("VALUE",), access=access, **LARGE),
    }
    with daemons.function() as function:
        config = configured(tmp_path, function, mappings, moto.endpoint_url)
        checked = headrace("check", config, cwd=tmp_path)
        assert checked.returncode == 0, checked.stderr
        assert f"glue at {moto.endpoint_url}\nsecretsmanager at {moto.endpoint_url}\n" in checked.stdout
        with daemons.running(config, "--until-idle=60", cwd=tmp_path) as daemon:
            assert daemon.wait() == 0
    (found,) = taken(function, glue)
    assert data(found) == b'{"amount":12}'
    assert found["valueSchemaMetadata"] == {"dataFormat": "AVRO", "schemaId": made["SchemaVersionId"]}
    (found,) = taken(function, confluent)
    assert json.loads(data(found))["amount"] == 12
    assert "s3cret" not in daemon.everything


@pytest.mark.semantics("SCHEMA-16")
def test_a_record_that_the_function_does_not_take_keeps_its_key_where_it_is_told_of(
    topics: Topics, registry: SchemaRegistry, tmp_path: Path
) -> None:
    topic, dead = topics.create(), topics.create()
    key = written(registry.url, "AVRO", ORDER | {"id": "key"}, MessageField.KEY)
    topics.send(topic, written(registry.url, "AVRO", ORDER), key=key)
    destination = {"destination_config": {"on_failure": {"destination": f"kafka://{dead}"}}}
    more: dict[str, Any] = {**destination, "maximum_retry_attempts": 0}

    def refuse(event: dict[str, Any]) -> object:
        raise ValueError("no")

    with daemons.function(refuse) as function:
        config = configured(tmp_path, function, {"m": reading(topics, topic, registry.url, **more)})
        with daemons.running(config, "--until-idle=60", cwd=tmp_path) as daemon:
            assert daemon.wait() == 0
    ((told_key, document),) = topics.messages(dead, 1)
    (record,) = json.loads(document or b"")["payload"]["records"][f"{topic}-0"]
    assert told_key == key
    assert json.loads(data(record, "key"))["id"] == "key"  # the event is the one that the function got
