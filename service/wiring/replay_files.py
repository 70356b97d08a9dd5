"""The progress of replays on disk, so that a killed one can go on: a directory for each, in the state directory.

A file is whole or not there: it is written beside and renamed. The lock is the operating system's: who holds it runs,
and a replay whose lock is free was broken off.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from ...config.durable.files import sync_directory
from ...config.errors import HeadraceError
from ...pollers.replay.core.plan import ReplayPlan, ReplayProgress, plan_as_json, plan_of_json

FOLDER = "replays"
FILE = "replay.json"
LOCK = "lock"
VERSION = 1


@dataclass(frozen=True, slots=True)
class ReplayWish:
    """What somebody wants to be read again."""

    mapping: str
    function: str
    """Empty: the mapping's own."""
    plan: ReplayPlan | None
    """None: documents say it alone."""
    documents: tuple[str, ...] = ()
    """Where they are: files, `s3://…`, ARNs of queues."""
    texts: Mapping[str, str] = field(default_factory=dict)
    """Documents that are nowhere else any more, by name."""
    rate: float | None = None
    """Records a second at most."""
    retries: int | None = None
    """None: the mapping's own, or as many as `replaying.py` says."""


@dataclass(slots=True)
class ReplayState:
    """One replay, with how far it is."""

    id: str
    wish: ReplayWish
    progress: ReplayProgress
    read: list[str] = field(default_factory=list)
    """Names of the documents whose event is done."""


class ReplayFile:
    """The file of one replay that runs. Closing it, or the end of the process, frees it."""

    def __init__(self, directory: Path, lock: IO[str]) -> None:
        self._directory = directory
        self._lock = lock

    @classmethod
    def create(cls, state: Path, wish: ReplayWish) -> tuple[ReplayFile, ReplayState]:
        """Raises HeadraceError when it cannot be made."""
        found = ReplayState(secrets.token_hex(4), wish, ReplayProgress())
        file = cls._locked(state / FOLDER / found.id, make=True)
        file.save(found)
        return file, found

    @classmethod
    def open(cls, state: Path, name: str) -> tuple[ReplayFile, ReplayState]:
        """Opens a replay that was broken off. Raises HeadraceError for one that runs, is unknown, or damaged."""
        directory = state / FOLDER / Path(name).name
        if not (directory / FILE).exists():
            known = ", ".join(each.id for each, _ in listed(state)) or "none"
            raise HeadraceError(f"no replay {name} is kept in {state}; there are: {known}")
        file = cls._locked(directory, make=False)
        try:
            return file, _read(directory)
        except BaseException:
            file.close()
            raise

    @classmethod
    def _locked(cls, directory: Path, *, make: bool) -> ReplayFile:
        try:
            if make:
                directory.mkdir(mode=0o700, parents=True)
            lock = (directory / LOCK).open("a+")
        except OSError as error:
            raise HeadraceError(f"cannot keep the progress of a replay in {directory}: {error}") from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.close()
            raise HeadraceError(f"replay {directory.name} runs at this moment, in another process") from error
        return cls(directory, lock)

    def save(self, state: ReplayState) -> None:
        """Returns when the disk has it. Raises HeadraceError."""
        fresh = self._directory / f"{FILE}.new"
        try:
            with fresh.open("w") as out:
                json.dump(_as_json(state), out)
                out.flush()
                os.fsync(out.fileno())
            fresh.rename(self._directory / FILE)
            sync_directory(self._directory)
        except OSError as error:
            raise HeadraceError(f"cannot store the progress of replay {state.id}: {error}") from error

    def remove(self) -> None:
        """The replay is done."""
        shutil.rmtree(self._directory, ignore_errors=True)

    def close(self) -> None:
        self._lock.close()


def listed(state: Path) -> Iterator[tuple[ReplayState, bool]]:
    """Each replay that is kept, and whether it runs. What cannot be read is left out."""
    for file in sorted((state / FOLDER).glob(f"*/{FILE}")):
        try:
            yield _read(file.parent), _runs(file.parent)
        except (HeadraceError, OSError):
            continue


def _runs(directory: Path) -> bool:
    with (directory / LOCK).open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


def _as_json(state: ReplayState) -> dict[str, Any]:
    wish = state.wish
    return {
        "version": VERSION,
        "id": state.id,
        "mapping": wish.mapping,
        "function": wish.function,
        "plan": None if wish.plan is None else plan_as_json(wish.plan),
        "documents": list(wish.documents),
        "texts": dict(wish.texts),
        "rate": wish.rate,
        "retries": wish.retries,
        "progress": state.progress.as_json(),
        "read": state.read,
    }


def _read(directory: Path) -> ReplayState:
    file = directory / FILE
    try:
        stored = json.loads(file.read_text())
        wish = ReplayWish(
            mapping=str(stored["mapping"]),
            function=str(stored["function"]),
            plan=None if stored["plan"] is None else plan_of_json(stored["plan"]),
            documents=tuple(map(str, stored["documents"])),
            texts={str(name): str(text) for name, text in stored["texts"].items()},
            rate=stored["rate"],
            retries=stored["retries"],
        )
        return ReplayState(
            directory.name, wish, ReplayProgress.of_json(stored["progress"]), list(map(str, stored["read"]))
        )
    except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise HeadraceError(
            f"{file} cannot be read ({error!r}); remove {directory} and start the replay anew"
        ) from error
