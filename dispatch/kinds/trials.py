"""Records that somebody gives to see whether a filter keeps them, and why: `headrace filter test`, `/v1/filter`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...config.errors import HeadraceError
from ..patterns.explain import Explanation, explain_record
from ..patterns.formats import Data, RecordFilter
from .profile import DispatchKind, Item
from .table import KINDS


class NoRecord(HeadraceError):
    """The text holds no record of this kind; the message says why."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One record to be tried."""

    name: str
    metadata: Mapping[str, object]
    data: Data


@dataclass(frozen=True, slots=True)
class Trial:
    """The verdict of a mapping's filters on one record."""

    name: str
    kept: bool
    filters: Sequence[Explanation]
    """In the filters' order; empty where there is none, which keeps everything."""

    def as_json(self) -> dict[str, object]:
        return {"record": self.name, "kept": self.kept, "filters": [each.as_json() for each in self.filters]}


def tried(tested: RecordFilter, one: Candidate) -> Trial:
    return Trial(one.name, tested.keeps(one.metadata, one.data), explain_record(tested, one.metadata, one.data))


def candidates_of(text: str, kind: DispatchKind, *, as_body: bool) -> list[Candidate]:
    """The records that a text holds: an event's, one record, or a record's data alone. Raises NoRecord."""
    records = None if as_body else _records(_json(text))
    if records is None:
        return [Candidate("the body", {}, text.removesuffix("\n"))]
    return [_candidate(record, kind) for record in records]


def _json(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _records(value: object) -> list[Item] | None:
    """The records of an event of any source, or a single record; None for anything else."""
    for kind in KINDS:
        if (records := kind.unpack(value)) is not None:
            return records
    return [value] if isinstance(value, dict) and any(kind.is_item(value) for kind in KINDS) else None


def _candidate(record: Item, kind: DispatchKind) -> Candidate:
    try:
        data, name = kind.data(record), kind.called(record)
    except (KeyError, TypeError) as error:
        raise NoRecord(f"this is no record of {kind.filters.name}: {error}") from error
    except ValueError as error:
        raise NoRecord(f"the record's data are not base64: {error}") from error
    return Candidate("the record" if name is None else str(name), record, data)
