"""The directories that a function has of its own, and what lies below them all the same. Pure."""

from __future__ import annotations

from pathlib import Path

TMP = Path("/tmp")  # noqa: S108 - the directory that AWS gives to functions
OPT = Path("/opt")


def entry_below(top: Path, path: Path) -> Path | None:
    """The entry of `top` that `path` is, or lies in; None where it lies elsewhere. `top` itself for `top`."""
    if not path.is_relative_to(top):
        return None
    inside = path.relative_to(top).parts
    return top / inside[0] if inside else top


def is_covered(path: Path) -> bool:
    return path.is_relative_to(TMP) or path.is_relative_to(OPT)
