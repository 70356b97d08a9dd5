"""Assembles a daemon and runs it. The only room that knows concrete classes."""

from __future__ import annotations
