"""The protocol of failure destinations.

It gets a `Report` of each discard (`core/documents.py`) and decides what it writes of that: the document, the document
with the event, or a message for each record. `persistence` tries again, and decides for how long.

Public, through `dispatch/plugins/public.py`: a change that a plug-in would notice is a new `PROTOCOL_VERSION` there.
"""

from __future__ import annotations

from typing import Protocol

from ..core.documents import Report


class Destination(Protocol):
    """A destination of documents. Every failure is a `config.errors.SourceError` that names the destination, says
    what is wrong and what to do."""

    @property
    def arn(self) -> str: ...

    async def probe(self) -> None:
        """Look whether it is there, as far as can be seen without writing. Raises SourceMissing, SourceUnavailable or
        SourceRefused."""
        ...

    async def write(self, report: Report) -> None:
        """Return when the destination has the whole report. Raises as `probe`; whether it has it is then unknown."""
        ...

    async def aclose(self) -> None: ...
