"""Which lines are said, and which go together. Pure."""

from __future__ import annotations
