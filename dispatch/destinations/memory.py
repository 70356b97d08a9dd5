"""A failure destination in memory: the shipped fake. It can fail in every way of a real one; the contract suite runs
with it too."""

from __future__ import annotations

import anyio

from ...config.errors import SourceError, SourceMissing
from ..core.documents import Documents, Report
from ..core.model import encode


class MemoryDestination:
    """Keeps documents, as a queue does: a report that is written twice is there twice."""

    def __init__(self, arn: str, documents: Documents, *, exists: bool = True) -> None:
        self._arn = arn
        self._documents = documents
        self.exists = exists
        self.refusal: SourceError | None = None
        """Raised by every probe and write; None: they work."""
        self.answers_after = 0.0
        """Seconds that a write takes."""
        self.attempts: list[Report] = []
        """Every write that was begun."""
        self.written: list[bytes] = []
        """The documents that arrived."""

    @property
    def arn(self) -> str:
        return self._arn

    async def probe(self) -> None:
        self._fail()

    async def write(self, report: Report) -> None:
        self.attempts.append(report)
        await anyio.sleep(self.answers_after)
        self._fail()
        self.written.append(encode(self._documents(report)))

    async def aclose(self) -> None:
        """Nothing to close."""

    def _fail(self) -> None:
        if not self.exists:
            raise SourceMissing(f"failure destination {self._arn}: it does not exist: create it")
        if self.refusal is not None:
            raise self.refusal
