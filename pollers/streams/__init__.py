"""The engine of the stream sources: which shards are read, from where, and how. Knows no service by name."""

from __future__ import annotations
