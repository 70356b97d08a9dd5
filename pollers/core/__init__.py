"""What the loop and the supervisor ask: marks, bounds, states. Pure."""

from __future__ import annotations
