"""The table of the kinds of source: one line each. The order is that of all generated tables.

`dispatch/kinds/table.py` and `pollers/kinds/table.py` are its counterparts in the other layers.
"""

from __future__ import annotations

from ..fields.arn import Arn
from ..fields.mapping_fields import MappingFields
from . import dynamodb, kafka, kinesis, sqs
from .profile import SourceKind

KINDS: tuple[SourceKind, ...] = (
    sqs.STANDARD,
    sqs.FIFO,
    kinesis.STREAM,
    dynamodb.STREAM,
    kafka.TOPIC,
)


def kind_of(mapping: MappingFields) -> SourceKind | None:
    """The kind of a mapping's source; None for a source that Headrace knows nothing of."""
    return next((kind for kind in KINDS if kind.recognises(mapping)), None)


def named(name: str) -> SourceKind | None:
    """The kind of this name; None where no kind has it."""
    return next((kind for kind in KINDS if kind.name == name), None)


def check_form(arn: Arn) -> None:
    """Raises ArnError for the ARN of a source that is not in the form of its service."""
    for kind in KINDS:
        if kind.form is not None:
            kind.form.check(arn)


def undeployed(arn: Arn) -> Arn:
    """The ARN of a source as it is before anybody deployed it; any other as it is."""
    of_service = (kind for kind in KINDS if kind.form is not None and kind.form.service == arn.service)
    return next((kind.undeployed(arn) for kind in of_service), arn)


def polled() -> str:
    """The sources that this version polls, for messages."""
    titles = [kind.titles for kind in KINDS]
    return f"{', '.join(titles[:-1])} and {titles[-1]}"
