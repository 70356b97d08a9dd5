"""Real servers that tests, demo and benchmarks start for themselves. Standard library only."""

from __future__ import annotations
