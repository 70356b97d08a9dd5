"""Asks before something is done that cannot be undone, unless `--yes` says so already."""

from __future__ import annotations

import sys

from ...wiring.exits import UsageError
from .tables import tell


def confirmed(question: str, *, yes: bool) -> bool:
    """Whether to go on. Raises UsageError where nobody can be asked."""
    if yes:
        return True
    if not sys.stdin.isatty():
        raise UsageError("nobody can be asked, because standard input is no terminal; say --yes where it is meant")
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    agreed = sys.stdin.readline().strip().lower() in ("y", "yes")
    if not agreed:
        tell("nothing was done")
    return agreed
