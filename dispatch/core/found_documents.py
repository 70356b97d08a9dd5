"""Reads back what a failure destination got: which records a document names, and the event that it may hold. Pure.

The counterpart of `documents.py`. What stands in a document is somebody's text: nothing of it is trusted, and a text
that is no document is a value that says so.

    a message's body ──► SNS's envelope taken off ──► document ──► origins: shards with their first and last records
                                                              └──► event: `payload`, or `requestPayload`
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

DEEPEST = 3
"""Envelopes in each other that are taken off."""


@dataclass(frozen=True, slots=True)
class NamedRecords:
    """Records of one shard that a document names: the first, the last, and how many there were."""

    shard: str
    first: int
    last: int
    count: int
    text: str = ""
    """The first position as the source spells it."""
    since: float | None = None
    """When the first record arrived: wall-clock seconds, rounded down; None where the document does not say it."""


@dataclass(frozen=True, slots=True)
class FoundDocument:
    """The facts in a document about the discarded records."""

    name: str
    """Where it was found."""
    origins: tuple[NamedRecords, ...] = ()
    event: object = None
    """The event that the function got; None where the document does not hold it."""

    @property
    def records(self) -> int:
        return sum(origin.count for origin in self.origins)


@dataclass(frozen=True, slots=True)
class NoDocument:
    """A text that names no record."""

    name: str
    why: str


NamedIn = Callable[[Mapping[str, Any]], tuple[NamedRecords, ...]]
"""Reads the records that a document of one kind of source names. Raises KeyError, TypeError or ValueError for anything
else."""


def read_document(
    name: str, text: str, origins: NamedIn, is_event: Callable[[object], bool]
) -> FoundDocument | NoDocument:
    """`origins` and `is_event` are those of the mapping's kind of source."""
    value: object = text
    for _ in range(DEEPEST):
        if not isinstance(value, str):
            break
        try:
            value = json.loads(value)
        except ValueError as error:
            return NoDocument(name, f"it is not JSON ({error})")
        if isinstance(value, dict) and value.get("Type") == "Notification" and isinstance(value.get("Message"), str):
            value = value["Message"]
    if not isinstance(value, dict):
        return NoDocument(name, "it is no JSON object")
    return _of_object(name, value, origins, is_event)


def _of_object(
    name: str, value: Mapping[str, Any], origins: NamedIn, is_event: Callable[[object], bool]
) -> FoundDocument | NoDocument:
    if is_event(value):
        return FoundDocument(name, event=value)
    event = _event_in(value, is_event)
    try:
        named = origins(value)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        if event is None:
            return NoDocument(name, f"it does not name its records as a failure document does ({error!r})")
        named = ()
    if event is None and not named:
        return NoDocument(name, "it names no records of a source of this mapping's kind")
    return FoundDocument(name, named, event)


def _event_in(value: Mapping[str, Any], is_event: Callable[[object], bool]) -> object:
    """The event in a document: a string in a bucket's, an object in a topic's, the request in a record of an
    asynchronous invocation."""
    for member in ("payload", "requestPayload"):
        found = value.get(member)
        if isinstance(found, str):
            try:
                found = json.loads(found)
            except ValueError:
                continue
        if found is not None and is_event(found):
            return found
    return None


def moment_of(text: object) -> float | None:
    """Seconds since the epoch of a document's time, rounded down to a second; None for what is no time."""
    if not isinstance(text, str):
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return float(int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()))
