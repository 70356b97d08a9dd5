"""SQS queues, standard and FIFO. The form of their ARNs is that of failure destinations too. Pure.

https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..fields.arn import ArnForm
from ..fields.mapping_fields import MappingFields
from .fragments import BATCHES, poller_rules
from .profile import ApiWords, FieldRefusal, RuleContext, SourceIdentity, SourceKind, SourceLimits, Violation, sentence

SERVICE = "sqs"
FORM = ArnForm(
    SERVICE,
    "queue name",
    re.compile(r"[A-Za-z0-9_-]{1,80}|[A-Za-z0-9_-]{1,75}\.fifo"),
    "1 to 80 letters, digits, '-' or '_', then maybe '.fifo'",
)
NOUN = "queue"
POLLERS_LEAST = 2
RECEIVERS = ("scaling_config", "receivers", "provisioned_poller_config")
REDRIVE = FieldRefusal(hint="a queue has its own redrive policy for failed messages")

_IDENTITY = SourceIdentity(
    duplicate=lambda mapping: (
        f'An event source mapping with SQS arn (" {mapping.source} ") and function (" {mapping.function_name} ")'
    )
)
_UNREADABLE = "Error occurred while ReceiveMessage. SQS Error Code: {code}. SQS Error Message: {message}"
_API = ApiWords(
    shows={
        "function_response_types": [],
        "maximum_batching_window_in_seconds": 0,
        "scaling_config": None,
        "provisioned_poller_config": None,
    },
    shows_result=False,
    missing=_UNREADABLE.format(
        code="AWS.SimpleQueueService.NonExistentQueue", message="The specified queue does not exist."
    ),
    unreadable=_UNREADABLE,
)


def _is_queue(mapping: MappingFields, *, fifo: bool) -> bool:
    arn = mapping.arn
    return arn is not None and arn.service == SERVICE and arn.is_fifo is fifo


def _services(mapping: MappingFields) -> tuple[str, ...]:
    return (SERVICE,)


# --- standard ---------------------------------------------------------------------------------------------------------

_LIMITS = SourceLimits(batch_size=10, batch_size_max=10_000, window=0, window_max=300)
UNWINDOWED = 10
"""Records of a batch at most that needs no window."""


def _rules(mapping: MappingFields, context: RuleContext) -> Iterator[Violation]:
    size = mapping.batch_size or _LIMITS.batch_size
    if size > UNWINDOWED and (mapping.maximum_batching_window_in_seconds or 0) < 1:
        what = "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10"
        yield sentence("batch_size", what, "give maximum_batching_window_in_seconds, or a batch_size of 10 at most")
    yield from poller_rules(mapping, NOUN, POLLERS_LEAST)


STANDARD = SourceKind(
    name="sqs",
    title="SQS standard queue",
    noun=NOUN,
    sources="`source` is the ARN of the queue.",
    recognises=lambda mapping: _is_queue(mapping, fifo=False),
    limits=_LIMITS,
    honours=frozenset({*BATCHES, *RECEIVERS}),
    rules=_rules,
    services=_services,
    api=_API,
    identity=_IDENTITY,
    form=FORM,
    refusals={"destination_config": REDRIVE},
    pollers_min=POLLERS_LEAST,
    competing=True,
    has_visibility=True,
)


# --- FIFO -------------------------------------------------------------------------------------------------------------

_FIFO_LIMITS = SourceLimits(batch_size=10, batch_size_max=10, window=0, window_max=0)


def _fifo_rules(mapping: MappingFields, context: RuleContext) -> Iterator[Violation]:
    most = _FIFO_LIMITS.batch_size_max
    if (mapping.batch_size or 0) > most:
        yield Violation("batch_size", f"must be at most {most} for a FIFO queue, not {mapping.batch_size}")
    yield from poller_rules(mapping, NOUN, POLLERS_LEAST)


FIFO = SourceKind(
    name="sqs-fifo",
    title="SQS FIFO queue",
    noun=NOUN,
    sources="`source` is the ARN of the queue, whose name ends in `.fifo`.",
    recognises=lambda mapping: _is_queue(mapping, fifo=True),
    limits=_FIFO_LIMITS,
    honours=frozenset(RECEIVERS),
    rules=_fifo_rules,
    services=_services,
    api=_API,
    identity=_IDENTITY,
    form=FORM,
    refusals={
        "destination_config": REDRIVE,
        "maximum_batching_window_in_seconds": FieldRefusal(
            "Batching window is not supported for FIFO queues", "remove it", zero_is_none=True
        ),
    },
    pollers_min=POLLERS_LEAST,
    competing=True,
    has_visibility=True,
)
