"""The order of a stream's records in each shard, and the documents of the discarded ones. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

ATTEMPTS = 2
"""Attempts of an order that is alone in its batch: the first, and the retry that the mapping allows."""


@dataclass(frozen=True, slots=True)
class Placed:
    """The place of an order in the stream."""

    order: int
    shard: str
    number: str
    """Its sequence number, or its offset."""
    name: str = ""
    """The id of its record in the daemon's log; empty: the number."""

    @property
    def record(self) -> str:
        return self.name or self.number


class Stream:
    """All orders of a stream, by their place."""

    def __init__(self, placed: Iterable[Placed]) -> None:
        self.placed = sorted(placed, key=lambda each: (each.shard, int(each.number)))
        self.by_order = {each.order: each for each in self.placed}

    @property
    def shards(self) -> Mapping[str, Sequence[int]]:
        """The orders of each shard, in order."""
        groups = groupby(self.placed, key=lambda each: each.shard)
        return {shard: [each.order for each in group] for shard, group in groups}

    def between(self, shard: str, first: str, last: str) -> list[Placed]:
        return [each for each in self.placed if each.shard == shard and int(first) <= int(each.number) <= int(last)]


def disordered(journal: Iterable[Mapping[str, Any]], stream: Stream) -> set[int]:
    """Orders that the function got after a later one of their shard, or saw at another place. The
    journal's lines are in the order of the deliveries."""
    reached: dict[str, int] = {}
    wrong: set[int] = set()
    for line in journal:
        place = stream.by_order.get(line["order"])
        if place is None:
            continue  # was never sent, which the account reports
        number = int(line["number"])
        if number != int(place.number) or line["shard"] not in ("", place.shard):
            wrong.add(place.order)
        if number < reached.get(place.shard, -1):
            wrong.add(place.order)
        reached[place.shard] = max(number, reached.get(place.shard, -1))
    return wrong


@dataclass(frozen=True, slots=True)
class GivenUp:
    """The content of one document."""

    orders: tuple[int, ...]
    """The orders whose records are in its range."""
    first: str
    last: str
    shard: str
    records: int
    attempts: int
    condition: str

    @classmethod
    def read(cls, document: Mapping[str, Any], stream: Stream) -> GivenUp:
        if "KafkaBatchInfo" in document:  # one record
            batch = document["KafkaBatchInfo"]
            (shard,) = document["payload"]["records"]
            first = last = batch["recordInfo"]["offset"]
        else:
            batch = document.get("KinesisBatchInfo") or document["DDBStreamBatchInfo"]
            shard, first, last = batch["shardId"], batch["startSequenceNumber"], batch["endSequenceNumber"]
        context = document["requestContext"]
        return cls(
            tuple(each.order for each in stream.between(shard, first, last)),
            first,
            last,
            shard,
            batch["batchSize"],
            context["approximateInvokeCount"],
            context["condition"],
        )

    @property
    def isolated(self) -> bool:
        """A single record, discarded after its attempts."""
        alone = self.records == len(self.orders) == 1 and self.first == self.last
        return alone and self.attempts == ATTEMPTS and self.condition == "RetryAttemptsExhausted"
