"""Handles the records that were fetched: filters, batches, plans and invokes; and holds the pure rules behind it."""

from __future__ import annotations
