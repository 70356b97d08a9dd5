"""Writes that share a transaction, where the file cannot be written."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import anyio
import pytest

from headrace.config.durable.faults import StoreUnavailable
from headrace.config.durable.writer import GroupWriter


class Locked:
    """A connection to a file that another program holds; each attempt would wait for seconds."""

    total_changes = 0
    in_transaction = False

    def __init__(self) -> None:
        self.attempts = 0

    def execute(self, statement: str) -> Any:
        self.attempts += 1
        raise sqlite3.OperationalError("database is locked")

    def close(self) -> None:
        pass


async def test_requests_that_come_together_wait_together_for_a_file_that_is_locked() -> None:
    connection = Locked()
    writer = GroupWriter(cast("sqlite3.Connection", connection), ThreadPoolExecutor(1), "f.db", "things")
    refused: list[str] = []

    async def request() -> None:
        with pytest.raises(StoreUnavailable) as raised:
            await writer.run(lambda connection: None)
        refused.append(str(raised.value))

    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(request)
    assert len(refused) == 20
    assert "database is locked" in refused[0]
    assert connection.attempts == 1
    await writer.aclose()
