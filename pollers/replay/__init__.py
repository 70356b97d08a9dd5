"""Sources that are read again, beside a mapping's own positions: up to an end, at a rate, with a progress."""

from __future__ import annotations
