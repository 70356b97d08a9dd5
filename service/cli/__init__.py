"""The command line: what can be typed, and the verbs that do it."""

from __future__ import annotations
