"""Facts about this machine's interpreters. Each interpreter is asked once, not once for each function that it runs; and
again when it, or its installed packages, may have changed. Used in threads, by `launch.py` alone.
"""

from __future__ import annotations

import os
import re
import subprocess
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from ....config import descriptors

T = TypeVar("T")

FOR = 60.0
"""Maximum age of an answer in seconds, because the target of a shim may change without a trace."""
_ASK = (
    "import sys, importlib.util as u;"
    "print('%d.%d' % sys.version_info[:2], *(u.find_spec(each) is not None for each in ('awslambdaric', 'debugpy')));"
    "print(*sys.path, sep='\\n')"
)


@dataclass(frozen=True, slots=True)
class Interpreter:
    """The facts that a Python interpreter reports about itself."""

    path: str
    version: str
    """Major and minor, e.g. `3.12`."""
    has_client: bool
    """`awslambdaric` is installed in it."""
    has_debugger: bool
    """`debugpy` is."""


@dataclass(frozen=True, slots=True)
class NodeVersion:
    """The facts that Node.js reports about itself."""

    major: int
    minor: int


@dataclass(frozen=True, slots=True)
class BrokenInterpreter:
    """A program that does not answer as an interpreter does."""

    what: str
    """In one line, without what to do about it."""


def python(path: str) -> Interpreter | BrokenInterpreter:
    return _PYTHONS.answer(path, _ask_python)


def node(path: str) -> NodeVersion | BrokenInterpreter:
    return _NODES.answer(path, _ask_node)


# --- asking -----------------------------------------------------------------------------------------------------------

Depends = Sequence[str]
"""Paths on which an answer depends, besides the program's own."""


def _ask_python(path: str) -> tuple[Interpreter | BrokenInterpreter, Depends]:
    done = _run([path, "-I", "-c", _ASK])
    if isinstance(done, BrokenInterpreter):
        return done, ()
    first, *paths = done.stdout.splitlines() or [""]
    words = first.split()
    if done.returncode or len(words) != 3:
        lines = done.stderr.strip().splitlines() or ["it printed nothing"]
        said = lines[-1] if lines[0].startswith("Traceback") else lines[0]
        return BrokenInterpreter(f"{path} does not work as a Python interpreter ({said})"), ()
    return Interpreter(path, words[0], words[1] == "True", words[2] == "True"), paths


def _ask_node(path: str) -> tuple[NodeVersion | BrokenInterpreter, Depends]:
    done = _run([path, "--version"])
    if isinstance(done, BrokenInterpreter):
        return done, ()
    found = re.match(r"v(\d+)\.(\d+)", done.stdout)
    if found is None:
        return BrokenInterpreter(f"{path} does not say its version as Node.js does"), ()
    return NodeVersion(int(found[1]), int(found[2])), ()


def _run(argv: list[str]) -> subprocess.CompletedProcess[str] | BrokenInterpreter:
    try:
        return subprocess.run(argv, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        if descriptors.spent(error):
            raise  # it tells nothing about the program, so it is not cached
        return BrokenInterpreter(f"{argv[0]} cannot be run ({error})")


# --- once -------------------------------------------------------------------------------------------------------------

_Stamp = tuple[int, int, int] | None
"""The properties that change with a file: inode, size, time in nanoseconds. None: there is no file."""


@dataclass(frozen=True, slots=True)
class _KnownAnswer(Generic[T]):
    answer: T
    stamps: dict[str, _Stamp]
    at: float

    def holds(self) -> bool:
        if time.monotonic() - self.at > FOR:
            return False
        return all(_stamp(path) == stamp for path, stamp in self.stamps.items())


class _Answers(Generic[T]):
    """By program. Who asks for one that is being asked waits for its answer."""

    def __init__(self) -> None:
        self._known: dict[str, _KnownAnswer[T]] = {}
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    def answer(self, path: str, ask: Callable[[str], tuple[T, Depends]]) -> T:
        with self._locks[path]:
            known = self._known.get(path)
            if known is None or not known.holds():
                known = self._known[path] = _asked(path, ask)
            return known.answer


def _asked(path: str, ask: Callable[[str], tuple[T, Depends]]) -> _KnownAnswer[T]:
    """The stamps are older than the answer: what changes meanwhile is asked again. Those of what only the answer
    names are of after it, and a package that is installed in this very moment is seen after `FOR` at the latest."""
    own = {each: _stamp(each) for each in (path, os.path.join(os.path.dirname(path), "..", "pyvenv.cfg"))}
    answer, depends = ask(path)
    return _KnownAnswer(answer, {**own, **{each: _stamp(each) for each in depends}}, time.monotonic())


def _stamp(path: str) -> _Stamp:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


_PYTHONS: _Answers[Interpreter | BrokenInterpreter] = _Answers()
_NODES: _Answers[NodeVersion | BrokenInterpreter] = _Answers()
