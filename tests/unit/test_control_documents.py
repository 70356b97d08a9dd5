"""The documents of the control plane: durable, as one, and refused as they are when they are not ours."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import anyio
import pytest

from headrace.config.durable.faults import StoreUnavailable, UnusableState
from headrace.config.errors import BugError
from headrace.service.control.store.document_store import FILE, FORMAT, Documents


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / FILE


async def test_what_was_written_is_there_after_a_restart(path: Path) -> None:
    documents = await Documents.open(path)
    await documents.write({("function", "b"): {"Timeout": 3, "Text": "ü\udc00"}, ("function", "a"): {}, ("m", "x"): {}})
    await documents.write({("function", "a"): {"weights": {"2": 0.25}}}, [("m", "x"), ("m", "never")])
    before = documents.all("function")
    assert list(before.items()) == [("a", {"weights": {"2": 0.25}}), ("b", {"Timeout": 3, "Text": "ü\udc00"})]
    await documents.aclose()
    await documents.aclose()
    documents = await Documents.open(path)
    assert documents.all("function") == before
    assert documents.all("m") == {}
    await documents.aclose()


async def test_what_was_read_or_handed_over_may_be_changed_by_its_owner(path: Path) -> None:
    documents = await Documents.open(path)
    mine = {"list": [1]}
    await documents.write({("k", "a"): mine})
    mine["list"].append(2)
    documents.all("k")["a"]["list"].append(3)
    assert documents.all("k") == {"a": {"list": [1]}}
    await documents.aclose()


async def test_writes_that_come_together_share_a_wait_for_the_disk(path: Path) -> None:
    documents = await Documents.open(path)
    async with anyio.create_task_group() as tasks:
        for number in range(50):
            tasks.start_soon(documents.write, {("k", str(number)): {"n": number}})
    assert len(documents.all("k")) == 50
    assert documents.durable_writes < 10
    await documents.aclose()


async def test_a_write_is_done_although_its_caller_was_cancelled(path: Path) -> None:
    documents = await Documents.open(path)
    with anyio.CancelScope() as scope:
        scope.cancel()
        await documents.write({("k", "a"): {"n": 1}})
    assert documents.all("k") == {"a": {"n": 1}}
    await documents.aclose()
    documents = await Documents.open(path)
    assert documents.all("k") == {"a": {"n": 1}}
    await documents.aclose()


async def test_a_write_that_the_file_refuses_changes_nothing(path: Path) -> None:
    documents = await Documents.open(path)
    await documents.write({("k", "a"): {"n": 1}})
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TRIGGER full BEFORE INSERT ON documents BEGIN SELECT RAISE(ABORT, 'disk full'); END")
        other.commit()
    with pytest.raises(StoreUnavailable, match=r"stored functions and mappings.*disk full"):
        await documents.write({("k", "b"): {}}, [("k", "a")])
    assert documents.all("k") == {"a": {"n": 1}}
    await documents.aclose()


async def test_a_name_cannot_be_stored_and_deleted_at_once(path: Path) -> None:
    documents = await Documents.open(path)
    with pytest.raises(BugError, match="both"):
        await documents.write({("k", "a"): {}}, [("k", "a")])
    await documents.aclose()


def _statement(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(statement)
        connection.commit()


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        (f"PRAGMA user_version = {FORMAT.schema + 1}", "newer version of Headrace"),
        ("PRAGMA user_version = 0", "never was a version 0"),
        ("PRAGMA application_id = 7", "not a file of stored functions"),
        ("UPDATE documents SET body = '{\"n\":2}'", "does not match its checksum"),
        ("UPDATE documents SET key = 'other'", "does not match its checksum"),
        ("DROP TABLE documents", "no such table"),
    ],
)
async def test_a_file_that_is_not_as_it_was_left_is_refused_as_it_is(path: Path, statement: str, told: str) -> None:
    documents = await Documents.open(path)
    await documents.write({("k", "a"): {"n": 1}})
    await documents.aclose()
    _statement(path, statement)
    before = path.read_bytes()
    with pytest.raises(UnusableState, match=told):
        await Documents.open(path)
    assert path.read_bytes() == before


async def test_a_file_of_something_else_is_refused(path: Path) -> None:
    path.write_bytes(b"not a database, but long enough to have had a head" * 20)
    with pytest.raises(UnusableState, match="damaged"):
        await Documents.open(path)
    assert path.read_bytes().startswith(b"not a database")
