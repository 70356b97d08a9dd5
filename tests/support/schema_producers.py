"""Keys and values as Confluent's own serializers write them, in each format."""

from __future__ import annotations

import json
from typing import Any

from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.schema_registry.json_schema import JSONSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from google.protobuf import descriptor_pool, json_format, message_factory

from headrace.pollers.schemas.core import proto_text

ORDER_AVRO = json.dumps(
    {"type": "record", "name": "Order", "namespace": "shop", "fields": [
        {"name": "id", "type": "string"},
        {"name": "amount", "type": ["null", "long"]},
        {"name": "lines", "type": {"type": "array", "items": {"type": "record", "name": "Line", "fields": [
            {"name": "sku", "type": "string"}]}}},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}}]}
)  # fmt: skip
ORDER_PROTOBUF = """
syntax = "proto3";
package shop;
message Header { string trace = 1; }
message Order {
  string id = 1;
  int32 amount = 2;
  message Line { string sku = 1; }
  repeated Line lines = 3;
}
"""
ORDER_JSON = json.dumps(
    {"title": "Order", "type": "object", "properties": {"id": {"type": "string"}, "amount": {"type": "integer"}}}
)
ORDER = {"id": "o-7", "amount": 12, "lines": [{"sku": "a"}, {"sku": "b"}]}


def message_class(text: str, name: str) -> Any:
    """The class that protoc's output would have: made of the same descriptor."""
    file = proto_text.parse(text)
    file.name = f"{name}.proto"
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(name))


def avro(client: SchemaRegistryClient, order: dict[str, Any], context: SerializationContext) -> bytes:
    return bytes(AvroSerializer(client, ORDER_AVRO)(order | {"at": 1_767_225_600_000}, context) or b"")


def protobuf(client: SchemaRegistryClient, order: dict[str, Any], context: SerializationContext) -> bytes:
    kind = message_class(ORDER_PROTOBUF, "shop.Order")
    serializer = ProtobufSerializer(kind, client, {"use.deprecated.format": False})
    return bytes(serializer(json_format.ParseDict(order, kind()), context) or b"")


def json_(client: SchemaRegistryClient, order: dict[str, Any], context: SerializationContext) -> bytes:
    return bytes(JSONSerializer(ORDER_JSON, client)(order, context) or b"")


PRODUCERS = {"AVRO": avro, "PROTOBUF": protobuf, "JSON": json_}


def written(url: str, data_format: str, order: dict[str, Any], field: MessageField = MessageField.VALUE) -> bytes:
    """A record's key or value, with its schema in the registry. Blocks."""
    with SchemaRegistryClient({"url": url}) as client:
        return PRODUCERS[data_format](client, order, SerializationContext("orders", field))
