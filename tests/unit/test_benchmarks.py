"""What the benchmarks make of their rounds: ratios, verdicts, rows, and the page with its plots."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Iterator
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module", autouse=True)
def importable() -> Iterator[None]:
    sys.path.insert(0, str(BENCHMARKS))
    yield
    sys.path.remove(str(BENCHMARKS))


def module(name: str) -> Any:
    return import_module(f"measuring.{name}")


def row(
    ratio: float | None, *, commit: str = "c1", goal: str = "G9", measure: str = "benthos_wall", **more: Any
) -> Any:
    results = module("results")
    if ratio is None:
        return results.Row(goal, measure, "2026-12-01T08:00:00Z", commit, 0.5, None, **more)
    sides = {"ours": results.Side("us", 2.0, "records/s"), "theirs": results.Side("them", 1.0, "records/s")}
    return results.Row(
        goal, measure, "2026-12-01T08:00:00Z", commit, 0.5, ratio, ratio / 2, ratio * 2, 5, **{**sides, **more}
    )


def fail(error: Exception) -> None:
    raise error


# --- ratios -----------------------------------------------------------------------------------------------------------


def test_a_ratio_is_taken_inside_a_round() -> None:
    """The machine was half as fast in the second round: for both."""
    spread = module("ratios").ratio([10.0, 5.0, 12.0, 4.0, 8.0], [5.0, 2.5, 4.0, 4.0, 4.0])
    assert (spread.median, spread.least, spread.most, spread.rounds) == (2.0, 1.0, 3.0, 5)


def test_a_ratio_needs_both_sides_in_each_round() -> None:
    ratios = module("ratios")
    with pytest.raises(ValueError, match="shorter"):
        ratios.ratio([1.0, 2.0], [1.0])
    with pytest.raises(ValueError, match="at least one"):
        ratios.ratio([], [])


def test_a_sample_knows_its_rates() -> None:
    sample = module("ratios").Sample(100, wall=2.0, cpu=0.5, all_cpu=4.0)
    assert (sample.rate, sample.cpu_rate, sample.all_cpu_rate) == (50.0, 200.0, 25.0)


# --- verdicts ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sense", "value", "verdict"),
    [
        ("LEAST", 1.99, "MISSED"),
        ("LEAST", 2.0, "MET"),
        ("LEAST", 4.0, "STRETCH"),
        ("LEAST", None, "NOT_MEASURED"),
        ("MOST", 4.1, "MISSED"),
        ("MOST", 4.0, "STRETCH"),
        ("MOST", 2.0, "STRETCH"),
    ],
)
def test_a_verdict_is_by_the_median(sense: str, value: float | None, verdict: str) -> None:
    goals = module("goals")
    measure = goals.Measure("k", "what", 2.0, 4.0, getattr(goals, sense))
    assert measure.verdict(value).name == verdict


def test_a_measure_without_a_goal_is_shown_and_one_with_a_stretch_alone_can_miss_it() -> None:
    goals = module("goals")
    assert goals.Measure("k", "what").verdict(1.0).name == "SHOWN"
    assert goals.Measure("k", "what", None, 0.5).verdict(0.4).name == "MISSED"


@pytest.mark.parametrize(
    ("verdicts", "whole"),
    [
        (["STRETCH", "STRETCH", "SHOWN"], "STRETCH"),
        (["STRETCH", "MISSED", "SHOWN"], "MET"),
        (["MET", "STRETCH", "SHOWN"], "MET"),
        (["MISSED", "STRETCH", "SHOWN"], "MISSED"),
        (["NOT_MEASURED", "STRETCH", "SHOWN"], "NOT_MEASURED"),
    ],
)
def test_a_goal_is_met_when_all_measures_with_a_target_are(verdicts: list[str], whole: str) -> None:
    """The second has a stretch goal only, the third none."""
    goals = module("goals")
    measures = (goals.Measure("a", "", 1.0, 2.0), goals.Measure("b", "", None, 2.0), goals.Measure("c", ""))
    goal = goals.Goal("G0", "title", "file", measures)
    assert goal.verdict([goals.Verdict[each] for each in verdicts]).name == whole


def test_each_goal_has_its_benchmark_and_each_measure_one_key() -> None:
    goals = module("goals")
    assert [goal.name for goal in goals.GOALS] == [f"G{number}" for number in range(1, 14)]
    assert all((BENCHMARKS / f"{goal.benchmark}.py").is_file() for goal in goals.GOALS)
    keys = [(goal.name, measure.key) for goal in goals.GOALS for measure in goal.measures]
    assert len(set(keys)) == len(keys)


# --- results ----------------------------------------------------------------------------------------------------------


def test_a_row_is_read_as_it_was_written(tmp_path: Path) -> None:
    results = module("results")
    rows = [row(1.5), row(None, reason="no Go"), row(1.1, goal="G13", measure="records", curve={"10000": 20.0})]
    results.append(rows[:1], tmp_path / "results.jsonl")
    results.append(rows[1:], tmp_path / "results.jsonl")
    assert results.read(tmp_path / "results.jsonl") == rows


def test_what_is_kept_can_be_read_and_is_known() -> None:
    results, goals = module("results"), module("goals")
    for each in results.read():
        assert goals.measure(each.goal, each.measure)


# --- runs -------------------------------------------------------------------------------------------------------------


def report(*, rounds: int = 3, **more: Any) -> Any:
    options = {"quick": False, "dry": True, "only": None, **more}
    return module("report").Report(Namespace(rounds=rounds, **options), {"ours": "headrace c1"})


def test_rounds_are_interleaved_and_compared_round_by_round(capsys: pytest.CaptureFixture[str]) -> None:
    taken, sample, run = list[str](), module("ratios").Sample, report()
    seconds = {"ours": iter([1.0, 2.0, 1.0]), "benthos": iter([2.0, 4.0, 3.0])}

    def side(name: str) -> Any:
        taken.append(name)
        return sample(100, next(seconds[name]))

    rounds = run.rounds({name: partial(side, name) for name in seconds})
    assert taken == ["ours", "benthos"] * 3
    run.compare("G9", "benthos_wall", rounds, "benthos", lambda each: each.rate, "records/s")
    (found,) = run.rows
    assert (found.ratio, found.least, found.most, found.rounds) == (2.0, 2.0, 3.0, 3)
    assert (found.ours.what, found.ours.value, found.theirs.value) == ("headrace c1", 100.0, 33.33)
    assert run.end() == 0
    assert "2x (2 to 3, 3 rounds); at least 1x: met" in capsys.readouterr().out


def test_a_side_that_cannot_be_set_up_is_named_and_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    sample, run, asked = module("ratios").Sample, report(), []

    def gone() -> Any:
        asked.append(1)
        raise module("report").Unavailable("there is no Go\non PATH")

    rounds = run.rounds({"ours": lambda: sample(1, 1.0), "benthos": gone})
    run.compare("G9", "benthos_wall", rounds, "benthos", lambda each: each.rate, "records/s")
    assert (len(asked), len(rounds["ours"])) == (1, 3)
    assert [(each.ratio, each.reason) for each in run.rows] == [(None, "there is no Go on PATH")]
    assert run.end() == 3
    assert "beside benthos to HTTP, wall: not measured: there is no Go on PATH" in capsys.readouterr().out


def test_a_tool_that_is_missing_or_fails_is_a_side_that_cannot_be_set_up() -> None:
    peers, unavailable = module("peers"), module("report").Unavailable
    with pytest.raises(unavailable, match="benthos: no-such-tool: No such file or directory"):
        peers._tool(["no-such-tool"], "benthos")
    with pytest.raises(unavailable, match="failed: no such module"):
        peers._tool([sys.executable, "-c", "import sys; sys.exit('no such module')"], "benthos")


def test_what_a_whole_goal_needs_and_what_is_not_there_leaves_no_measure_out() -> None:
    run = report()
    failure = TimeoutError("our daemon: 3 of 4 records came")
    with run.every("G10"):
        fail(failure)
    assert [each.measure for each in run.rows] == ["invocations", "a_second"]
    assert {each.reason for each in run.rows} == {"our daemon: 3 of 4 records came"}


def test_a_cost_is_ours_beside_theirs() -> None:
    """Ours takes half of their CPU: 0.5x, which is at most what G3 wants."""
    sample, run = module("ratios").Sample, report(rounds=1)
    rounds = run.rounds({"ours": lambda: sample(1, 1.0, 0.1), "aiohttp": lambda: sample(1, 1.0, 0.2)})
    run.compare("G3", "aiohttp_1", rounds, "aiohttp", lambda each: each.cpu_rate, "invocations/s", invert=True)
    assert run.rows[0].ratio == 0.5


# --- the page ---------------------------------------------------------------------------------------------------------


def test_the_page_shows_the_last_result_with_its_spread_and_both_sides() -> None:
    text = module("page").details([row(0.3), row(1.25, commit="c2")])
    assert (
        "| beside benthos to HTTP, wall | at least 1x | 1.25x (0.625 to 2.5) | **met** | 2 records/s "
        "| 1 records/s, them | 2026-12-01, c2, load 0.5 |" in text
    )
    assert "![Kafka end to end](performance/g9.svg)" in text
    assert "| beside FastStream's batches with decoding, wall | at least 1.2x | | not measured yet | | | |" in text


def test_the_page_says_why_something_was_not_measured() -> None:
    page = module("page")
    assert "not measured: no Go" in page.details([row(None, reason="no Go")])
    assert "| G9 | Kafka end to end | not measured | `make bench-kafka_pipe` |" in page.summary([])


def test_the_summary_takes_the_worst_measure_of_a_goal() -> None:
    rows = [row(2.0), row(1.0, measure="faststream_wall")]
    assert "| G9 | Kafka end to end | missed |" in module("page").summary(rows)


def test_plots_are_drawn_over_commits_and_are_valid() -> None:
    rows = [row(0.3), row(0.9, commit="c2"), row(1.1, goal="G13", measure="records", curve={"10": 20.0, "100": 21.0})]
    plots = module("page").plots(rows)
    assert sorted(plots) == ["g13-curves.svg", "g13.svg", "g9.svg"]
    texts = [each.text for each in ElementTree.fromstring(plots["g9.svg"]).iter() if each.text and each.text.strip()]
    assert {"c1", "c2", "beside benthos to HTTP, wall"} <= set(texts)
    ElementTree.fromstring(plots["g13-curves.svg"])


def test_a_second_run_of_a_commit_takes_the_place_of_the_first() -> None:
    page = module("page")
    (course,) = [page.over_commits(goal, [row(0.3), row(0.9)]) for goal in module("goals").GOALS if goal.name == "G9"]
    assert course.places == ["c1"]
    assert list(course.series.values()) == [[0.9]]
