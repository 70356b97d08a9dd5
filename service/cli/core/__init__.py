"""What the live view shows, and what its keys do. Pure."""

from __future__ import annotations
