"""Between the configuration, which may not know the pattern engine, and the engine, which knows no records."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from ...config.limits import SourceKind
from ..patterns.errors import PatternError
from ..patterns.formats import Data, Kind, RecordFilter
from .model import Record

KINDS: dict[SourceKind, Kind] = {
    SourceKind.SQS: "sqs",
    SourceKind.SQS_FIFO: "sqs",
    SourceKind.KINESIS: "kinesis",
    SourceKind.DYNAMODB: "dynamodb",
    SourceKind.KAFKA: "kafka",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a pattern, as `config.loader` wants to hear it."""

    path: str
    what: str
    hint: str


def check_patterns(kind: SourceKind, patterns: Sequence[object]) -> Sequence[Fault]:
    """Compile the patterns and say everything that is wrong with them."""
    try:
        RecordFilter.parse(KINDS[kind], patterns)
    except PatternError as error:
        # The loader gives one pattern at a time and knows which; the path shall begin inside it.
        return [
            Fault("$" + problem.path.removeprefix("$").removeprefix("[0]"), problem.reason, problem.hint)
            for problem in error.problems
        ]
    return []


class Keeps:
    """A mapping's filters, asked with a record."""

    def __init__(self, kind: SourceKind, patterns: Sequence[object]) -> None:
        self._filter = RecordFilter.parse(KINDS[kind], patterns)
        self._data = DATA[self._filter.kind]

    def __call__(self, record: Record) -> bool:
        if record.view is not None:
            return self._filter.keeps(record.item, record.view)
        return self._filter.keeps(record.item, partial(self._data, record.item))


Item = Mapping[str, Any]
"""A record as it stands in the Lambda event."""

DATA: Mapping[Kind, Callable[[Item], Data]] = {
    "sqs": lambda item: item.get("body"),
    "kinesis": lambda item: decoded(item["kinesis"]["data"]),
    "dynamodb": lambda item: None,
    "kafka": lambda item: decoded(item.get("value")),
}
"""The data of a record that the patterns' data rules are for."""


def decoded(text: str | None) -> bytes | None:
    """Raises ValueError for what is no base64."""
    return None if text is None else base64.b64decode(text, validate=True)


def keep_all(record: Record) -> bool:
    """The filters of a mapping that has none."""
    return True
