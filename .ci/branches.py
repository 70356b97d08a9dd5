"""Which branches of the pure parts no test takes. Called by `make coverage`.

Runs the unit, property and scenario tests, and fails when a line or a branch is left that `tests/coverage.toml` does
not list, or when an entry there is not needed any more.

    branches.py [ARGUMENT…]     further arguments of pytest, as -n0
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from support import measured, unmeasured  # noqa: E402
from support.unmeasured import Missed  # noqa: E402

FAILED = 1
"""The code of a run of which some tests failed."""
SUITES = ("tests/unit", "tests/property", "tests/scenario")


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="headrace-coverage-") as directory:
        code = run_tests(Path(directory))
        if code not in (0, FAILED):
            print(f"the tests did not run to their end (code {code}), so nothing can be said of branches")
            return 1
        missed = list(missed_in(Path(directory)))
    left, needless = unmeasured.compare(missed, unmeasured.exceptions())
    for each in left:
        print(f"{each.file}:{each.line}: {each.what}")
    for problem in needless:
        print(problem)
    print(f"{len(measured.pure_modules())} pure modules: {len(left)} places that no test takes, {len(needless)} faults")
    return code or bool(left or needless)


def run_tests(directory: Path) -> int:
    command = [sys.executable, "-m", "pytest", "-q", "-n", "auto", "-p", "support.measured", *SUITES, *sys.argv[1:]]
    paths = os.pathsep.join(filter(None, (str(ROOT / "tests"), os.environ.get("PYTHONPATH"))))
    environment = {**os.environ, "HEADRACE_MEASURED": str(directory), "PYTHONPATH": paths}
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


def missed_in(directory: Path) -> Iterator[Missed]:
    found = measured.measuring(directory)
    found.combine()
    found.json_report(outfile=str(directory / "report"))
    report = json.loads((directory / "report").read_text())
    for path in measured.pure_modules():
        yield from unmeasured.missed(report, path)


if __name__ == "__main__":
    sys.exit(main())
