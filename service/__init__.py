"""One process: the command line, the daemon, its logs, metrics and API. Nothing imports this package."""

from __future__ import annotations
