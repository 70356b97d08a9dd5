"""Which lines are logged, and which are sent together. Pure."""

from __future__ import annotations
