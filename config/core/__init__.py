"""What decides in this layer: pure, without IO, clock, randomness, asyncio and logging."""

from __future__ import annotations
