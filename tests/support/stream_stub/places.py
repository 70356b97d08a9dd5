"""Tokens that the stub hands out and gets back: shard iterators and the places of a listing. Opaque to a client."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import astuple, dataclass

import orjson

from .model import Shard, Stream


@dataclass(frozen=True, slots=True)
class Place:
    """Where a reader of a shard stands."""

    arn: str
    created: float
    """Of the stream, which may have been made anew since."""
    shard: str
    position: int
    """The least sequence number that is wanted."""
    at: float
    """When it was handed out, in the stub's wall-clock seconds."""
    generation: int

    def token(self) -> str:
        return _token([*astuple(self)[:3], str(self.position), self.at, self.generation])

    @staticmethod
    def parse(token: str) -> Place | None:
        match _parts(token):
            case [str(arn), float(created), str(shard), str(position), float(at), int(generation)]:
                return Place(arn, created, shard, int(position), at, generation)
        return None

    def in_(self, stream: Stream) -> bool:
        return (self.arn, self.created) == (stream.arn, stream.created)


@dataclass(frozen=True, slots=True)
class ListPlace:
    """Where a listing goes on."""

    arn: str
    after: str
    """The last shard that was told."""
    filter: str
    """That of the first page, as JSON: it holds for all."""
    at: float

    def token(self) -> str:
        return _token(astuple(self))

    @staticmethod
    def parse(token: str) -> ListPlace | None:
        match _parts(token):
            case [str(arn), str(after), str(shards), float(at)]:
                return ListPlace(arn, after, shards, at)
        return None


def _token(parts: Sequence[object]) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(list(parts))).decode()


def _parts(token: str) -> object:
    try:
        return orjson.loads(base64.urlsafe_b64decode(token))
    except ValueError:
        return None


def position(shard: Shard, kind: str, number: int, time: float) -> int:
    """The least sequence number that a reader wants who starts like this. `kind` as in the API."""
    match kind:
        case "TRIM_HORIZON":
            return shard.horizon
        case "LATEST":
            return shard.tip
        case "AT_TIMESTAMP":
            return shard.since(time)
        case "AT_SEQUENCE_NUMBER":
            return number
        case "AFTER_SEQUENCE_NUMBER":
            return number + 1
    raise ValueError(f"unknown position: {kind}")
