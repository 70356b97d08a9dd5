"""Events as the function sees them: the envelope around the records, and values as all records have them.

A record's own element is made by its kind of source (`dispatch/kinds/`). Envelopes join the elements' cached bytes and
know their own size, so that a batch is cut at the payload limit exactly.

Shapes: https://docs.aws.amazon.com/lambda/latest/dg/ (with-sqs, with-kinesis, with-ddb, with-msk, kafka-process) and
what was observed; docs/semantics/core.md, EVENT-01 and on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Protocol

import pybase64

from .model import BatchKind, Lane, Window, encode
from .pages import Records

Fields = Mapping[str, object]


# --- envelopes --------------------------------------------------------------------------------------------------------


class Envelope(Protocol):
    """The text around the records of one mapping's event.

    The event of n > 0 records is `overhead` + n - 1 commas + the records' bodies + `lane_overhead` of each of their
    lanes, in bytes.
    """

    @property
    def overhead(self) -> int: ...

    def lane_overhead(self, lane: Lane) -> int: ...

    def render(
        self,
        records: Records,
        *,
        lane: Lane | None = None,
        kind: BatchKind = BatchKind.RECORDS,
        window: Window | None = None,
        terminated_early: bool = False,
        state: bytes = b"{}",
    ) -> bytes:
        """The whole event, JSON. All but `records` matters to tumbling windows only; `lane` where there is no record
        to tell it."""
        ...


class RecordsEnvelope:
    """`{"Records":[…]}`."""

    overhead = len(b'{"Records":[]}')

    def lane_overhead(self, lane: Lane) -> int:
        return 0

    def render(
        self,
        records: Records,
        *,
        lane: Lane | None = None,
        kind: BatchKind = BatchKind.RECORDS,
        window: Window | None = None,
        terminated_early: bool = False,
        state: bytes = b"{}",
    ) -> bytes:
        return b"".join((b'{"Records":[', joined(records), b"]}"))


STATE_LIMIT = 1024 * 1024
"""Bytes of state that a tumbling window may hand on (AWS: 1 MB per shard)."""


class WindowEnvelope:
    """A tumbling window of one shard. Room for the largest state is set aside, because the state grows while a batch
    is worked on; so `overhead` is an upper bound."""

    overhead = (
        len(b'{"Records":[],"window":{"start":"2020-12-09T07:04:00Z","end":"2020-12-09T07:06:00Z"},"state":')
        + STATE_LIMIT
        + len(b',"isFinalInvokeForWindow":false,"isWindowTerminatedEarly":false}')
    )

    def lane_overhead(self, lane: Lane) -> int:
        return len(encode({"shardId": lane.shard, "eventSourceARN": lane.source})) - 1

    def render(
        self,
        records: Records,
        *,
        lane: Lane | None = None,
        kind: BatchKind = BatchKind.RECORDS,
        window: Window | None = None,
        terminated_early: bool = False,
        state: bytes = b"{}",
    ) -> bytes:
        shard = lane or records.pages[0].lane
        bounds = window or Window(0, 0)
        about = {
            "shardId": shard.shard,
            "eventSourceARN": shard.source,
            "isFinalInvokeForWindow": kind is BatchKind.WINDOW_END,
            "isWindowTerminatedEarly": terminated_early,
        }
        span = encode({"start": _utc(bounds.start), "end": _utc(bounds.end)})
        head = b'{"Records":[' + joined(records) + b'],"window":' + span + b',"state":' + state
        return head + b"," + encode(about)[1:]


def template(item: Fields, *holes: tuple[object, bytes]) -> bytes:
    """The element of a record with holes in it, to be filled by `%`, so that what all have in common is made once. A
    hole is a value of the item and what stands in its place: `%b`, or `%d` for an integer."""
    text = encode(item).replace(b"%", b"%%")
    for value, hole in holes:
        text = text.replace(b":" + encode(value), b":" + hole, 1)
    return text


def inner_texts(values: Sequence[str]) -> Sequence[str]:
    """Each text as it stands between the quotes of JSON. Most are the same there, which is seen of all at once."""
    together = "".join(values)
    if len(encode(together)) == len(together) + len('""'):  # nothing is escaped, or longer in UTF-8
        return values
    return [encode(value)[1:-1].decode() for value in values]


def numbers(values: Sequence[float]) -> list[str]:
    """Each number as JSON."""
    return encode(values)[1:-1].decode().split(",")


def joined(records: Records) -> bytes:
    """The elements of the records, with commas between them."""
    return b",".join(records.bodies)


# --- values -----------------------------------------------------------------------------------------------------------


def seconds(value: object) -> float:
    """Seconds since the epoch from what a client gives as a time: a number, or a datetime (UTC when it has no zone)."""
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    if isinstance(value, (int, float)):
        return float(value)
    raise TypeError(f"a time must be a datetime or a number, not {value!r}")


def _utc(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def base64_text(value: object) -> str:
    """Bytes as base64. Text stays as it is: a client told not to decode base64 hands it on encoded."""
    return pybase64.b64encode_as_string(value) if isinstance(value, (bytes, bytearray, memoryview)) else str(value)


def fields_of(value: object) -> Fields:
    """A member that should be an object; empty for what is none."""
    if value is None or isinstance(value, dict):  # nearly always, and cheaper to see than any mapping
        return value or {}
    return value if isinstance(value, Mapping) else {}
