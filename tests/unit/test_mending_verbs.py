"""replay, redrive and doctor: what a command line must say, before anything is asked or done."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from headrace.service.cli import main as cli
from headrace.service.cli.verbs import progress
from headrace.service.cli.verbs.progress import ProgressLine, bar
from headrace.service.wiring.exits import Exit

SOURCE = "arn:aws:kinesis:us-east-1:000000000000:stream/s"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    mapping = {"source": SOURCE, "function": "f", "starting_position": "LATEST"}
    config = {
        "aws": {"endpoint_url": "http://127.0.0.1:9", "region": "us-east-1"},
        "functions": {"f": {"http": "http://127.0.0.1:9/"}},
        "mappings": {"orders": mapping},
    }
    (tmp_path / "headrace.json").write_text(json.dumps(config))
    return tmp_path


@pytest.mark.semantics("REPLAY-02", "CLI-50")
@pytest.mark.parametrize(
    ("argv", "code", "said"),
    [
        (["replay", "orders"], Exit.USAGE, "either --from (and --to), or --document"),
        (["replay", "orders", "--from", "1h", "--document", "x"], Exit.USAGE, "either --from"),
        (["replay", "orders", "--document", "x", "--to", "now"], Exit.USAGE, "--to goes with --from"),
        (["replay", "orders", "--from", "soon"], Exit.USAGE, "'soon' is no place"),
        (["replay", "orders", "--from", "1h", "--rate", "0"], Exit.USAGE, "above 0"),
        (["replay", "orders", "--from", "1h"], Exit.USAGE, "--yes"),
        (["replay", "nobody", "--from", "1h"], Exit.CONFIG, "there is no mapping 'nobody'; there are orders"),
        (["replay", "orders", "--document", "missing.json"], Exit.FAILURE, "cannot read the document missing.json"),
        (["replay", "orders", "--document", "text.txt"], Exit.USAGE, "no document that can be replayed"),
        (["replay", "--resume", "x"], Exit.FAILURE, "no replay x is kept"),
        (["replay", "--resume", "x", "--rate", "5", "--from", "1h"], Exit.USAGE, "leave out --from, --rate"),
        (["replay", "orders", "--resume", "x"], Exit.USAGE, "leave out orders"),
        (["replay", "--document", "text.txt", "--dry-run"], Exit.USAGE, "--document, --dry-run without a MAPPING"),
        (["redrive", "q", "--rate", "-1"], Exit.USAGE, "above 0"),
    ],
)
def test_what_is_wrong_with_a_command_line_is_told(
    here: Path, capsys: pytest.CaptureFixture[str], argv: list[str], code: Exit, said: str
) -> None:
    (here / "text.txt").write_text("one\ntwo\n")
    assert cli.main(argv) == code
    assert said in capsys.readouterr().err


@pytest.mark.semantics("REPLAY-04")
def test_without_a_mapping_the_replays_that_were_broken_off_are_listed(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["replay", "--output", "json"]) == Exit.OK
    assert json.loads(capsys.readouterr().out) == []


def test_a_progress_is_a_plain_line_now_and_then_where_nobody_sees_a_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    times = iter((0.0, 1.0, progress.EVERY, progress.EVERY + 1))
    line = ProgressLine(lambda: next(times))
    for number in range(3):
        line.tell(f"{number} records", number, 3)
    line.end()
    assert capsys.readouterr().err == "1 records\n"


@pytest.mark.parametrize(
    ("done", "whole", "filled"), [(0, 10, 0), (5, 10, progress.WIDTH // 2), (12, 10, progress.WIDTH)]
)
def test_a_bar_is_filled_as_far_as_it_is(done: int, whole: int, filled: int) -> None:
    assert bar(done, whole).count("#") == filled
    assert bar(done, None) == bar(None, whole) == ""
