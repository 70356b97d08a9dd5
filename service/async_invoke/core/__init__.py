"""Decides the next step of an event after an attempt, and builds the record of its end. Pure."""

from __future__ import annotations
