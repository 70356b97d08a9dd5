"""DynamoDB streams: a stream, or a table, of which the newest stream is read. Pure.

https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from ..fields.arn import Arn, ArnForm
from ..fields.mapping_fields import MappingFields
from .destinations import destination_rules
from .fragments import SHARD_ANSWERS, SHARD_LIMITS, SHARDS, age_rules, start_needed, window_rules
from .profile import ApiWords, RuleContext, SourceKind, Violation, sentence

SERVICE = "dynamodb"
"""The service of the ARNs, and of the calls about tables."""
STREAMS_SERVICE = "dynamodbstreams"


def table_of(arn: Arn) -> str:
    """The table's name, of a stream's ARN too."""
    return arn.segment(1)


def label_of(arn: Arn) -> str:
    """The label that tells the streams of a table apart; empty for the table itself."""
    return arn.segment(3)


def are_of_one_table(one: str, other: str) -> bool:
    """Whether both are ARNs of streams of the same table, current or former. Emulators have regions and accounts of
    their own in these ARNs, so they are compared with each other, not with the ARN that the user wrote."""
    (table, is_stream, _), (same, is_other, _) = (arn.partition("/stream/") for arn in (one, other))
    return bool(is_stream and is_other) and table == same


def is_stream_of(stream: str, table: str) -> bool:
    """Whether `table` is the ARN of a table, and `stream` the ARN of one of its streams, current or former."""
    return stream.startswith(f"{table}/stream/")


def _services(mapping: MappingFields) -> Iterator[str]:
    yield STREAMS_SERVICE
    if mapping.arn is not None and not label_of(mapping.arn):
        yield SERVICE


def _rules(mapping: MappingFields, context: RuleContext) -> Iterator[Violation]:
    yield from start_needed(mapping)
    if mapping.starting_position == "AT_TIMESTAMP":
        what = f"Unsupported starting position for arn type: {mapping.source}"
        yield sentence("starting_position", what, "give TRIM_HORIZON or LATEST")
    yield from age_rules(mapping, context)
    yield from window_rules(mapping)
    yield from destination_rules(mapping)


STREAM = SourceKind(
    name="dynamodb",
    title="DynamoDB stream",
    noun="stream",
    sources="`source` is the ARN of a stream, or of a table, whose newest stream is read.",
    recognises=lambda mapping: mapping.arn is not None and mapping.arn.service == SERVICE,
    limits=SHARD_LIMITS,
    honours=frozenset(SHARDS),
    rules=_rules,
    services=_services,
    api=ApiWords(shows=SHARD_ANSWERS, changed_by_user="User action"),
    form=ArnForm(
        SERVICE,
        "resource",
        re.compile(r"table/[A-Za-z0-9_.-]{1,255}(/stream/[^/\s]+)?"),
        "table/<name>/stream/<label>, or for the table's newest stream table/<name>",
    ),
    undeployed=lambda arn: replace(arn, resource=f"table/{table_of(arn)}"),
    keeps_positions=True,
    positions_in=lambda mapping, source: mapping.source == source or is_stream_of(source, mapping.source),
    has_iterator_age=True,
)
