"""What a member of a consumer group asks: quiet partitions, records, how many members. Pure."""

from __future__ import annotations
