"""Limits on running invocations. Pure."""

from __future__ import annotations
