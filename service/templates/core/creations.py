"""The queues, streams, tables, topics and buckets that a template declares, as the calls that make them want it. Pure.

Only what matters to a mapping is asked for: keys, capacity and encryption of AWS are not.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping

from ....config.fields.arn import Arn, ArnError
from ....config.reasons import Reason
from . import naming
from .model import Creation, CreationKind, LeftOut, NotTaken, TakenParts
from .options import TemplateOptions
from .stack import Stack
from .values import Spot, TemplateValue, Unresolved, items_of, member, members_of, plain_of, text_of, unresolved_in

QUEUE_NUMBERS = (
    "DelaySeconds",
    "MaximumMessageSize",
    "MessageRetentionPeriod",
    "ReceiveMessageWaitTimeSeconds",
    "VisibilityTimeout",
)
QUEUE_WORDS = ("ContentBasedDeduplication", "DeduplicationScope", "FifoThroughputLimit")
TABLE_FIELDS = ("AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes", "LocalSecondaryIndexes")

Settings = tuple[dict[str, object], list[LeftOut], tuple[str, ...]]
"""The arguments of the call, what they lack, and the queues that must be there before."""


def take(stack: Stack, logical_id: str, spot: Spot, options: TemplateOptions) -> TakenParts:
    """The source, or why it cannot be made."""
    kind, settle = KINDS[stack.kind_of(logical_id)]
    name = stack.physical_name(logical_id)
    if isinstance(name, Unresolved):
        return _left(stack, logical_id, spot, name.reason.of("its name"))
    given = members_of(stack.property(logical_id))
    settings, left_out, after = settle(name, given, options)
    creation = Creation(stack.id_of(logical_id), kind, name, spot, settings, after, tuple(left_out))
    return TakenParts(creations=(creation,))


def _left(stack: Stack, logical_id: str, spot: Spot, reason: Reason) -> TakenParts:
    return TakenParts(not_taken=(NotTaken(stack.id_of(logical_id), "source", spot, reason),))


# --- queues -----------------------------------------------------------------------------------------------------------


def queue(name: str, given: Mapping[str, TemplateValue], options: TemplateOptions) -> Settings:
    attributes: dict[str, object] = {}
    left_out: list[LeftOut] = []
    for key in (*QUEUE_NUMBERS, *QUEUE_WORDS):
        text = text_of(given[key]) if key in given else ""
        if isinstance(text, Unresolved):
            left_out.append(LeftOut(key, text.reason))
        elif text:
            attributes[key] = text
    if name.endswith(".fifo"):
        attributes["FifoQueue"] = "true"
    after: tuple[str, ...] = ()
    if "RedrivePolicy" in given:
        policy = redrive(given["RedrivePolicy"], options)
        if isinstance(policy, Unresolved):
            left_out.append(LeftOut("RedrivePolicy", policy.reason))
        elif policy:
            attributes["RedrivePolicy"] = json.dumps(policy)
            after = (policy["deadLetterTargetArn"].rpartition(":")[2],)
    return {"Attributes": attributes}, left_out, after


def redrive(value: TemplateValue, options: TemplateOptions) -> dict[str, str] | Unresolved:
    """The policy of a queue; empty for one that is none."""
    if unknown := unresolved_in(value):
        return unknown
    plain = plain_of(value)
    if isinstance(plain, str):
        try:
            plain = json.loads(plain)
        except ValueError:
            return {}
    if not isinstance(plain, dict) or not plain.get("deadLetterTargetArn"):
        return {}
    target = naming.led_here(str(plain["deadLetterTargetArn"]), options)
    return {"deadLetterTargetArn": target, "maxReceiveCount": str(plain.get("maxReceiveCount", 10))}


# --- streams, tables, topics, buckets ---------------------------------------------------------------------------------


def stream(name: str, given: Mapping[str, TemplateValue], options: TemplateOptions) -> Settings:
    mode = member(given.get("StreamModeDetails"), "StreamMode")
    count = text_of(given["ShardCount"]) if "ShardCount" in given else "1"
    if mode is not None and mode.held == "ON_DEMAND" and "ShardCount" not in given:
        return {"ShardCount": 4}, [], ()
    if isinstance(count, Unresolved):
        return {"ShardCount": 1}, [LeftOut("ShardCount", count.reason)], ()
    return {"ShardCount": int(count) if count.isdecimal() and int(count) else 1}, [], ()


def table(name: str, given: Mapping[str, TemplateValue], options: TemplateOptions) -> Settings:
    settings: dict[str, object] = {"BillingMode": "PAY_PER_REQUEST"}
    left_out: list[LeftOut] = []
    for key in TABLE_FIELDS:
        if key in given and (unknown := unresolved_in(given[key])):
            left_out.append(LeftOut(key, unknown.reason))
        elif key in given:
            settings[key] = _without_capacity(plain_of(given[key]))
    view = member(given.get("StreamSpecification"), "StreamViewType")
    if view is not None and not isinstance(view.held, Unresolved):
        settings["StreamSpecification"] = {"StreamEnabled": True, "StreamViewType": str(view.held)}
    return settings, left_out, ()


def _without_capacity(indexes: object) -> object:
    """Indexes without what they have reserved, which a table that pays per request does not take."""
    if not isinstance(indexes, list):
        return indexes
    gone = {"ProvisionedThroughput", "ContributorInsightsSpecification", "WriteProvisionedThroughputSettings"}
    return [
        {key: value for key, value in each.items() if key not in gone} if isinstance(each, dict) else each
        for each in indexes
    ]


def topic(name: str, given: Mapping[str, TemplateValue], options: TemplateOptions) -> Settings:
    return ({"Attributes": {"FifoTopic": "true"}} if name.endswith(".fifo") else {}), [], ()


def bucket(name: str, given: Mapping[str, TemplateValue], options: TemplateOptions) -> Settings:
    return {}, [], ()


KINDS: Mapping[str, tuple[CreationKind, Callable[[str, Mapping[str, TemplateValue], TemplateOptions], Settings]]] = {
    naming.QUEUE: (CreationKind.QUEUE, queue),
    naming.STREAM: (CreationKind.STREAM, stream),
    naming.TABLE: (CreationKind.TABLE, table),
    naming.GLOBAL_TABLE: (CreationKind.TABLE, table),
    naming.TOPIC: (CreationKind.TOPIC, topic),
    naming.BUCKET: (CreationKind.BUCKET, bucket),
}


# --- which of them, and when ------------------------------------------------------------------------------------------


def wanted(taken: TakenParts) -> tuple[Creation, ...]:
    """What `--create-sources` makes: every queue, stream and table, and the topics and buckets that are failure
    destinations; queues after those that they redrive to."""
    told = {arn for mapping in taken.mappings for arn in _destinations(mapping.fields.get("destination_config"))}
    always = (CreationKind.QUEUE, CreationKind.STREAM, CreationKind.TABLE)
    kept = [each for each in taken.creations if each.kind in always or (_SERVICES[each.kind], each.name) in told]
    order = list(CreationKind)
    return tuple(_after_targets(sorted(kept, key=lambda each: order.index(each.kind))))


_SERVICES = {CreationKind.TOPIC: "sns", CreationKind.BUCKET: "s3"}


def _destinations(config: TemplateValue | None) -> Iterator[tuple[str, str]]:
    destination = member(config, "on_failure", "destination")
    for each in items_of(destination):
        try:
            arn = Arn.parse(str(each.held))
        except ArnError:
            continue
        yield arn.service, naming.name_in(arn)


def _after_targets(creations: list[Creation]) -> Iterator[Creation]:
    """Each after the queues that it needs, as far as these are here and need it not themselves."""
    names = {each.name for each in creations if each.kind is CreationKind.QUEUE}
    left, made = list(creations), set[str]()
    while left:
        ready = [each for each in left if all(name in made or name not in names for name in each.after)]
        for each in ready or left[:1]:
            left.remove(each)
            made.add(each.name)
            yield each
