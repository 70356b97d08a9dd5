"""Translates settings into the loop's parameters, for every source. Used by `mapping_factory.py`."""

from __future__ import annotations

from ...config.fields.arn import Arn
from ...config.mapping import EventSourceMapping
from ...config.settings import Aws, Destinations, Settings
from ...dispatch.core.backoff import Backoff
from ...dispatch.core.batcher import PAYLOAD_LIMIT
from ...dispatch.destinations.persistence import Persistence
from ...pollers.feed_settings import AHEAD_BYTES, AHEAD_RECORDS

LOCAL_ACCOUNT, LOCAL_REGION = "000000000000", "us-east-1"
"""Defaults, when neither the settings nor the source give a value."""


def backoff_of(mapping: EventSourceMapping, settings: Settings) -> Backoff:
    """The pauses between attempts: the mapping's own, else those of the daemon."""
    given = mapping.retry_backoff or settings.retry_backoff
    return Backoff(base=given.base, cap=given.cap)


def ahead_of(mapping: EventSourceMapping) -> tuple[int, int]:
    """Records and bytes that may be read ahead of a shard's first unfinished record: enough for every slot to fill a
    batch of its own."""
    slots = mapping.parallelization_factor or 1
    return max(AHEAD_RECORDS, mapping.batch_limit * slots), max(AHEAD_BYTES, PAYLOAD_LIMIT * (slots + 1))


def persistence_of(given: Destinations) -> Persistence:
    return Persistence(given.attempts, given.seconds, given.block)


def function_arn(mapping: EventSourceMapping, aws: Aws) -> str:
    """The function's ARN as in the mapping; for a name, without its qualifier. Missing parts come from the
    source, else from the emulators' defaults."""
    if mapping.function.startswith("arn:"):
        return mapping.function
    arn = mapping.arn or Arn("aws", "lambda", aws.region or LOCAL_REGION, LOCAL_ACCOUNT, "")
    return f"arn:{arn.partition}:lambda:{arn.region}:{aws.account or arn.account}:function:{mapping.function_name}"
