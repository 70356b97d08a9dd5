"""What the benchmarks share: rounds and ratios, results, processes with their CPU time, peers, a fast source.

Modules of `tests/support` (servers, event-ruler) are used as they are; importing this package makes them importable.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT / "tests") not in sys.path:
    sys.path.insert(0, str(ROOT / "tests"))
