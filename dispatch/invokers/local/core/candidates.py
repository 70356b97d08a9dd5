"""In which order the programs that may run a runtime are tried. Pure: `installed.py` lists the files.

A version is one number, because only that one differs between Lambda's runtimes: 12 of Python 3.12, 22 of Node.js 22.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FoundProgram:
    """A program that may run a runtime."""

    path: str
    version: int
    place: int = 0
    """The number of the place where it lies: of equal programs that of the lower number is tried first."""
    release: tuple[int, ...] = ()
    """The whole version, as far as the name of its directory says it."""


def in_order(wanted: int | None, found: Iterable[FoundProgram], *, near: bool) -> list[FoundProgram]:
    """Those to try, the best first: the wanted version, then with `near` the others by their distance. Of two versions
    as near as each other the newer one is first, because it can do what the wanted one can. Within a version the lower
    place is first, and within a place the newest release. Without a wanted version the lowest place is first."""
    newest = sorted(found, key=lambda each: each.release, reverse=True)
    if wanted is None:
        return sorted(newest, key=lambda each: (each.place, -each.version))
    kept = [each for each in newest if near or each.version == wanted]
    return sorted(kept, key=lambda each: (abs(each.version - wanted), -each.version, each.place))


_RELEASE = re.compile(r"(?:cpython-|v|python@|node@)?(\d+(?:\.\d+)*)(?:[-+].*)?")


def release(name: str) -> tuple[int, ...]:
    """The version that the name of a directory says: `3.12.1`, `v22.1.0`, `cpython-3.12.1-linux-x86_64-gnu`,
    `python@3.12`. Empty where it says none."""
    match = _RELEASE.fullmatch(name)
    return tuple(map(int, match[1].split("."))) if match else ()
