"""The table of the kinds of source in this layer: one line each, in the order of `config/kinds/table.py`."""

from __future__ import annotations

from collections.abc import Mapping

from ...config.kinds.profile import SourceKind
from ...config.mapping import EventSourceMapping
from ..patterns.formats import FilterRules
from . import dynamodb, kafka, kinesis, sqs
from .profile import DispatchKind

KINDS: tuple[DispatchKind, ...] = (
    sqs.STANDARD,
    sqs.FIFO,
    kinesis.STREAM,
    dynamodb.STREAM,
    kafka.TOPIC,
)
_BY_KIND: Mapping[SourceKind, DispatchKind] = {each.kind: each for each in KINDS}
FILTERS: Mapping[str, DispatchKind] = {each.filters.name: each for each in KINDS}
"""By the name of their filters; kinds that share one read their records alike."""


def dispatch_kind(kind: SourceKind) -> DispatchKind:
    return _BY_KIND[kind]


def dispatch_of(mapping: EventSourceMapping) -> DispatchKind:
    """The dispatch kind of a mapping that breaks no rule."""
    return _BY_KIND[mapping.profile]


def filter_rules(name: str) -> FilterRules:
    """By the name that they have in `FILTERS`."""
    return FILTERS[name].filters
