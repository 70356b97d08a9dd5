"""The plug-in's failure destination, held to the suite that Headrace holds its own to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from headrace_inprocess import NotesSettings, notes

from headrace.dispatch.plugins.public import Destination, DestinationRequest
from headrace.service.testing.destination_contract import DOCUMENTS, DestinationContract


@dataclass
class NotesLab:
    directory: Path
    with_event = False

    async def create(self) -> None:
        (self.directory / "failed").mkdir()

    async def destination(self) -> Destination:
        settings = NotesSettings(file="failed/orders.jsonl")
        return notes.destination(DestinationRequest("orders", settings, self.directory, DOCUMENTS))

    async def arrived(self, count: int) -> list[str]:
        return (self.directory / "failed" / "orders.jsonl").read_text().splitlines()


class TestNotes(DestinationContract):
    @pytest.fixture
    def lab(self, tmp_path: Path) -> NotesLab:
        return NotesLab(tmp_path)
