"""The command line: its arguments and verbs."""

from __future__ import annotations
