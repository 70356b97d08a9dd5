"""A function whose init fails."""

from __future__ import annotations

raise ImportError("No module named 'stock'")
