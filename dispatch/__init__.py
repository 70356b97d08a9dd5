"""What happens to records once they are fetched: filter, batch, plan, invoke; and the pure rules behind it."""

from __future__ import annotations
