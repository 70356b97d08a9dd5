"""Which shards are read, in which order, and which are missing. Pure."""

from __future__ import annotations
