"""Applies a mapping's filters to a record: the pattern engine itself does not know records."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from ..patterns.formats import Data, RecordFilter
from .model import Record


class Keeps:
    """The filters of one mapping. `data` finds the data of a record that the filters' rules on data are for."""

    def __init__(self, record_filter: RecordFilter, data: Callable[[Mapping[str, Any]], Data]) -> None:
        self._filter = record_filter
        self._data = data

    def __call__(self, record: Record) -> bool:
        if record.view is not None:
            return self._filter.keeps(record.item, record.view)
        return self._filter.keeps(record.item, partial(self._data, record.item))


def keep_all(record: Record) -> bool:
    """The filters of a mapping that has none."""
    return True
