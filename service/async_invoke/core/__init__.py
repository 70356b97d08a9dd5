"""What an attempt means for an event, and what is told of its end. Pure."""

from __future__ import annotations
