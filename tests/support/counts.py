"""How many cases a test runs: few in `make test`, the full number in `make proof`."""

from __future__ import annotations

import os

PROOF = os.environ.get("HEADRACE_PROOF") == "1"


def count(small: int, full: int) -> int:
    """`full` under `make proof` (HEADRACE_PROOF=1), else `small`."""
    return full if PROOF else small
