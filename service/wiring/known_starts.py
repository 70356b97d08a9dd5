"""Remembers in the state directory which functions are known to start, once per code and configuration.

So an idle function needs no process after a restart, and a changed function is tried before its mappings fetch.
The file contains only hashes: no part of a function's configuration is stored.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

from pydantic import BaseModel

from ...config.durable.pinned import LostFile, Pinned
from ...dispatch.core.observer import Event, GateClosed

FILE = "functions.json"
FILES_MAX = 20_000
"""Maximum files of code that are checked."""
SKIPPED = frozenset({"__pycache__", ".git", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".headrace"})
"""Directories whose changes do not matter to the code."""


class KnownStarts:
    """Fingerprints of functions that started successfully."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / FILE
        self._directory = Pinned.of(directory)
        self._known = _read(self._path)

    def remembers(self, function: str, fingerprint: str) -> bool:
        return bool(fingerprint) and self._known.get(function) == fingerprint

    def remember(self, function: str, fingerprint: str) -> None:
        if fingerprint and not self.remembers(function, fingerprint):
            self._known[function] = fingerprint
            self._write()

    def forget(self, function: str) -> None:
        if self._known.pop(function, None) is not None:
            self._write()

    def _write(self) -> None:
        """On a full disk nothing is stored, which costs one init per function. Nor is anything stored in a directory
        that replaced ours: it belongs to another daemon."""
        fresh = self._path.with_suffix(".new")
        try:
            self._directory.expect()
            fresh.write_text(json.dumps(self._known, indent=1, sort_keys=True) + "\n")
            fresh.replace(self._path)
        except LostFile:
            return
        except OSError:
            with suppress(OSError):
                self._path.unlink()


def _read(path: Path) -> dict[str, str]:
    """The stored fingerprints; none when the file is missing or damaged, which costs one init per function."""
    try:
        known = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


class ForgetfulObserver:
    """The observer that removes a function as soon as it cannot start."""

    def __init__(self, registry: KnownStarts) -> None:
        self._registry = registry

    def observe(self, event: Event) -> None:
        if isinstance(event, GateClosed):
            self._registry.forget(event.function)


def fingerprint(function: BaseModel, roots: Iterable[Path]) -> str:
    """A hash of a function's configuration and of name, size and time of every file of its code. Empty (and never
    stored) when there are so many files that checking them takes longer than an init."""
    digest = hashlib.sha256(function.model_dump_json().encode())
    for root in roots:
        found = sorted(islice(_files(root), FILES_MAX + 1))
        if len(found) > FILES_MAX:
            return ""
        for name, size, changed in found:
            digest.update(f"{name}\0{size}\0{changed}\0".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _files(root: Path) -> Iterator[tuple[str, int, int]]:
    for directory, below, files in os.walk(root):
        below[:] = [name for name in below if name not in SKIPPED]
        for name in files:
            path = os.path.join(directory, name)
            try:
                found = os.stat(path)
            except OSError:
                continue  # gone since it was listed, or a link to nowhere
            yield path, found.st_size, found.st_mtime_ns
