"""Decides which shards to read, in which order, and which are missing. Pure."""

from __future__ import annotations
