"""What the answers of functions mean. Pure."""

from __future__ import annotations
