"""Planted bugs: changes of one line or a few that a named test must notice. The list is `tests/proof/planted/*.toml`.

`tests/unit/test_planted_bugs_apply.py` keeps the list applicable, `tests/proof/test_planted_bugs.py` plants each one.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

from support.wheel import ROOT

LISTS = ROOT / "tests" / "proof" / "planted"


@dataclass(frozen=True, slots=True)
class Bug:
    """One entry of the list."""

    id: str
    breaks: str
    """What goes wrong, in one line."""
    file: str
    """Relative to the repository, as all paths here."""
    old: str
    """Stands in the file exactly once."""
    new: str
    tests: tuple[str, ...]
    """Ids as pytest knows them: at least one of these fails."""

    def planted(self, text: str) -> str:
        """The file with the bug in it. Raises ValueError where the list is not that of this source."""
        found = text.count(self.old)
        if found != 1:
            raise ValueError(
                f"planted bug {self.id}: its old text stands {found} times in {self.file}, not once; "
                f"the code has changed, so say in {LISTS.relative_to(ROOT)} how it would be broken now"
            )
        return text.replace(self.old, self.new)


def bugs() -> list[Bug]:
    """All entries, ordered by the file that they change."""
    entries = [entry for path in sorted(LISTS.glob("*.toml")) for entry in tomllib.loads(path.read_text())["bug"]]
    found = [Bug(**{**entry, "tests": tuple(entry["tests"])}) for entry in entries]
    return sorted(found, key=lambda bug: bug.file)


def path_of(test: str) -> Path:
    """The file of a test id."""
    return ROOT / test.partition("::")[0]
