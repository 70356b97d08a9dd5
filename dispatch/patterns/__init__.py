"""EventBridge patterns, parsed once and compiled to a matcher."""

from __future__ import annotations
