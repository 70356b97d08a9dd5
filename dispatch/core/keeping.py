"""Applies a mapping's filters to a page of records: the pattern engine itself does not know records."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from ..patterns.formats import Data, RecordFilter
from .pages import Page, Sheet


class Keeps:
    """The filters of one mapping. `data` finds the data of a record that the filters' rules on data are for."""

    def __init__(self, record_filter: RecordFilter, data: Callable[[Mapping[str, Any]], Data]) -> None:
        self._filter = record_filter
        self._data = data

    def __call__(self, page: Page) -> tuple[Page, Page]:
        """Return the records for the function, and the records that a filter refused. No filter is asked about records
        that are decided already."""
        return page.split(self._keeps)

    def _keeps(self, sheet: Sheet, place: int) -> bool:
        if place in sheet.flaws:
            return True
        return self._filter.keeps(partial(sheet.item, place), partial(self._view, sheet, place))

    def _view(self, sheet: Sheet, place: int) -> Data:
        view = sheet.view(place)
        return self._data(sheet.item(place)) if view is None else view


def keep_all(page: Page) -> tuple[Page, Page]:
    """The filters of a mapping that has none."""
    return page, page.part(0, 0)
