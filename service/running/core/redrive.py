"""How the messages of a dead-letter queue go back: pure.

queue, its sources, --to ──► to one queue │ each to where it came from │ nowhere, with the reason
a message as it was received ──► a message to send, with its attributes, group and deduplication id
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

SOURCE = "DeadLetterQueueSourceArn"
TRACE = "AWSTraceHeader"
LONGEST_ID = 128
"""Characters of a deduplication id."""
FIFO = ".fifo"
MOST_AT_ONCE = 10
"""Messages that one call can receive."""

UNKNOWN = frozenset(
    {
        "InvalidAction",
        "UnknownAction",
        "UnknownOperation",
        "UnknownOperationException",
        "UnsupportedOperation",
        "UnsupportedOperationException",
        "AWS.SimpleQueueService.UnsupportedOperation",
        "NotImplemented",
        "InternalFailure",
        "404",
        "501",
    }
)
"""What an endpoint answers that has no such call. AWS has it, and means something else by some of these."""


@dataclass(frozen=True, slots=True)
class RedriveRoute:
    """Where messages go."""

    to: str
    """ARN of the queue for those that do not say where they came from; empty where each must say it."""
    named: bool
    """Whether the user named it."""

    def of(self, message: Mapping[str, Any]) -> str:
        """ARN of the queue for this message; empty where nobody knows it."""
        origin = (message.get("Attributes") or {}).get(SOURCE)
        return self.to if self.named or not origin else str(origin)


@dataclass(frozen=True, slots=True)
class NoRoute:
    """Why nothing can be moved, with what to do."""

    why: str


def route(queue: str, sources: Sequence[str], to: str) -> RedriveRoute | NoRoute:
    """All are ARNs; `to` is empty where the user names no queue. `sources`: those whose dead-letter queue it is."""
    if to:
        if to == queue:
            return NoRoute(f"{queue} cannot be moved to itself")
        if to.endswith(FIFO) != queue.endswith(FIFO):
            return NoRoute(f"{queue} and {to} must both be FIFO, or none of them")
        return RedriveRoute(to, named=True)
    if not sources:
        return NoRoute(f"{queue} is the dead-letter queue of no queue; name where its messages go with --to")
    return RedriveRoute(sources[0] if len(sources) == 1 else "", named=False)


def at_once(left: int, rate: float | None, hidden: float) -> int:
    """How many messages to receive, so that all of them are moved in half of the time for which the queue hides them
    (seconds). `rate`: messages a second; None for no limit."""
    most = min(MOST_AT_ONCE, left)
    return most if rate is None else max(1, min(most, int(rate * hidden / 2)))


def names_dead_letters(policy: object, queue: str) -> bool:
    """Whether a redrive policy, as a queue says it, names this queue by its ARN."""
    try:
        return isinstance(policy, str) and json.loads(policy).get("deadLetterTargetArn") == queue
    except (ValueError, AttributeError):
        return False


def resent(message: Mapping[str, Any], *, fifo: bool, anew: bool = False) -> dict[str, Any]:
    """The entry to send for a received message. `anew`: with another deduplication id, because the queue took it for a
    repetition of the message that went to the dead-letter queue; the same one whenever it is asked for."""
    attributes = message.get("Attributes") or {}
    entry: dict[str, Any] = {"MessageBody": message["Body"]}
    if given := message.get("MessageAttributes"):
        entry["MessageAttributes"] = {name: _attribute(value) for name, value in given.items()}
    if trace := attributes.get(TRACE):
        entry["MessageSystemAttributes"] = {TRACE: {"DataType": "String", "StringValue": trace}}
    if group := attributes.get("MessageGroupId"):
        entry["MessageGroupId"] = group
    if fifo:
        entry["MessageDeduplicationId"] = _deduplication(message, attributes, anew)
    return entry


def _attribute(value: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value[name] for name in ("DataType", "StringValue", "BinaryValue") if name in value}


def _deduplication(message: Mapping[str, Any], attributes: Mapping[str, Any], anew: bool) -> str:
    kept = str(attributes.get("MessageDeduplicationId") or message["MessageId"])
    if not anew:
        return kept
    mark = f"-{message['MessageId']}"
    return kept[: LONGEST_ID - len(mark)] + mark


def is_repetition(message: Mapping[str, Any], sent: str) -> bool:
    """Whether a FIFO queue answered with the id of the message itself: it took the new one for that, and has none."""
    return sent == str(message["MessageId"])
