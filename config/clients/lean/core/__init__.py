"""Signatures and requests of the hot calls, as bytes. Pure."""

from __future__ import annotations
