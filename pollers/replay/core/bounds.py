"""Reads the values of `--from` and `--to`: a time, or a place in a shard. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from math import inf

from .plan import ReplayPlan, Span

OLDEST = "TRIM_HORIZON"
NOW = "now"
AGO = re.compile(r"(\d+(?:\.\d+)?)([smhd])", re.ASCII)
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
PLACE = re.compile(r"(.+)@(\d+)", re.ASCII)
OFFSET = re.compile(r"(.+)/(\d+)/(\d+)", re.ASCII)
NUMBER = re.compile(r"\d+(\.\d+)?", re.ASCII)
FORMS = (
    "a time like 2026-05-01T12:00:00Z, seconds since the epoch, 90m (so long ago), TRIM_HORIZON, now, "
    "SHARD@SEQUENCE-NUMBER or TOPIC/PARTITION/OFFSET"
)


@dataclass(frozen=True, slots=True)
class Bound:
    """A time, or a position in a shard."""

    at: float = -inf
    """Wall-clock seconds since the epoch."""
    shard: str = ""
    """Empty for a time."""
    number: int = 0
    text: str = ""


@dataclass(frozen=True, slots=True)
class Unclear:
    """The value means nothing, alone or together with the others. The text says what to write."""

    why: str


def bound(text: str, now: float) -> Bound | Unclear:
    """`now`: wall-clock seconds."""
    if text.upper() == OLDEST:
        return Bound()
    if text.lower() == NOW:
        return Bound(now)
    if ago := AGO.fullmatch(text):
        return Bound(now - float(ago[1]) * UNITS[ago[2]])
    if NUMBER.fullmatch(text):
        return Bound(float(text))
    if offset := OFFSET.fullmatch(text):
        return Bound(shard=f"{offset[1]}-{offset[2]}", number=int(offset[3]), text=offset[3])
    if place := PLACE.fullmatch(text):
        return Bound(shard=place[1], number=int(place[2]), text=place[2])
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return Unclear(f"{text!r} is no place to read from or to: write {FORMS}")
    return Bound((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp())


def plan_between(begin: str, end: str, now: float) -> ReplayPlan | Unclear:
    """From one bound to the other, both included; an empty `end`: now, or all of the shard that `begin` names."""
    first = bound(begin, now)
    last = bound(end, now) if end else None
    if isinstance(first, Unclear):
        return first
    if isinstance(last, Unclear):
        return last
    if first.shard:
        return _in_shard(first, last)
    if last is not None and last.shard:
        return Unclear("--to names a place in a shard, so --from must name one in it too")
    until = now if last is None else last.at
    if until < first.at:
        return Unclear("--to is before --from")
    return ReplayPlan(None if first.at == -inf else first.at, until)


def _in_shard(first: Bound, last: Bound | None) -> ReplayPlan | Unclear:
    if last is not None and last.shard != first.shard:
        return Unclear(f"--from names a place in {first.shard}, so --to must name one in it too")
    if last is not None and last.number < first.number:
        return Unclear("--to is before --from")
    end = inf if last is None else last.number
    return ReplayPlan(spans={first.shard: [Span(first.number, end, first.text)]})
