"""Decisions for members of a consumer group: quiet partitions, records, the number of members. Pure."""

from __future__ import annotations
