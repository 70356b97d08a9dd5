"""How many receivers a queue has. Pure."""

from __future__ import annotations
