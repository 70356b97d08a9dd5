"""Kinesis streams: a stream itself, or a consumer of it (enhanced fan-out). Pure.

https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from ..fields.arn import Arn, ArnForm
from ..fields.mapping_fields import MappingFields
from .destinations import destination_rules
from .fragments import SHARD_ANSWERS, SHARD_LIMITS, SHARDS, age_rules, moment_rules, start_needed, window_rules
from .profile import ApiWords, RuleContext, SourceKind, Violation

SERVICE = "kinesis"


def stream_of(arn: Arn) -> str:
    """The stream's name, of a consumer's ARN too."""
    return arn.segment(1)


def consumer_of(arn: Arn) -> str:
    """The name of the consumer; empty for the stream itself."""
    return arn.segment(3).partition(":")[0]


def _positions_in(mapping: MappingFields, source: str) -> bool:
    """A consumer's positions are stored under its stream."""
    return mapping.source == source or mapping.source.startswith(f"{source}/consumer/")


def _rules(mapping: MappingFields, context: RuleContext) -> Iterator[Violation]:
    yield from start_needed(mapping)
    yield from moment_rules(mapping, context)
    yield from age_rules(mapping, context)
    yield from window_rules(mapping)
    yield from destination_rules(mapping)


STREAM = SourceKind(
    name="kinesis",
    title="Kinesis stream",
    noun="stream",
    sources="`source` is the ARN of a stream, or of a consumer of a stream (enhanced fan-out).",
    recognises=lambda mapping: mapping.arn is not None and mapping.arn.service == SERVICE,
    limits=SHARD_LIMITS,
    honours=frozenset({*SHARDS, "starting_position_timestamp", "deaggregate"}),
    rules=_rules,
    services=lambda mapping: (SERVICE,),
    api=ApiWords(shows=SHARD_ANSWERS, changed_by_user="User action"),
    form=ArnForm(
        SERVICE,
        "resource",
        re.compile(r"stream/[A-Za-z0-9_.-]{1,128}(/consumer/[A-Za-z0-9_.-]{1,128}(:\d+)?)?"),
        "stream/<name>, or for a consumer stream/<name>/consumer/<name>:<number>",
    ),
    undeployed=lambda arn: replace(arn, resource=f"stream/{stream_of(arn)}"),
    keeps_positions=True,
    positions_in=_positions_in,
    has_iterator_age=True,
)
