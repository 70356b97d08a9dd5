"""Decisions about records: batches, plans, fates, positions, documents. Pure."""

from __future__ import annotations
