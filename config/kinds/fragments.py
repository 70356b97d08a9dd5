"""Rules, fields and answers that several kinds of source have in common. Used by the kinds alone. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from ..fields.mapping_fields import MappingFields, is_given
from .profile import RuleContext, SourceLimits, Violation, sentence

BATCHES = ("maximum_batching_window_in_seconds",)
DISCARDS = (
    "destination_config",
    "maximum_record_age_in_seconds",
    "maximum_retry_attempts",
    "bisect_batch_on_function_error",
)
"""The fields of sources whose records are tried again until policy gives up on them."""
SHARDS = (
    *BATCHES,
    *DISCARDS,
    "starting_position",
    "parallelization_factor",
    "tumbling_window_in_seconds",
    "recreated_stream",
)
"""The fields of sources that are read shard by shard."""
SHARD_LIMITS = SourceLimits(batch_size=100, batch_size_max=10_000, window=0, window_max=300)
SHARD_ANSWERS: dict[str, object] = {
    "function_response_types": [],
    "maximum_batching_window_in_seconds": 0,
    "starting_position": None,
    "starting_position_timestamp": None,
    "parallelization_factor": 1,
    "tumbling_window_in_seconds": 0,
    "bisect_batch_on_function_error": False,
    "destination_config": {"OnFailure": {}},
    "maximum_record_age_in_seconds": -1,
    "maximum_retry_attempts": -1,
}
"""What the API shows of a source that is read shard by shard."""


def age_rules(mapping: MappingFields, context: RuleContext) -> Iterator[Violation]:
    age = mapping.maximum_record_age_in_seconds
    if age is not None and 0 <= age < context.shortest_age:
        what = "MaximumRecordAgeInSeconds must be either -1 (forever) or between 60 and 604800 (inclusive)"
        yield sentence("maximum_record_age_in_seconds", what, "for tests, the setting shortest_record_age allows less")


def start_needed(mapping: MappingFields) -> Iterator[Violation]:
    if mapping.starting_position is None:
        what = (
            "1 validation error detected: Value null at 'startingPosition' failed to satisfy constraint: "
            "Member must not be null."
        )
        yield sentence("starting_position", what, "give TRIM_HORIZON or LATEST")


def moment_rules(mapping: MappingFields, context: RuleContext) -> Iterator[Violation]:
    """The rules of sources that can be read from a moment on."""
    position, moment = mapping.starting_position, mapping.starting_position_timestamp
    if position == "AT_TIMESTAMP" and moment is None:
        hint = "give a time such as 2025-01-31T12:00:00Z"
        yield Violation("starting_position_timestamp", "is needed with the starting position AT_TIMESTAMP", hint)
    elif position != "AT_TIMESTAMP" and moment is not None:
        yield Violation("starting_position_timestamp", "is for the starting position AT_TIMESTAMP alone", "remove it")
    elif moment is not None and moment > context.now:
        yield Violation("starting_position_timestamp", "is in the future", "give LATEST to begin now")


def window_rules(mapping: MappingFields) -> Iterator[Violation]:
    if mapping.tumbling_window_in_seconds and (mapping.parallelization_factor or 1) > 1:
        yield Violation("parallelization_factor", "must be 1 with a tumbling window")


def poller_rules(mapping: MappingFields, noun: str, least: int, most: int | None = None) -> Iterator[Violation]:
    """The rules of sources that have a provisioned mode. `least`, `most`: the bounds of pollers; `most` only where the
    field takes more."""
    provisioned = mapping.provisioned_poller_config
    if provisioned is None:
        return
    low, high = provisioned.minimum_pollers or least, provisioned.maximum_pollers
    if low < least:
        yield Violation("provisioned_poller_config", f"has MinimumPollers {low}, but a {noun} needs at least {least}")
    if high is not None and most is not None and high > most:
        yield Violation("provisioned_poller_config", f"has MaximumPollers {high}, but a {noun} allows at most {most}")
    if high is not None and high < low:
        yield Violation("provisioned_poller_config", f"has MaximumPollers {high}, less than MinimumPollers {low}")
    if mapping.maximum_concurrency is not None and is_given(provisioned):
        what = "MaximumConcurrency and ProvisionedPollerConfig exclude each other"
        yield sentence("scaling_config", what, "remove one")
