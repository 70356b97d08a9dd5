"""Decides which records are read again, and how far that is done. Pure."""

from __future__ import annotations
