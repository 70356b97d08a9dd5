"""The number of a queue's receivers. Pure."""

from __future__ import annotations
