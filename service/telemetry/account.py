"""The account: how many records had which fate, per mapping. An observer; `status` and `--until-idle` ask it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields

from ...dispatch.core.model import FateKind
from ...dispatch.core.observer import Discarded, Event, Fetched, Invoked, Settled, SettleFailed


@dataclass(slots=True)
class Counts:
    """Counts of one mapping since the daemon's start, in records except for `invocations`."""

    fetched: int = 0
    delivered: int = 0
    filtered: int = 0
    discarded: int = 0
    returned: int = 0
    abandoned: int = 0
    unsettled: int = 0
    """Decided, but the source did not accept the fate: they may come again."""
    invocations: int = 0
    documented: int = 0
    """Discarded, with a document in the failure destination."""

    @property
    def undecided(self) -> int:
        """Fetched, and still without a fate."""
        ended = self.delivered + self.filtered + self.discarded + self.returned + self.abandoned + self.unsettled
        return self.fetched - ended


_SHOWN = (*(field.name for field in fields(Counts)), "undecided")
_COUNTER = {kind: kind.value for kind in FateKind}


class Account:
    """Counts per mapping; a mapping without records has zeros."""

    def __init__(self, mappings: Iterable[str] = ()) -> None:
        self._counts = {mapping: Counts() for mapping in mappings}

    @property
    def counts(self) -> Mapping[str, Counts]:
        return self._counts

    @property
    def discarded(self) -> int:
        return sum(counts.discarded for counts in self._counts.values())

    def observe(self, event: Event) -> None:
        match event:
            case Fetched(mapping=mapping, records=records):
                self._of(mapping).fetched += len(records)
            case Settled(mapping=mapping, settlements=settlements):
                counts = self._of(mapping)
                for settlement in settlements:
                    name = _COUNTER[settlement.fate.kind]
                    setattr(counts, name, getattr(counts, name) + len(settlement.records))
            case SettleFailed(mapping=mapping, records=records):
                self._of(mapping).unsettled += len(records)
            case Invoked(mapping=mapping):
                self._of(mapping).invocations += 1
            case Discarded(mapping=mapping, records=records) if event.destination:
                self._of(mapping).documented += len(records)
            case _:
                pass

    def forget(self, mapping: str) -> None:
        """The mapping is gone."""
        self._counts.pop(mapping, None)

    def as_json(self, mapping: str) -> dict[str, int]:
        counts = self._of(mapping)
        return {name: getattr(counts, name) for name in _SHOWN}

    def _of(self, mapping: str) -> Counts:
        return self._counts.setdefault(mapping, Counts())
