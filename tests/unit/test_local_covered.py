"""What lies below the directories that a function has of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from headrace.dispatch.invokers.local.core.covered import OPT, TMP, entry_below, is_covered


@pytest.mark.parametrize(
    ("top", "path", "entry"),
    [
        ("/tmp", "/tmp/work/code/app.py", "/tmp/work"),
        ("/tmp", "/tmp/work", "/tmp/work"),
        ("/tmp", "/tmp", "/tmp"),
        ("/tmp", "/home/tmp/work", None),
        ("/tmp", "/tmpfiles/work", None),
    ],
)
def test_the_entry_of_a_directory_in_which_a_path_lies(top: str, path: str, entry: str | None) -> None:
    assert entry_below(Path(top), Path(path)) == (None if entry is None else Path(entry))


@pytest.mark.parametrize(
    ("path", "covered"), [(TMP, True), (TMP / "work", True), (OPT / "python", True), (Path("/var/task"), False)]
)
def test_what_a_function_of_its_own_directories_does_not_see(path: Path, covered: bool) -> None:
    assert is_covered(path) is covered
