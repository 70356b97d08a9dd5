"""What becomes of each call and of each field, and whose call it is. Pure."""

from __future__ import annotations
