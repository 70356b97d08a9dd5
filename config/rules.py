"""What a source allows of a mapping's fields, and which fields exclude each other: AWS's rules, and what this version
does not do yet.

Pure. `what` is AWS's own text wherever AWS's text is known, so that the mapping API can answer with it; the hint is
ours. Used by the loader and by the API.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from . import kafka_security, limits, schema_registry
from .arn import Arn, ArnError
from .limits import LIMITS, SourceKind, Support
from .mapping import EventSourceMapping, is_given, split_function
from .spoken import aws_name

_POLLED = f"this version polls {limits.polled()}"
_DESTINATIONS = "a standard queue, a standard topic or a bucket"


SHORTEST_AGE = 60
"""Seconds of MaximumRecordAgeInSeconds that AWS takes at least."""


class Wording(Enum):
    """What stands in `Violation.what`."""

    PREDICATE = "goes on from the name of the field"  # must be 1
    CLAUSE = "has a subject of its own, and stands beside the name of the field"  # the protocol SSL has no login
    SENTENCE = "is a whole sentence, AWS's own wherever that is known"


@dataclass(frozen=True, slots=True)
class Violation:
    """A rule that a mapping breaks, and the field to blame."""

    field: str
    what: str
    hint: str = ""
    wording: Wording = Wording.PREDICATE


def sentence(field: str, what: str, hint: str = "") -> Violation:
    return Violation(field, what, hint, Wording.SENTENCE)


def check(mapping: EventSourceMapping, now: float, shortest_age: int = SHORTEST_AGE) -> list[Violation]:
    """Every rule that the mapping breaks, in the order in which AWS looks. `now` in seconds since the epoch."""
    kind = mapping.kind
    if kind is None:
        return [_unknown_source(mapping)]
    return [
        *_applicable(mapping, kind),
        *_queue_rules(mapping, kind),
        *_stream_rules(mapping, kind, now, shortest_age),
        *_kafka_rules(mapping, kind, now, shortest_age),
        *_pollers(mapping),
        *_access_rules(mapping, kind),
    ]


def notes(mapping: EventSourceMapping) -> list[Violation]:
    """What is allowed and worth a line: fields kept without effect, and more than AWS allows unasked."""
    found = [Violation(name, "is recorded and has no effect here", limits.RECORDED[name]) for name in mapping.recorded]
    if len(mapping.patterns) > limits.FILTERS_QUOTA:
        what = f"has {len(mapping.patterns)} filters; AWS allows {limits.FILTERS_QUOTA} until the quota is raised"
        found.append(Violation("filter_criteria", what))
    provisioned = mapping.provisioned_poller_config
    if provisioned and provisioned.poller_group_name:
        what = "poller_group_name is recorded and has no effect here"
        found.append(Violation("provisioned_poller_config", what, "mappings share no pollers"))
    for kind in kafka_security.without_effect(mapping):
        what = f"{kind} is recorded and has no effect here"
        found.append(Violation("source_access_configurations", what, "there is no network of AWS"))
    return found


def _unknown_source(mapping: EventSourceMapping) -> Violation:
    if mapping.arn is None and mapping.topics:
        hint = "give the brokers of the topic, or 'source' with the ARN of an MSK cluster"
        return sentence("self_managed_event_source", "Unrecognized event source.", hint)
    if mapping.arn is None:
        hint = "give an ARN of a queue, stream or cluster"
        return sentence("source", "Unrecognized event source.", hint)
    what = f"Unrecognized event source. Headrace knows nothing of the service {mapping.arn.service!r}"
    return sentence("source", what, _POLLED)


def _applicable(mapping: EventSourceMapping, kind: SourceKind) -> Iterator[Violation]:
    for name in sorted(mapping.model_fields_set & limits.FIELDS.keys(), key=list(limits.FIELDS).index):
        if not is_given(getattr(mapping, name)):
            continue
        match limits.standing(name, kind):
            case Support.REFUSED:
                yield from _refused(mapping, name, kind)
            case Support.HONOURED | Support.RECORDED:
                pass


def _refused(mapping: EventSourceMapping, name: str, kind: SourceKind) -> Iterator[Violation]:
    title = LIMITS[kind].title
    if name == "destination_config":
        what = "Unsupported DestinationConfig parameter for given event source mapping type."
        yield sentence(name, what, "a queue has a redrive policy of its own for what fails" if kind.is_queue else "")
    elif name == "maximum_batching_window_in_seconds" and kind is SourceKind.SQS_FIFO:
        if mapping.maximum_batching_window_in_seconds:
            yield sentence(name, "Batching window is not supported for FIFO queues", "remove it")
    else:
        spoken = aws_name(name)
        spoken = spoken[0].lower() + spoken[1:]
        what = f"Unsupported '{spoken}' parameter for given event source mapping type."
        yield sentence(name, what, f"remove it: it means nothing for {title}s")


def _queue_rules(mapping: EventSourceMapping, kind: SourceKind) -> Iterator[Violation]:
    if kind is SourceKind.SQS_FIFO and mapping.batch_limit > LIMITS[kind].batch_size_max:
        yield Violation("batch_size", f"must be at most 10 for a FIFO queue, not {mapping.batch_limit}")
    if kind is SourceKind.SQS and mapping.batch_limit > 10 and mapping.window < 1:
        what = "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10"
        yield sentence("batch_size", what, "give maximum_batching_window_in_seconds, or a batch_size of 10 at most")


def _stream_rules(mapping: EventSourceMapping, kind: SourceKind, now: float, shortest_age: int) -> Iterator[Violation]:
    if not kind.is_stream:
        return
    if mapping.starting_position is None:
        what = (
            "1 validation error detected: Value null at 'startingPosition' failed to satisfy constraint: "
            "Member must not be null."
        )
        yield sentence("starting_position", what, "give TRIM_HORIZON or LATEST")
    yield from _start_rules(mapping, kind, now)
    yield from _age_rules(mapping, shortest_age)
    if mapping.tumbling_window_in_seconds and (mapping.parallelization_factor or 1) > 1:
        yield Violation("parallelization_factor", "must be 1 with a tumbling window")
    yield from _destination_rules(mapping, kind)


def _kafka_rules(mapping: EventSourceMapping, kind: SourceKind, now: float, shortest_age: int) -> Iterator[Violation]:
    if kind is not SourceKind.KAFKA:
        return
    if mapping.source and is_given(mapping.self_managed_event_source):
        what = "EventSourceArn and SelfManagedEventSource exclude each other"
        yield sentence("self_managed_event_source", what, "the brokers of an MSK cluster are 'bootstrap_servers'")
    if not mapping.topics:
        yield sentence("topics", "Required 'topics' parameter is missing.", "give the topic, e.g. [orders]")
    yield from _start_rules(mapping, kind, now)
    yield from _age_rules(mapping, shortest_age)
    yield from _destination_rules(mapping, kind)
    yield from _kafka_config_rules(mapping)


def _kafka_config_rules(mapping: EventSourceMapping) -> Iterator[Violation]:
    own, other = "self_managed_kafka_event_source_config", "amazon_managed_kafka_event_source_config"
    field, foreign = (other, own) if mapping.source else (own, other)
    if is_given(getattr(mapping, foreign)):
        spoken = aws_name(foreign)
        what = f"Unsupported '{spoken[0].lower()}{spoken[1:]}' parameter for given event source mapping type."
        yield sentence(foreign, what, f"say it in {field}")
    yield from _consumption_rules(mapping, field)
    yield from (Violation(*fault, Wording.CLAUSE) for fault in schema_registry.violations(mapping))


def _consumption_rules(mapping: EventSourceMapping, field: str) -> Iterator[Violation]:
    mode = mapping.kafka_config.consumption_mode
    if mode is not None and mapping.source:
        yield sentence(field, "ConsumptionMode is for brokers of one's own, not for an MSK cluster", "remove it")
    elif mode == "Queue":
        yield sentence(field, f"ConsumptionMode Queue is not supported: {limits.NO_SHARE_GROUPS}")


def _age_rules(mapping: EventSourceMapping, shortest_age: int) -> Iterator[Violation]:
    age = mapping.maximum_record_age_in_seconds
    if age is not None and 0 <= age < shortest_age:
        what = "MaximumRecordAgeInSeconds must be either -1 (forever) or between 60 and 604800 (inclusive)"
        yield sentence("maximum_record_age_in_seconds", what, "for tests, the setting shortest_record_age allows less")


def _start_rules(mapping: EventSourceMapping, kind: SourceKind, now: float) -> Iterator[Violation]:
    position, moment = mapping.starting_position, mapping.starting_position_timestamp
    if kind is SourceKind.DYNAMODB:
        if position == "AT_TIMESTAMP":
            what = f"Unsupported starting position for arn type: {mapping.source}"
            yield sentence("starting_position", what, "give TRIM_HORIZON or LATEST")
    elif position == "AT_TIMESTAMP" and moment is None:
        yield Violation(
            "starting_position_timestamp",
            "is needed with the starting position AT_TIMESTAMP",
            "give a time such as 2025-01-31T12:00:00Z",
        )
    elif position != "AT_TIMESTAMP" and moment is not None:
        yield Violation("starting_position_timestamp", "is for the starting position AT_TIMESTAMP alone", "remove it")
    elif moment is not None and moment > now:
        yield Violation("starting_position_timestamp", "is in the future", "give LATEST to begin now")


def _destination_rules(mapping: EventSourceMapping, kind: SourceKind) -> Iterator[Violation]:
    config = mapping.destination_config
    if config is None:
        return
    if is_given(config.on_success):
        what = "Unsupported DestinationConfig parameter for given event source mapping type."
        yield sentence("destination_config", what, "a mapping has on_failure only")
    given = config.on_failure.destination if config.on_failure else None
    if kind is SourceKind.KAFKA and mapping.failure_topic:
        if mapping.failure_topic in (mapping.topics or ()):
            what = f"on_failure: {given} is the source: what it is told would come back for ever"
            yield Violation("destination_config", what, "name another topic")
    elif given and (fault := _no_destination(given)):
        yield Violation("destination_config", f"on_failure: {given} {fault}", f"give the ARN of {_DESTINATIONS}")


def _no_destination(text: str) -> str:
    """Why this cannot be a failure destination that is no topic of the source's cluster; empty when it can."""
    if text.startswith("kafka://"):
        return "is a Kafka topic, and only Kafka mappings can have one"
    try:
        arn = Arn.parse(text)
    except ArnError as error:
        return str(error)
    match arn.service:
        case "sqs":
            return "is a FIFO queue, which AWS does not take" if arn.is_fifo else ""
        case "sns":
            return "is a FIFO topic, which AWS does not take" if arn.resource.endswith(".fifo") else ""
        case "s3":
            return "names more than a bucket" if "/" in arn.resource else ""
        case service:
            return f"is of the service {service!r}"


def _pollers(mapping: EventSourceMapping) -> Iterator[Violation]:
    provisioned = mapping.provisioned_poller_config
    if provisioned is None:
        return
    least = mapping.pollers_min
    low, high = provisioned.minimum_pollers or least, provisioned.maximum_pollers
    if low < least:
        yield Violation("provisioned_poller_config", f"has MinimumPollers {low}, and a queue has {least} at least")
    if high is not None and mapping.kind is SourceKind.KAFKA and high > limits.TOPIC_POLLERS_MAX:
        what = f"has MaximumPollers {high}, and a topic has {limits.TOPIC_POLLERS_MAX} at most"
        yield Violation("provisioned_poller_config", what)
    if high is not None and high < low:
        yield Violation("provisioned_poller_config", f"has MaximumPollers {high}, less than MinimumPollers {low}")
    if mapping.maximum_concurrency is not None and is_given(provisioned):
        what = "MaximumConcurrency and ProvisionedPollerConfig exclude each other"
        yield sentence("scaling_config", what, "remove one")


def _access_rules(mapping: EventSourceMapping, kind: SourceKind) -> Iterator[Violation]:
    if kind is SourceKind.KAFKA:
        yield from (Violation(*fault, Wording.CLAUSE) for fault in kafka_security.violations(mapping))


def check_function(mapping: EventSourceMapping) -> list[Violation]:
    """A qualifier names a version, and the functions of a configuration have one version each."""
    qualifier = split_function(mapping.function)[1]
    if qualifier in {"", "$LATEST"}:
        return []
    hint = "remove it; for a version or alias of a remote function set 'invoke.qualifier' there"
    return [Violation("function", f"has the qualifier {qualifier!r}, and configured functions have no versions", hint)]


def conflict(mapping: EventSourceMapping, other: EventSourceMapping) -> str | None:
    """AWS's words when both take the same source to the same function, else None."""
    tail = f"already exists. Please update or delete the existing mapping with UUID {other.uuid}"
    if mapping.function_name != other.function_name:
        return None
    if mapping.kind is SourceKind.KAFKA:
        if other.kind is not SourceKind.KAFKA or not _same_topic(mapping, other):
            return None
        servers = ",".join(mapping.servers) or mapping.source
        about = f'event source ("{servers}"), function ("{mapping.function}"), topics ("{mapping.topic}")'
        return f"An event source mapping with {about} {tail}"
    if mapping.source != other.source or not mapping.source:
        return None
    names = f'(" {mapping.source} ") and function (" {mapping.function_name} ")'
    if mapping.kind and mapping.kind.is_queue:
        return f"An event source mapping with SQS arn {names} {tail}"
    return f"The event source arn {names} provided mapping {tail}"


def _same_topic(mapping: EventSourceMapping, other: EventSourceMapping) -> bool:
    """One common server is enough, as on AWS: the others are of the same cluster."""
    same = mapping.source and mapping.source == other.source
    return mapping.topics == other.topics and bool(same or set(mapping.servers) & set(other.servers))


def shared_group(mapping: EventSourceMapping, other: EventSourceMapping) -> str | None:
    """What is wrong when two Kafka mappings are members of one consumer group: each would get a part only."""
    if mapping.kind is not SourceKind.KAFKA or other.kind is not SourceKind.KAFKA or mapping.group != other.group:
        return None
    return f"the consumer group {mapping.group!r} has another mapping already; each would get a part of the records"
