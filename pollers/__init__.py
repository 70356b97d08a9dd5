"""The sources of records, and the positions up to which records are processed."""

from __future__ import annotations
