"""`make bench`: the benchmarks of all goals, one after the other, and a table of what came out.

    every.py [options of the benchmarks, such as --quick]

One that fails does not hold up the others. Exit code: 0 when everything was measured, whatever came out; else 1.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from measuring import ROOT
from measuring.goals import GOALS
from measuring.report import line
from measuring.results import read

NOT_MEASURED = 3
"""The exit code of a benchmark of which something was not measured."""


def main() -> int:
    before, failed = len(read()), list[str]()
    for name in dict.fromkeys(goal.benchmark for goal in GOALS):
        print(f"--- {name}", flush=True)
        started = time.monotonic()
        code = subprocess.call([sys.executable, str(ROOT / "benchmarks" / f"{name}.py"), *sys.argv[1:]])
        print(f"--- {name}: {time.monotonic() - started:.0f} s", flush=True)
        if code:
            failed.append(f"{name}: {'not everything was measured' if code == NOT_MEASURED else f'exit code {code}'}")
    rows = sorted(read()[before:], key=lambda row: [goal.name for goal in GOALS].index(row.goal))
    print("", *(line(row) for row in rows), *failed, sep="\n")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
