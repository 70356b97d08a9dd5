"""Writes the documents of discarded batches into a file, one line each."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from headrace.dispatch.plugins.public import Document, Report, SourceMissing, SourceUnavailable


class NotesDestination:
    """Implements `Destination`. The directory must exist; the file is made."""

    def __init__(self, file: Path, document: Callable[[Report], Document]) -> None:
        self._file = file
        self._document = document

    @property
    def arn(self) -> str:
        return f"file {self._file}"

    async def probe(self) -> None:
        if not self._file.parent.is_dir():
            raise SourceMissing(f"failure destination {self.arn}: there is no directory {self._file.parent}; create it")

    async def write(self, report: Report) -> None:
        await self.probe()
        try:
            with self._file.open("a", encoding="utf-8") as notes:
                notes.write(json.dumps(self._document(report), ensure_ascii=False, separators=(",", ":")) + "\n")
        except OSError as error:
            raise SourceUnavailable(f"failure destination {self.arn}: {error.strerror}") from error

    async def aclose(self) -> None:
        """Nothing is open."""
