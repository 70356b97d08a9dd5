"""What the records of a journal hold, in bounded memory: pure. Only where somebody wants it: they may be secrets.

fate ──► put ──► the newest of each mapping, as many as fit ──of──► `headrace explain`, /v1
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

MOST = 4 * 1024 * 1024
"""Bytes of each mapping …"""
TOTAL = 256 * 1024 * 1024
"""… and of all together; the one that has most forgets first."""


@dataclass(slots=True)
class _Bodies:
    bodies: dict[str, bytes] = field(default_factory=dict)
    """By the record's id, the oldest first."""
    size: int = 0


class JournalPayloads:
    """By the mapping's name."""

    def __init__(self, most: int = MOST, total: int = TOTAL) -> None:
        """In bytes."""
        self._most, self._total = most, total
        self._mappings: dict[str, _Bodies] = {}
        self._size = 0

    @property
    def size(self) -> int:
        """Bytes that are kept."""
        return self._size

    def put(self, mapping: str, names: Sequence[str], bodies: Sequence[bytes]) -> None:
        """`bodies`: the records' elements of the event as JSON."""
        kept = self._mappings.setdefault(mapping, _Bodies())
        for name, body in zip(names, bodies, strict=True):
            self._drop(kept, name)
            kept.bodies[name] = body
            kept.size += len(body)
            self._size += len(body)
        while kept.size > self._most:
            self._drop(kept, next(iter(kept.bodies)))
        while self._size > self._total:
            fullest = max(self._mappings.values(), key=lambda each: each.size)
            self._drop(fullest, next(iter(fullest.bodies)))

    def of(self, mapping: str, name: str) -> bytes | None:
        """None where it is not known (any more)."""
        kept = self._mappings.get(mapping)
        return kept.bodies.get(name) if kept else None

    def forget(self, mapping: str) -> None:
        kept = self._mappings.pop(mapping, None)
        self._size -= kept.size if kept else 0

    def _drop(self, kept: _Bodies, name: str) -> None:
        size = len(kept.bodies.pop(name, b""))
        kept.size -= size
        self._size -= size
