"""Where records come from, and how far we are."""

from __future__ import annotations
