"""A mapping's filters over a page: what they refuse, and what they are not asked about."""

from __future__ import annotations

from headrace.dispatch.core.keeping import Keeps, keep_all
from headrace.dispatch.core.model import DiscardReason, Flaw, Position, Record
from headrace.dispatch.core.pages import Page, RecordSheet
from headrace.dispatch.kinds.table import filter_rules
from headrace.dispatch.patterns.formats import RecordFilter
from support.paper import LANE


def page() -> Page:
    flaw = Flaw(DiscardReason.SCHEMA_NOT_FOUND, "there is no such schema")
    records = [Record(LANE, str(n), {"body": f'{{"n":{n}}}'}, float(n), Position(n)) for n in range(3)]
    broken = Record(LANE, "3", {"body": '{"n":0}'}, 3.0, Position(3), flaw=flaw)
    return Page(RecordSheet([*records, broken]))


def test_a_record_of_which_is_decided_is_kept_whatever_the_filters_say() -> None:
    keeps = Keeps(RecordFilter.parse(filter_rules("sqs"), [{"body": {"n": [1]}}]), lambda item: item["body"])
    wanted, unwanted = keeps(page())
    assert [record.id for record in wanted] == ["1", "3"]
    assert [record.id for record in unwanted] == ["0", "2"]


def test_without_filters_all_are_kept() -> None:
    wanted, unwanted = keep_all(page())
    assert (len(wanted), len(unwanted)) == (4, 0)
