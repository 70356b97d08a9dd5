"""The directories that a function has of its own, and real entries that stay visible below them. Pure."""

from __future__ import annotations

from pathlib import PurePath
from typing import TypeVar

TMP = PurePath("/tmp")  # noqa: S108 - the directory that AWS gives to functions
OPT = PurePath("/opt")

P = TypeVar("P", bound=PurePath)


def entry_below(top: P, path: PurePath) -> P | None:
    """The entry of `top` that `path` is, or lies in; None where it lies elsewhere. `top` itself for `top`."""
    if not path.is_relative_to(top):
        return None
    inside = path.relative_to(top).parts
    return top / inside[0] if inside else top


def is_covered(path: PurePath) -> bool:
    return path.is_relative_to(TMP) or path.is_relative_to(OPT)
