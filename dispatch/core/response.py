"""Turns a function's reply into the outcome for its batch. Called by the dispatcher once per invocation; never raises.

A reply is untrusted: for any bytes up to the maximum size of a response the result is an Outcome, in time
linear in their number.

https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html (and its twins for streams and Kafka) says
which shapes are a success: the empty ones. AWS coerces an empty string and an empty array to null; what is not empty
and has another shape is a failure of the whole batch.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isinf
from typing import NoReturn

import orjson

from .model import (
    Attempt,
    FailedItems,
    Failure,
    FunctionFailed,
    ItemId,
    Outcome,
    Record,
    Reply,
    Returned,
    Succeeded,
    encode,
)


@dataclass(frozen=True, slots=True)
class Identifiers:
    """How functions name the records of a source in `batchItemFailures`."""

    read: Callable[[object], ItemId | None]
    """None for what has the wrong type."""
    wrong: str
    """The text of such a failure: an `itemIdentifier` that …"""


def _text(value: object) -> ItemId | None:
    return value if isinstance(value, str) and value else None


TEXT = Identifiers(_text, "is not a non-empty string")

_SHOWN = 80  # characters of a function's own text in a message


class _Malformed(Exception):
    """The fault of the body, in one line; never leaves this module."""


def judge(
    reply: Reply,
    records: Sequence[Record],
    *,
    partial: bool,
    windowed: bool = False,
    identifiers: Identifiers = TEXT,
) -> Outcome:
    """The outcome of one invocation of `records`.

    `partial` is ReportBatchItemFailures: without it the body says nothing about records. `windowed` is a tumbling
    window: the body must hold its `state`. With neither the body is not looked at.
    """
    if not isinstance(reply, Returned):
        return reply
    if not partial and not windowed:
        return Succeeded(reply.attempt)
    try:
        return _read(reply, records, partial, windowed, identifiers)
    except _Malformed as malformed:
        return _failed(reply.attempt, str(malformed))


def _failed(attempt: Attempt, detail: str) -> FunctionFailed:
    return FunctionFailed(attempt, Failure.MALFORMED, detail)


def _read(
    reply: Returned, records: Sequence[Record], partial: bool, windowed: bool, identifiers: Identifiers
) -> Succeeded | FailedItems:
    answer = _parse(reply.body, exact=windowed)
    state = _state(answer) if windowed else None
    ids = _failed_ids(answer, records, identifiers) if partial else frozenset[ItemId]()
    return FailedItems(reply.attempt, ids, state) if ids else Succeeded(reply.attempt, state)


# --- JSON -----------------------------------------------------------------------------------------------------------


def _parse(body: bytes, *, exact: bool) -> object:
    """`exact`: keep integers beyond 64 bits as they are, because what is parsed goes back to the function as state."""
    if not body.strip():
        return None
    if not exact:
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError:
            pass  # the standard library knows lone surrogates, which Python and JavaScript functions do return
    try:
        return json.loads(body.decode(), parse_constant=_no_constant, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise _Malformed(f"the response is not JSON that can be read: {_short(str(error))}") from None


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if isinf(number):
        raise ValueError(f"the number {_short(text)} is too large")
    return number


# --- a tumbling window's state ----------------------------------------------------------------------------------------


def _state(answer: object) -> bytes:
    if not isinstance(answer, dict) or answer.get("state") is None:
        raise _Malformed("the response has no `state`, which an invocation of a tumbling window must return")
    state = answer["state"]
    if not isinstance(state, dict):
        raise _Malformed(f"`state` must be a JSON object, not {_kind(state)}")
    try:
        return encode(state)
    except (ValueError, RecursionError):
        raise _Malformed("`state` is nested too deeply") from None


# --- batchItemFailures ------------------------------------------------------------------------------------------------


def _failed_ids(answer: object, records: Sequence[Record], identifiers: Identifiers) -> frozenset[ItemId]:
    if answer in (None, "", []):
        return frozenset()
    if not isinstance(answer, dict):
        raise _Malformed(f"the response must be an object with `batchItemFailures`, not {_kind(answer)}")
    failures = answer.get("batchItemFailures")
    if failures is None:
        return frozenset()
    if not isinstance(failures, list):
        raise _Malformed(f"`batchItemFailures` must be a list, not {_kind(failures)}")
    known = {record.id for record in records} if failures else set[ItemId]()
    return frozenset(_failed_id(entry, index, known, identifiers) for index, entry in enumerate(failures))


def _failed_id(entry: object, index: int, known: set[ItemId], identifiers: Identifiers) -> ItemId:
    where = f"`batchItemFailures[{index}]`"
    if not isinstance(entry, dict) or "itemIdentifier" not in entry:
        raise _Malformed(f"{where} has no `itemIdentifier`")
    identifier = identifiers.read(entry["itemIdentifier"])
    if identifier is None:
        raise _Malformed(f"{where} has an `itemIdentifier` that {identifiers.wrong}: {_show(entry)}")
    if identifier not in known:
        raise _Malformed(f"{where} names a record that is not in the batch: {_show(entry)}")
    return identifier


# --- words ----------------------------------------------------------------------------------------------------------


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")


def _show(entry: dict[str, object]) -> str:
    value = entry["itemIdentifier"]
    return _short(value if isinstance(value, str) else repr(value) if _flat(value) else _kind(value))


def _flat(value: object) -> bool:
    """Small enough to print: a function may return megabytes where a name should be."""
    if isinstance(value, dict):
        return len(value) <= 4 and all(_flat_leaf(member) for member in value.values())
    return _flat_leaf(value)


def _flat_leaf(value: object) -> bool:
    return value is None or isinstance(value, (str, float, bool)) or (isinstance(value, int) and abs(value) < 1 << 64)


def _short(text: str) -> str:
    """One line, bounded, printable."""
    line = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text[: _SHOWN + 1])
    return line if len(text) <= _SHOWN else line[:_SHOWN] + "…"
