"""Which records a replay reads again, and how far it is: pure.

    plan       a time (since, until), or spans of positions by shard (what documents name)
    progress   of each shard the last position that is done, and whether the shard is done

A record may be read twice, after a crash or where a source rounds its times; none of the plan is left out. Nothing here
is a mapping's own position: that stays where it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf
from typing import Any

from ....dispatch.core.found_documents import NamedRecords
from ....dispatch.core.model import Position

SLACK = 2.0
"""Seconds: a source's times of arrival may go back by so much from one record of a shard to the next."""


@dataclass(frozen=True, slots=True)
class Span:
    """Positions of a shard, both ends included."""

    first: int
    last: float
    """Infinite for no end."""
    text: str = ""
    """The first position as the source spells it; empty where that is not known."""
    since: float | None = None
    """When its first record arrived (wall-clock seconds, never later); None where that is not known."""


@dataclass(frozen=True, slots=True)
class ReplayPlan:
    """The records that are read again: all shards from `since` to `until` (wall-clock seconds, both included), or
    `spans` alone."""

    since: float | None = None
    """None: from the oldest record on."""
    until: float = inf
    spans: Mapping[str, Sequence[Span]] | None = None
    """By shard, in order, none touching another; None: the times decide."""

    def covers(self, shard: str) -> bool:
        return self.spans is None or shard in self.spans

    def wants(self, shard: str, number: int, arrived: float) -> bool:
        """Whether the record at this position is one of the plan. Before `since` the source itself gives none, as far
        as it can tell."""
        if self.spans is None:
            return arrived <= self.until
        return any(span.first <= number <= span.last for span in self.spans.get(shard, ()))

    def is_over(self, shard: str, number: int, arrived: float) -> bool:
        """Whether nothing of the plan comes behind the record at this position."""
        if self.spans is None:
            return arrived > self.until + SLACK
        spans = self.spans.get(shard, ())
        return not spans or number >= spans[-1].last

    def is_passed(self, now: float) -> bool:
        """Whether a shard that has no more records at present will get none of the plan."""
        return self.spans is not None or now > self.until


def spans_of(origins: Iterable[NamedRecords]) -> dict[str, list[Span]]:
    """The ranges that documents name, by shard: in order, and joined where they overlap."""
    by_shard: dict[str, list[Span]] = {}
    for each in sorted(origins, key=lambda origin: (origin.shard, origin.first, origin.last)):
        spans = by_shard.setdefault(each.shard, [])
        span = Span(each.first, each.last, each.text, each.since)
        if spans and span.first <= spans[-1].last:
            spans[-1] = replace(spans[-1], last=max(spans[-1].last, span.last))
        else:
            spans.append(span)
    return by_shard


# --- progress ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ShardDone:
    """How far one shard is done."""

    position: Position | None = None
    """The last record that is done, with all of the plan before it; None while there is none."""
    ended: bool = False
    """All of the plan is done in it."""


@dataclass(slots=True)
class ReplayProgress:
    """How far a replay is. Changes with each commit; as JSON it is kept over the end of a process."""

    shards: dict[str, ShardDone] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    """Records by fate."""

    def moved(self, shard: str, position: Position | None, *, ended: bool) -> None:
        before = self.shards.get(shard, ShardDone())
        self.shards[shard] = ShardDone(position or before.position, ended or before.ended)

    def count(self, fate: str, number: int) -> None:
        self.counts[fate] = self.counts.get(fate, 0) + number

    @property
    def records(self) -> int:
        return sum(self.counts.values())

    def as_json(self) -> dict[str, Any]:
        shards = {
            shard: {"position": _spelled(done.position), "ended": done.ended} for shard, done in self.shards.items()
        }
        return {"shards": shards, "counts": dict(self.counts)}

    @classmethod
    def of_json(cls, stored: Mapping[str, Any]) -> ReplayProgress:
        """Raises KeyError, TypeError or ValueError for what `as_json` never said."""
        shards = {
            str(shard): ShardDone(_read(done["position"]), bool(done["ended"]))
            for shard, done in stored["shards"].items()
        }
        return cls(shards, {str(fate): int(number) for fate, number in stored["counts"].items()})


def _spelled(position: Position | None) -> list[Any] | None:
    return None if position is None else [str(position.number), position.sub, position.text]


def _read(stored: Any) -> Position | None:
    if stored is None:
        return None
    number, sub, text = stored
    return Position(int(number), int(sub), str(text))


def plan_as_json(plan: ReplayPlan) -> dict[str, Any]:
    spans = plan.spans
    return {
        "since": plan.since,
        "until": None if plan.until == inf else plan.until,
        "spans": None if spans is None else {shard: [_span(each) for each in found] for shard, found in spans.items()},
    }


def plan_of_json(stored: Mapping[str, Any]) -> ReplayPlan:
    """Raises as `ReplayProgress.of_json`."""
    spans, since, until = stored["spans"], stored["since"], stored["until"]
    return ReplayPlan(
        None if since is None else float(since),
        inf if until is None else float(until),
        None if spans is None else {str(shard): [_read_span(each) for each in found] for shard, found in spans.items()},
    )


def _span(span: Span) -> list[Any]:
    return [str(span.first), None if span.last == inf else str(span.last), span.text, span.since]


def _read_span(stored: Sequence[Any]) -> Span:
    first, last, text, since = stored
    return Span(int(first), inf if last is None else int(last), str(text), None if since is None else float(since))
