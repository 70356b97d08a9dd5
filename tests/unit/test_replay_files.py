"""The progress of replays on disk: kept over a process's end, found by the next, and never in two hands."""

from __future__ import annotations

from pathlib import Path

import pytest

from headrace.config.errors import HeadraceError
from headrace.dispatch.core.model import Position
from headrace.pollers.replay.core.plan import ReplayPlan, Span
from headrace.service.wiring.replay_files import FOLDER, ReplayFile, ReplayWish, listed

WISH = ReplayWish("orders", "f", ReplayPlan(spans={"a": [Span(1, 5, "01")]}), ("s3://b/k",), {"m": "{}"}, 2.5, 3)


@pytest.mark.semantics("REPLAY-04")
def test_a_replay_that_was_broken_off_is_found_as_it_was(tmp_path: Path) -> None:
    file, state = ReplayFile.create(tmp_path, WISH)
    state.progress.moved("a", Position(3, 0, "03"), ended=False)
    state.progress.count("delivered", 3)
    state.read.append("m")
    file.save(state)
    assert [(found.id, runs) for found, runs in listed(tmp_path)] == [(state.id, True)]
    with pytest.raises(HeadraceError, match="runs at this moment"):
        ReplayFile.open(tmp_path, state.id)
    file.close()
    assert [runs for _, runs in listed(tmp_path)] == [False]
    again, found = ReplayFile.open(tmp_path, state.id)
    assert found == state
    again.remove()
    again.close()
    assert list(listed(tmp_path)) == []


@pytest.mark.semantics("REPLAY-04")
def test_what_is_unknown_or_damaged_says_what_to_do(tmp_path: Path) -> None:
    file, state = ReplayFile.create(tmp_path, WISH)
    file.close()
    with pytest.raises(HeadraceError, match=f"there are: {state.id}"):
        ReplayFile.open(tmp_path, "../other")
    (tmp_path / FOLDER / state.id / "replay.json").write_text('{"version": 1}')
    with pytest.raises(HeadraceError, match="start the replay anew"):
        ReplayFile.open(tmp_path, state.id)
    assert list(listed(tmp_path)) == []
    (tmp_path / "file").write_text("")
    with pytest.raises(HeadraceError, match="cannot keep the progress"):
        ReplayFile.create(tmp_path / "file", WISH)
