"""What becomes of records, decided: batches, plans, fates, positions, documents. Pure."""

from __future__ import annotations
