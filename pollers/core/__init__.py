"""Decisions for the loop and the supervisor: marks, limits, states. Pure."""

from __future__ import annotations
