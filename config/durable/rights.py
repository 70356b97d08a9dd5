"""Explains why the state directory, or a file in it, cannot be written: its owner, our user, and what to do."""

from __future__ import annotations

import os
from pathlib import Path


def denied(path: Path) -> str:
    """What follows "cannot use …" where this process may not write `path`, or the directory in which it would be made:
    whose it is, who we are, what to do. Empty where rights are not what is wrong."""
    there = next((each for each in (path, *path.absolute().parents) if _is_there(each)), path)
    wanted = os.W_OK | os.X_OK if there.is_dir() else os.W_OK
    if not _is_there(there) or os.access(there, wanted):
        return ""
    found = there.stat()
    owner, us = f"{found.st_uid}:{found.st_gid}", f"{os.geteuid()}:{os.getegid()}"
    return (
        f" ({there} belongs to {owner}, mode {found.st_mode & 0o7777:o}, and this process is {us}: give it to this "
        f"user with `chown -R {us} {there}`, or run as its owner, in a container with `--user {owner}`)"
    )


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return False  # a directory above it may not be entered; that one is looked at next
