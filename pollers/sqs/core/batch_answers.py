"""Reads from the answer to a batch call the result of each entry: pure.

SQS names each entry as successful or as failed. What is named as neither, or by an answer that is not made as SQS makes
it, is not known to be done: it is tried again.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_DeleteMessageBatch.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class BatchAnswer:
    """Entries by their number. Those that are in neither are done."""

    refused: frozenset[int]
    """It never works: the fault is the sender's."""
    again: frozenset[int]
    """It may work when it is tried again."""


ALL_DONE = BatchAnswer(frozenset(), frozenset())


def read(answer: Mapping[str, Any], entries: int) -> BatchAnswer:
    """Read the answer to a call with so many entries, whose Ids are their numbers."""
    numbers = [str(number) for number in range(entries)]
    done = {entry["Id"] for entry in _entries(answer.get("Successful"))}
    failed = {entry["Id"]: bool(entry.get("SenderFault")) for entry in _entries(answer.get("Failed"))}
    if not failed and done.issuperset(numbers):
        return ALL_DONE
    refused = frozenset(number for number, name in enumerate(numbers) if failed.get(name))
    unsettled = (number for number, name in enumerate(numbers) if name in failed or name not in done)
    return BatchAnswer(refused, frozenset(unsettled) - refused)


def _entries(member: object) -> Iterator[Mapping[str, Any]]:
    """Those that have an Id."""
    for entry in member if isinstance(member, list | tuple) else ():
        if isinstance(entry, (dict, Mapping)) and isinstance(entry.get("Id"), str):
            yield entry
