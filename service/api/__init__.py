"""The HTTP surface: whether the daemon lives and is ready, its metrics, its status."""

from __future__ import annotations
