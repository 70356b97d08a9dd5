"""What a benchmark of the goals is made of: its options, its interleaved rounds, and its rows, printed and kept.

    report = Report.from_arguments("G9", __doc__)
    rounds = report.rounds({"ours": ours, "benthos": benthos})
    report.compare("benthos_wall", rounds, "ours", "benthos", lambda sample: sample.rate, "records/s")
    sys.exit(report.end())

A side that cannot be set up raises `Unavailable` (a server: `ServerError`), one that stops on the way `TimeoutError`;
its measures are then "not measured", with the reason. `with report.every(goal):` does so for what a whole goal needs.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from support.servers.running import ServerError

from . import ROOT
from .goals import Verdict, goal, measure
from .ratios import Sample, Spread, ratio
from .results import Row, Side, append


class Unavailable(Exception):
    """A side cannot be measured on this machine; the text says why."""


PRODUCT = ("config", "dispatch", "pollers", "service", "pyproject.toml", "requirements")
FAILURES = (Unavailable, ServerError, TimeoutError)
Run = Callable[[], Sample]
Rounds = Mapping[str, Sequence[Sample]]


def commit() -> str:
    """The checkout's commit, with a `+` where files of the product are changed."""

    def git(*arguments: str) -> str:
        done = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=False)
        return done.stdout.strip()

    changed = git("status", "--porcelain", "--untracked-files=no", "--", *PRODUCT)
    return (git("rev-parse", "--short", "HEAD") or "unknown") + ("+" if changed else "")


@dataclass
class Report:
    """One run of one benchmark."""

    options: argparse.Namespace
    versions: dict[str, str] = field(default_factory=dict)
    """What each side is, by its name in the rounds."""
    missing: dict[str, str] = field(default_factory=dict)
    """Why a side was not measured, by its name."""
    rows: list[Row] = field(default_factory=list)
    commit: str = field(default_factory=lambda: commit())
    """Of the checkout when the run began."""

    @classmethod
    def from_arguments(cls, doc: str | None, rounds: int = 5, **more: type) -> Report:
        """`rounds`: without `--quick`, which is one short round whose rows are not kept. `more`: options of this
        benchmark alone."""
        parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
        parser.add_argument("--rounds", type=int, default=rounds)
        parser.add_argument("--quick", action="store_true", help="one short round, to see that it works; nothing kept")
        parser.add_argument("--dry", action="store_true", help="keep nothing")
        parser.add_argument("--only", nargs="+", metavar="SIDE", help="these sides alone")
        for name, kind in more.items():
            parser.add_argument(f"--{name.replace('_', '-')}", type=kind)
        options = parser.parse_args()
        if options.quick:
            options.rounds = 1
        return cls(options, {"ours": f"headrace {commit()}, Python {platform.python_version()}"})

    @property
    def quick(self) -> bool:
        return bool(self.options.quick)

    def size(self, small: int, full: int) -> int:
        return small if self.quick else full

    def rounds(self, sides: Mapping[str, Run]) -> dict[str, list[Sample]]:
        """Every side once a round, in turns; a side that is unavailable is left out from then on."""
        found: dict[str, list[Sample]] = {name: [] for name in sides if name in (self.options.only or sides)}
        for number in range(self.options.rounds):
            for name, run in sides.items():
                if name in self.missing or name not in found:
                    continue
                try:
                    sample = run()
                except FAILURES as error:
                    self.miss(name, reason(error))
                    continue
                found[name].append(sample)
                print(f"  round {number + 1}: {name:<12} {described(sample)}", flush=True)
        return found

    def miss(self, side: str, why: str) -> None:
        self.missing[side] = why
        print(f"  {side}: not measured: {why}", flush=True)

    @contextmanager
    def every(self, name: str) -> Iterator[None]:
        """Where the block cannot go on, what has no row yet of this goal is not measured."""
        try:
            yield
        except FAILURES as error:
            known = {row.measure for row in self.rows if row.goal == name}
            for each in goal(name).measures:
                if each.key not in known:
                    self.not_measured(name, each.key, reason(error))

    # --- rows ---------------------------------------------------------------------------------------------------------

    def compare(
        self,
        goal: str,
        key: str,
        rounds: Rounds,
        theirs: str,
        number: Callable[[Sample], float],
        unit: str,
        *,
        ours: str = "ours",
        invert: bool = False,
    ) -> None:
        """A row of the ratio of two sides. `invert`: the number is a rate, and the measure a cost."""
        if ours not in rounds or theirs not in rounds:
            return  # by --only
        gone = next((each for each in (ours, theirs) if each in self.missing), None)
        if gone is not None:
            self.not_measured(goal, key, self.missing[gone])
            return
        mine, other = [number(each) for each in rounds[ours]], [number(each) for each in rounds[theirs]]
        spread = ratio(other, mine) if invert else ratio(mine, other)
        sides = (self._side(ours, mine, unit), self._side(theirs, other, unit))
        self.keep(goal, key, spread, *sides)

    def _side(self, name: str, values: Sequence[float], unit: str) -> Side:
        return Side(self.versions.get(name, name), statistics.median(values), unit)

    def keep(
        self,
        goal: str,
        key: str,
        spread: Spread,
        ours: Side | None = None,
        theirs: Side | None = None,
        curve: Mapping[str, float] | None = None,
    ) -> None:
        row = Row(
            goal,
            key,
            *self._now(),
            rounded(spread.median),
            rounded(spread.least),
            rounded(spread.most),
            spread.rounds,
            ours and replace(ours, value=rounded(ours.value)),
            theirs and replace(theirs, value=rounded(theirs.value)),
            curve={name: rounded(value) for name, value in (curve or {}).items()},
        )
        self._add(row)

    def not_measured(self, goal: str, key: str, why: str) -> None:
        self._add(Row(goal, key, *self._now(), None, reason=why))

    def _now(self) -> tuple[str, str, float]:
        return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), self.commit, round(os.getloadavg()[0], 2)

    def _add(self, row: Row) -> None:
        self.rows.append(row)
        print(line(row), flush=True)
        if not (self.quick or self.options.dry):
            append([row])

    def end(self) -> int:
        """The exit code: 0 when everything was measured, whatever came out; 3 when something was not."""
        return 3 if any(row.ratio is None for row in self.rows) else 0


def reason(error: Exception) -> str:
    """On one line."""
    return " ".join(str(error).split())[:300].replace("|", "/")


def rounded(value: float) -> float:
    """Four digits that count."""
    return float(f"{value:.4g}")


def line(row: Row) -> str:
    """One row, as it is printed."""
    about = measure(row.goal, row.measure)
    verdict = about.verdict(row.ratio)
    if row.ratio is None:
        return f"{row.goal:<4} {about.what}: not measured: {row.reason}"
    assert row.least is not None
    assert row.most is not None
    spread = f"{row.ratio:.3g}{about.unit} ({row.least:.3g} to {row.most:.3g}, {row.rounds} rounds)"
    sides = "; ".join(f"{side.what} {side.value:,.4g} {side.unit}" for side in (row.ours, row.theirs) if side)
    goal = f"{about.wanted}: {verdict.value}" if verdict is not Verdict.SHOWN else "no goal"
    return f"{row.goal:<4} {about.what}: {spread}; {goal}; load {row.load:g}; {sides}"


def described(sample: Sample) -> str:
    parts = [f"{sample.count:>9,} in {sample.wall:7.3f} s, {sample.rate:>10,.0f}/s"]
    if sample.cpu:
        parts.append(f"{sample.cpu / sample.count * 1e6:7.1f} us CPU")
    if sample.all_cpu:
        parts.append(f"{sample.all_cpu / sample.count * 1e6:7.1f} us with children")
    return ", ".join(parts)


def wait(until: Callable[[], bool], what: str, seconds: float = 120.0, pause: float = 0.01) -> None:
    """Return when `until` holds. Raises TimeoutError."""
    end = time.monotonic() + seconds
    while not until():
        if time.monotonic() > end:
            raise TimeoutError(f"{what} did not come within {seconds:.0f} s")
        time.sleep(pause)
