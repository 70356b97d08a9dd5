"""Who may run. Pure."""

from __future__ import annotations
