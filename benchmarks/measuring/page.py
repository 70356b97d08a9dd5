"""The generated parts of docs/performance.md, and its plots: from the goals and the results. Pure.

`.ci/documents.py` writes them (`make docs`) and compares them (`make docs-check`); no benchmark is run for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from .goals import GOALS, Goal, Measure, Verdict
from .plots import Plot, svg
from .results import Row

COMMITS = 12
"""The newest that a plot shows."""
SIGNS = {
    Verdict.STRETCH: "**stretch met**",
    Verdict.MET: "**met**",
    Verdict.MISSED: "missed",
    Verdict.NOT_MEASURED: "not measured",
    Verdict.SHOWN: "–",
}


def last(rows: Iterable[Row]) -> Mapping[tuple[str, str], Row]:
    """The newest row of each measure."""
    return {(row.goal, row.measure): row for row in rows}


def summary(rows: Sequence[Row]) -> str:
    """A line for each goal."""
    newest = last(rows)
    lines = ["| goal | | state | measured by |", "|---|---|---|---|"]
    for goal in GOALS:
        verdicts = [verdict(goal, measure, newest) for measure in goal.measures]
        lines.append(
            f"| {goal.name} | {goal.title} | {SIGNS[goal.verdict(verdicts)]} | `make bench-{goal.benchmark}` |"
        )
    return "\n".join(lines)


def verdict(goal: Goal, measure: Measure, newest: Mapping[tuple[str, str], Row]) -> Verdict:
    row = newest.get((goal.name, measure.key))
    return measure.verdict(None if row is None else row.ratio)


def details(rows: Sequence[Row]) -> str:
    """For each goal: its last results, and their course over the commits."""
    newest, drawn = last(rows), plots(rows)
    parts = []
    for goal in GOALS:
        lines = [f"### {goal.name}: {goal.title}", ""]
        lines += ["| what | wanted | result | | ours | beside it | when |", "|---|---|---|---|---|---|---|"]
        lines += [result(goal, measure, newest.get((goal.name, measure.key))) for measure in goal.measures]
        for name in (goal.name.lower(), f"{goal.name.lower()}-curves"):
            if f"{name}.svg" in drawn:
                lines += ["", f"![{goal.title}](performance/{name}.svg)"]
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def result(goal: Goal, measure: Measure, row: Row | None) -> str:
    """A line of a table."""
    if row is None:
        return f"| {measure.what} | {measure.wanted} | | not measured yet | | | |"
    if row.ratio is None:
        return f"| {measure.what} | {measure.wanted} | | not measured: {row.reason} | | | {row.date[:10]} |"
    spread = f"{row.ratio:.3g}{measure.unit} ({row.least:.3g} to {row.most:.3g})"
    sides = [f"{side.value:,.4g} {side.unit}" if side else "" for side in (row.ours, row.theirs)]
    beside = f"{sides[1]}, {row.theirs.what}" if row.theirs else ""
    when = f"{row.date[:10]}, {row.commit}, load {row.load:g}"
    sign = SIGNS[measure.verdict(row.ratio)]
    return f"| {measure.what} | {measure.wanted} | {spread} | {sign} | {sides[0]} | {beside} | {when} |"


# --- plots ------------------------------------------------------------------------------------------------------------


def plots(rows: Sequence[Row]) -> Mapping[str, str]:
    """The SVG files by name; none of what was never measured."""
    found: dict[str, str] = {}
    for goal in GOALS:
        course = over_commits(goal, rows)
        if course is not None:
            found[f"{goal.name.lower()}.svg"] = svg(course)
    curves = of_curves(rows)
    if curves is not None:
        found["g13-curves.svg"] = svg(curves)
    return found


def over_commits(goal: Goal, rows: Sequence[Row]) -> Plot | None:
    """The last result of each commit, in the order in which they were measured."""
    measured = [row for row in rows if row.goal == goal.name and row.ratio]
    commits = list(dict.fromkeys(row.commit for row in measured))[-COMMITS:]
    series: dict[str, list[float | None]] = {}
    goals: dict[str, float] = {}
    for measure in goal.measures:
        by_commit = {row.commit: row.ratio for row in measured if row.measure == measure.key}
        if any(commit in by_commit for commit in commits):
            series[measure.what] = [by_commit.get(commit) for commit in commits]
            wanted = measure.target if measure.target is not None else measure.stretch
            if wanted is not None:
                goals[measure.what] = wanted
    return Plot(f"{goal.name} over commits; dashed: the goal", commits, series, goals) if series else None


def of_curves(rows: Sequence[Row]) -> Plot | None:
    """The newest of the cost curves of G13, in microseconds of CPU for a record."""
    curves = {row.measure: row.curve for row in last(rows).values() if row.curve}
    places = sorted({int(size) for curve in curves.values() for size in curve})
    series = {name: [curve.get(str(place)) for place in places] for name, curve in sorted(curves.items())}
    title = "G13: microseconds of CPU for a record, by the number of records, shards, partitions, mappings"
    return Plot(title, [f"{place:,}" for place in places], series, {}) if series else None
