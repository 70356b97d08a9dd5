"""Decisions for local functions: the platform's log lines, and which environments stay warm. Pure."""

from __future__ import annotations
