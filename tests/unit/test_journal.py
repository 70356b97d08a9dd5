"""What is remembered of the fates of records, and that it is bounded."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from headrace.dispatch.core.model import Lane
from headrace.dispatch.core.pages import Page, Records
from headrace.dispatch.kinds.kinesis import KinesisSheet, ShardElement
from headrace.service.telemetry.core.journal import Journal, JournalEntry, Journals
from headrace.service.telemetry.core.journal_payloads import JournalPayloads


def share(journal: Journal, names: Sequence[str]) -> tuple[tuple[str, ...], bool]:
    ends = (names[0], names[-1], len(names)) if names else ("", "", 0)
    return journal.share(ends, lambda: names)


def put(journal: Journal, at: float, what: str, *names: str, **more: str) -> None:
    ids, is_new = share(journal, names)
    seconds = 0.1 if what == "invoked" else None
    journal.put(JournalEntry(at, what, "shard", ids, seconds=seconds, **more), is_new=is_new)


@pytest.mark.semantics("SEE-04")
def test_a_records_life_is_in_order_and_ends_with_its_fate() -> None:
    journal = Journal(100)
    put(journal, 1.0, "invoked", "a", "b", detail="error", error="no")
    put(journal, 5.0, "delivered", "a", "b")
    put(journal, 5.0, "invoked", "a", "b", detail="success")
    put(journal, 6.0, "filtered", "c")
    life = journal.life("b")
    assert [(entry.at, entry.what, entry.detail) for entry in life] == [
        (1.0, "invoked", "error"),
        (5.0, "invoked", "success"),
        (5.0, "delivered", ""),
    ]
    assert life[0].without_ids()["records"] == 2
    assert "ids" not in life[0].without_ids()
    assert journal.life("x") == []


def test_entries_are_the_newest_first_and_can_be_of_one_kind_or_record() -> None:
    journal = Journal(100)
    for number in range(4):
        put(journal, float(number), "filtered" if number % 2 else "delivered", str(number))
    assert [entry.at for entry in journal.entries()] == [3.0, 2.0, 1.0, 0.0]
    assert [entry.at for entry in journal.entries("filtered")] == [3.0, 1.0]
    assert [entry.at for entry in journal.entries("filtered", "1")] == [1.0]


@pytest.mark.semantics("SEE-04")
def test_the_oldest_are_forgotten_and_the_attempts_of_one_batch_cost_little() -> None:
    journal = Journal(10)
    for number in range(8):
        put(journal, float(number), "invoked", "a", "b", "c")
    put(journal, 8.0, "discarded", "a", "b", "c")
    assert len(journal.life("b")) == 9
    assert journal.weight == 3 + 7 + 3
    for number in range(5):
        put(journal, 10.0 + number, "delivered", f"{number}x", f"{number}y")
    assert [entry.what for entry in journal.entries("discarded")] == []
    assert len(list(journal.entries("delivered"))) == 5


def test_only_the_last_batches_share_their_ids() -> None:
    journal = Journal(1000)
    assert share(journal, ["first"])[1]
    for number in range(64):
        assert share(journal, [str(number)])[1]
    assert share(journal, ["first"])[1]
    assert not share(journal, ["63"])[1]
    assert share(journal, []) == ((), True)


@pytest.mark.semantics("SEE-04")
def test_all_mappings_together_are_bounded_and_who_remembers_most_forgets_first() -> None:
    journals = Journals(1000, total=100)
    quiet, busy = journals.of("quiet"), journals.of("busy")
    assert quiet is not None
    assert busy is not None
    put(quiet, 0.0, "delivered", "mine")
    for number in range(200):
        put(busy, 1.0, "delivered", str(number))
        journals.settle()
    assert quiet.life("mine")
    assert quiet.weight + busy.weight <= 101
    assert busy.life("199")
    assert not busy.life("1")
    journals.forget("busy")
    assert list(journals.all) == ["quiet"]


def test_without_records_nothing_is_remembered() -> None:
    assert Journals(0).of("m") is None


@pytest.mark.semantics("SEE-30")
def test_what_records_hold_is_bounded_for_each_mapping_and_for_all() -> None:
    payloads = JournalPayloads(most=100, total=250)
    for number in range(200):
        payloads.put(f"m{number % 5}", [str(number)], [b"x" * 30])
    assert payloads.size <= 250
    assert payloads.of("m4", "199") == b"x" * 30
    assert payloads.of("m4", "4") is None
    assert payloads.of("m9", "199") is None


@pytest.mark.semantics("SEE-30")
def test_a_record_that_comes_again_is_kept_once_and_a_mapping_that_is_gone_is_not() -> None:
    payloads = JournalPayloads()
    payloads.put("m", ["a", "b"], [b"123", b"45"])
    payloads.put("m", ["a"], [b"6"])
    assert (payloads.size, payloads.of("m", "a")) == (3, b"6")
    payloads.forget("m")
    payloads.forget("m")
    assert (payloads.size, payloads.of("m", "a")) == (0, None)
    payloads.put("m", ["c"], [b"7" * (5 << 20)])
    assert payloads.size == 0


@pytest.mark.semantics("SEE-31")
def test_a_thousand_mappings_remember_no_more_than_the_bound() -> None:
    journals = Journals(10_000, total=50_000)
    for number in range(100_000):
        journal = journals.of(f"m{number % 1000}")
        assert journal is not None
        put(journal, float(number), "delivered", *(f"{number}-{each}" for each in range(3)))
        journals.settle()
    weight = sum(journal.weight for journal in journals.all.values())
    assert 40_000 <= weight <= 50_000 + 2 * 3 * 1000


def test_the_names_of_a_page_are_those_of_its_records_whole_or_not() -> None:
    element = ShardElement(Lane("arn", "shard"), "arn", "us-east-1", "role")
    raw = {"PartitionKey": "k", "Data": "eA==", "ApproximateArrivalTimestamp": 0.0}
    sheet = KinesisSheet(element, [{**raw, "SequenceNumber": str(number)} for number in range(5)])
    for page in (Page(sheet), Page(sheet, (1, 3))):
        records = Records([page])
        assert records.names == [record.name for record in records]
        assert records.ends == (records.names[0], records.names[-1], len(records))
    assert Records().ends == ("", "", 0)
