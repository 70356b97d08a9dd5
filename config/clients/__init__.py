"""How to reach what the user named: AWS clients, endpoints, queue URLs, and the quirks of emulators."""

from __future__ import annotations
