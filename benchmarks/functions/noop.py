"""A function that does nothing."""

from __future__ import annotations


def handler(event: object, context: object) -> None:
    """Done."""
