"""Connections to the user's servers: AWS clients, endpoints, queue URLs, and the quirks of emulators."""

from __future__ import annotations
