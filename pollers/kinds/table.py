"""The table of the kinds of source in this layer: one line each, in the order of `config/kinds/table.py`."""

from __future__ import annotations

from collections.abc import Mapping

from ...config.kinds.profile import SourceKind
from ...config.mapping import EventSourceMapping
from ..dynamodb import kind as dynamodb
from ..kafka import kind as kafka
from ..kinesis import kind as kinesis
from ..profile import PollerKind
from ..sqs import kind as sqs

KINDS: tuple[PollerKind, ...] = (
    sqs.STANDARD,
    sqs.FIFO,
    kinesis.STREAM,
    dynamodb.STREAM,
    kafka.TOPIC,
)
_BY_KIND: Mapping[SourceKind, PollerKind] = {each.kind: each for each in KINDS}


def poller_of(mapping: EventSourceMapping) -> PollerKind:
    """The poller kind of a mapping that breaks no rule."""
    return _BY_KIND[mapping.profile]
