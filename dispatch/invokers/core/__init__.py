"""The meaning of functions' answers. Pure."""

from __future__ import annotations
