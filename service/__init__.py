"""One process: the command line, the daemon, and what can be observed of it. Nothing imports this package."""

from __future__ import annotations
