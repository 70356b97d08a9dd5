"""The headers in front of data that were written with a schema."""

from __future__ import annotations

import zlib
from contextlib import suppress
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.pollers.schemas.core import wire
from headrace.pollers.schemas.core.model import Undecodable
from headrace.pollers.schemas.core.wire import Framed

VERSION = UUID("b7b4a7f0-9c96-4e4a-a687-fb5de9ef0c63")


def glue(data: bytes, compression: int = 0) -> bytes:
    return bytes([3, compression]) + VERSION.bytes + data


def test_confluent() -> None:
    assert wire.unframe_confluent(b"\x00\x00\x01\x00\x02rest") == Framed("65538", b"rest")
    assert wire.unframe_confluent(b"\x00\xff\xff\xff\xff") == Framed("4294967295", b"")


@pytest.mark.parametrize("raw", [b"", b"\x00\x00\x00\x01", b'{"a":1}', b"\x01\x00\x00\x00\x01rest"])
def test_not_confluent(raw: bytes) -> None:
    with pytest.raises(Undecodable, match="Confluent's format"):
        wire.unframe_confluent(raw)


def test_glue() -> None:
    assert wire.unframe_glue(glue(b"rest")) == Framed(str(VERSION), b"rest")
    assert wire.unframe_glue(glue(zlib.compress(b"rest"), 5)) == Framed(str(VERSION), b"rest")


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"", "it is empty"),
        (b"\x03\x00" + VERSION.bytes[:-1], "Glue's format"),
        (b"\x00\x00\x00\x00\x01" + bytes(20), "its first byte is 0, of 25"),
        (glue(b"rest", 1), "compressed in a way"),
        (glue(b"rest", 5), "is not the zlib data"),
        (glue(zlib.compress(b"rest")[:-1], 5), "cut off"),
        (glue(zlib.compress(b"rest") + b"more", 5), "something follows"),
    ],
)
def test_not_glue(raw: bytes, why: str) -> None:
    with pytest.raises(Undecodable, match=why):
        wire.unframe_glue(raw)


def test_a_bomb_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "LARGEST", 1000)
    assert len(wire.unframe_glue(glue(zlib.compress(bytes(1000)), 5)).data) == 1000
    with pytest.raises(Undecodable, match="more than 1000 bytes"):
        wire.unframe_glue(glue(zlib.compress(bytes(1001)), 5))


def test_which_message() -> None:
    assert wire.confluent_message(b"\x00rest") == ((0,), b"rest")  # short for the first
    assert wire.confluent_message(b"\x02\x04rest") == ((2,), b"rest")  # zigzag: one number, 2
    assert wire.confluent_message(b"\x04\x80\x01\x02rest") == ((64, 1), b"rest")
    assert wire.glue_message(b"\x82\x01rest") == (130, b"rest")  # a plain varint


@pytest.mark.parametrize(
    "data", [b"", b"\x80", b"\x04\x02", b"\x80\x80\x80\x80\x80\x00", b"\x01", b"\x80\x01" + bytes(99)]
)
def test_no_message(data: bytes) -> None:
    with pytest.raises(Undecodable):
        wire.confluent_message(data)


@given(st.binary(max_size=60))
def test_anything_is_framed_or_undecodable(raw: bytes) -> None:
    for read in (wire.unframe_confluent, wire.unframe_glue, wire.confluent_message, wire.glue_message):
        with suppress(Undecodable):
            read(raw)
