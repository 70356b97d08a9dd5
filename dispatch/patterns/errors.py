"""The faults of a pattern. A leaf: all of this package uses it, and so does the code that shows problems."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass

_PLAIN_KEY = re.compile(r"[A-Za-z_$][A-Za-z0-9_$-]*")


@dataclass(frozen=True, slots=True)
class PatternProblem:
    """One fault. `path` points inside the pattern (`$.body.type[1].prefix`), `reason` is worded as EventBridge words
    it, `hint` says what to do."""

    path: str
    reason: str
    hint: str

    def __str__(self) -> str:
        return f"{self.path}: {self.reason} ({self.hint})"


class PatternError(ValueError):
    """A pattern, or a set of them, that cannot be used; `problems` is never empty."""

    def __init__(self, problems: Iterable[PatternProblem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(str(problem) for problem in self.problems))


def member(path: str, key: str) -> str:
    """The path of an object's member, quoted when the key is not a plain word."""
    if _PLAIN_KEY.fullmatch(key):
        return f"{path}.{key}"
    return f"{path}[{json.dumps(key)}]"


def element(path: str, index: int) -> str:
    """The path of an array's element."""
    return f"{path}[{index}]"
