"""What a failure destination is, and what it is told.

A `Report` is one discard on its way: made once by the dispatcher, the same for every attempt to write it. `Documents`,
made once per mapping, turn it into the document (`dispatch.documents`); a destination decides what it writes of that:
the document, the document with the event, or a message for each record. Who tries again, and for how long, is
`persistence`'s business.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from ..core.documents import Document, KafkaSubject, Subject, kafka_document, stream_document
from ..core.model import Lane, Record
from ..core.steps import DiscardStep


@dataclass(frozen=True, slots=True)
class Report:
    """One discard, as a destination is told of it."""

    discard: DiscardStep
    lane: Lane
    """The batch's shard or partition; of several partitions, the first record's."""
    written: float
    """Wall-clock seconds: the document's timestamp."""
    id: str
    """A fresh UUID: the end of an S3 key, and the request id where no invocation gave one."""
    render: Callable[[Sequence[Record]], bytes]
    """The event that the function got or would have got, with these of the discarded records. Costs as much as the
    event is large."""

    @property
    def event(self) -> bytes:
        """The whole event."""
        return self.render(self.discard.records)


Documents = Callable[[Report], Document]
"""The document of a report, for SQS, SNS and S3 (which adds the event to it)."""


def stream_documents(kind: Literal["kinesis", "dynamodb"], subject: Subject) -> Documents:
    """The documents of a mapping of shards."""

    def document(report: Report) -> Document:
        return stream_document(kind, subject, report.discard, report.lane, written=report.written, fresh_id=report.id)

    return document


def kafka_documents(subject: Callable[[], KafkaSubject]) -> Documents:
    """The documents of a mapping of a topic; `subject` is asked for each, since brokers are known when they are
    reached."""

    def document(report: Report) -> Document:
        size = len(report.event)
        return kafka_document(subject(), report.discard, payload_size=size, written=report.written, fresh_id=report.id)

    return document


class Destination(Protocol):
    """Somewhere that takes documents. Every failure is a `config.errors.SourceError` that names the destination, says
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
