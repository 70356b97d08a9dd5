"""Avro to JSON. fastavro reads the schema; the data are read here.

fastavro's own reader overflows the stack (and ends the process) on data that nest some ten thousand levels, reads
blocks of zero-width items for hours, and takes enum symbols from the end for negative numbers: too much trust for bytes
from unknown writers.

JSON as by Avro's JSON encoding (https://avro.apache.org/docs/1.12.0/specification/#json-encoding), with one
difference: a union's value stands plain, not inside of an object that names its branch. So logical types are their
underlying values (milliseconds, days, unscaled bytes), and bytes are text with one character per byte. Numbers that
JSON has no form for are "NaN", "Infinity" and "-Infinity".
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ....dispatch.core.model import encode
from .model import Codec, Schema, Undecodable

DEEPEST = 100
"""Levels of data inside of one another; as many as Protobuf's readers take."""
MOST_EMPTY = 100_000
"""Items that may take no bytes at all (nulls, records without fields)."""
SMALLEST, LARGEST = -(2**31), 2**31 - 1
"""The range of an `int`."""


class Buffer:
    """The data, and how far they are read."""

    __slots__ = ("at", "data", "depth", "items")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0
        self.depth = 0
        self.items = len(data) + MOST_EMPTY

    def take(self, size: int) -> bytes:
        begin = self.at
        end = begin + size
        if size < 0 or end > len(self.data):
            raise Undecodable(f"is cut off: {size} bytes are wanted at byte {begin} of {len(self.data)}")
        self.at = end
        return self.data[begin:end]

    def integer(self) -> int:
        """A zigzag varint of up to 64 bits."""
        number = shift = 0
        data, at = self.data, self.at
        while True:
            if at >= len(data) or shift > 63:
                raise Undecodable(f"has no number at byte {self.at}")
            byte = data[at]
            at += 1
            number |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
            shift += 7
        if number >> 64:
            raise Undecodable(f"has a number of more than 64 bits at byte {self.at}")
        self.at = at
        return (number >> 1) ^ -(number & 1)

    def text(self) -> str:
        try:
            return self.take(self.integer()).decode()
        except UnicodeDecodeError as error:
            raise Undecodable(f"has text before byte {self.at} that is not UTF-8") from error

    def count(self) -> int:
        """Items in the next block of an array or map; 0 ends it."""
        count = self.integer()
        if count < 0:
            count = -count
            self.integer()  # the block's size in bytes, for readers that skip
        self.items -= count
        if self.items < 0:
            raise Undecodable(f"has more items than {len(self.data)} bytes can have")
        return count

    def choice(self, choices: int, what: str) -> int:
        number = self.integer()
        if not 0 <= number < choices:
            raise Undecodable(f"has {what} number {number} before byte {self.at}: there are {choices}")
        return number

    def enter(self) -> None:
        self.depth += 1
        if self.depth > DEEPEST:
            raise Undecodable(f"nests deeper than {DEEPEST} levels")


Read = Callable[[Buffer], Any]


def codec(schema: Schema) -> Codec:
    """Raises Undecodable for a schema that is none."""
    try:
        read = _Compiler(*_parsed(schema)).root
    except Exception as error:  # any schema may be registered: fastavro's own errors, and those of odd JSON
        raise Undecodable(f"has a schema that is not Avro: {type(error).__name__}") from error

    def decode(data: bytes) -> bytes:
        buffer = Buffer(data)
        value = read(buffer)
        if buffer.at != len(data):
            raise Undecodable(f"has {len(data) - buffer.at} bytes more than its schema has fields for")
        return encode(value)

    return decode


def _parsed(schema: Schema) -> tuple[Any, Mapping[str, Any]]:
    """The schema with full names everywhere, and the definition of each."""
    import fastavro

    known: dict[str, Any] = {}
    for definition in schema.references.values():
        fastavro.parse_schema(json.loads(definition), named_schemas=known)
    return fastavro.parse_schema(json.loads(schema.definition), named_schemas=known), known


class _Compiler:
    """Makes a function of each type of a schema, once: named types may be inside of themselves."""

    def __init__(self, schema: Any, known: Mapping[str, Any]) -> None:
        self._known = known
        self._begun: set[str] = set()
        """Names that are being defined, or are."""
        self._made: dict[str, Read] = {}
        self.root = self._read(schema)

    def _read(self, schema: Any) -> Read:
        if isinstance(schema, list):
            return _union([self._read(branch) for branch in schema])
        if isinstance(schema, str):
            return PRIMITIVES.get(schema) or self._named(schema)
        match schema["type"]:
            case "array":
                return _array(self._read(schema["items"]))
            case "map":
                return _map(self._read(schema["values"]))
            case "record" | "error" | "fixed" | "enum":
                return self._named(schema["name"])
            case inner:
                return self._read(inner)

    def _named(self, name: str) -> Read:
        if name in self._begun:
            return lambda buffer: self._made[name](buffer)
        self._begun.add(name)
        self._made[name] = made = self._defined(self._known[name])
        return made

    def _defined(self, schema: Mapping[str, Any]) -> Read:
        match schema["type"]:
            case "enum":
                return _enum(list(schema["symbols"]))
            case "fixed":
                return _fixed(int(schema["size"]))
            case _:
                return _record([(field["name"], self._read(field["type"])) for field in schema["fields"]])


def _union(branches: list[Read]) -> Read:
    return lambda buffer: branches[buffer.choice(len(branches), "branch of a union")](buffer)


def _enum(symbols: list[str]) -> Read:
    return lambda buffer: symbols[buffer.choice(len(symbols), "symbol of an enum")]


def _fixed(size: int) -> Read:
    return lambda buffer: buffer.take(size).decode("latin-1")


def _record(fields: list[tuple[str, Read]]) -> Read:
    def read(buffer: Buffer) -> dict[str, Any]:
        buffer.enter()
        value = {name: field(buffer) for name, field in fields}
        buffer.depth -= 1
        return value

    return read


def _array(item: Read) -> Read:
    def read(buffer: Buffer) -> list[Any]:
        buffer.enter()
        value: list[Any] = []
        while count := buffer.count():
            value.extend(item(buffer) for _ in range(count))
        buffer.depth -= 1
        return value

    return read


def _map(item: Read) -> Read:
    def read(buffer: Buffer) -> dict[str, Any]:
        buffer.enter()
        value: dict[str, Any] = {}
        while count := buffer.count():
            value |= {buffer.text(): item(buffer) for _ in range(count)}
        buffer.depth -= 1
        return value

    return read


# --- primitive types --------------------------------------------------------------------------------------------------


def _boolean(buffer: Buffer) -> bool:
    byte = buffer.take(1)[0]
    if byte > 1:
        raise Undecodable(f"has {byte} for a boolean before byte {buffer.at}")
    return byte == 1


def _int(buffer: Buffer) -> int:
    number = buffer.integer()
    if not SMALLEST <= number <= LARGEST:
        raise Undecodable(f"has a number of more than 32 bits for an int before byte {buffer.at}")
    return number


def _float(buffer: Buffer) -> float | str:
    number: float = struct.unpack("<f", buffer.take(4))[0]
    return _finite(next(filter(lambda short: _single(short) == number, _shortened(number)), number))


def _shortened(number: float) -> Iterator[float]:
    return (float(f"{number:.{digits}g}") for digits in range(6, 9))


def _single(number: float) -> float:
    return float(struct.unpack("<f", struct.pack("<f", number))[0])


def _double(buffer: Buffer) -> float | str:
    return _finite(struct.unpack("<d", buffer.take(8))[0])


def _finite(number: float) -> float | str:
    if math.isfinite(number):
        return number
    return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"


PRIMITIVES: Mapping[str, Read] = {
    "null": lambda buffer: None,
    "boolean": _boolean,
    "int": _int,
    "long": Buffer.integer,
    "float": _float,
    "double": _double,
    "bytes": lambda buffer: buffer.take(buffer.integer()).decode("latin-1"),
    "string": Buffer.text,
}
