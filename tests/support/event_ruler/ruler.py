"""AWS's event-ruler as a process that answers JSON lines: the third opinion of the pattern tests.

`start()` builds it on first use, with Maven and javac, into the git-ignored `.servers/event-ruler/`.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

_HERE = Path(__file__).parent
_BUILT = _HERE.parents[2] / ".servers" / "event-ruler"
_SOURCES = ("pom.xml", "RulerLines.java")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What event-ruler says: a match, no match, or (None) that the pattern or event is invalid and why."""

    match: bool | None
    error: str = ""


@dataclass(frozen=True, slots=True)
class EventRuler:
    """A running event-ruler. Asks one question at a time."""

    requests: IO[str]
    answers: IO[str]

    def verdict(self, pattern: str, event: str) -> Verdict:
        """Its verdict on two JSON texts."""
        answer = self._ask({"pattern": pattern, "event": event})
        if "error" in answer:
            return Verdict(None, str(answer["error"]))
        return Verdict(bool(answer["match"]))

    def complexity(self, pattern: str, limit: int) -> int:
        """Its own measure of a pattern's wildcards, at most `limit`."""
        return int(str(self._ask({"pattern": pattern, "complexity": limit})["complexity"]))

    def speed(self, patterns: list[str], events: list[str], seconds: float) -> float:
        """Events per second of CPU time with all patterns in one machine, after a warm-up of as long."""
        return float(str(self._ask({"patterns": patterns, "events": events, "seconds": seconds})["speed"]))

    def _ask(self, question: dict[str, object]) -> dict[str, object]:
        self.requests.write(json.dumps(question) + "\n")
        self.requests.flush()
        answer: dict[str, object] = json.loads(self.answers.readline())
        return answer


@contextmanager
def start() -> Iterator[EventRuler]:
    """Runs event-ruler, built first if it is not or if its sources have changed."""
    build()
    command = ["java", "-Xmx256m", "-cp", f"{_BUILT / 'classes'}:{_BUILT / 'lib'}/*", "RulerLines"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8") as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield EventRuler(process.stdin, process.stdout)
        finally:
            process.stdin.close()
            process.wait()


def build() -> None:
    """Copies the jars and compiles the main class, unless that is done for these very sources."""
    stamp = _BUILT / "stamp"
    wanted = hashlib.sha256(b"".join((_HERE / name).read_bytes() for name in _SOURCES)).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return
    shutil.rmtree(_BUILT, ignore_errors=True)
    classes = _BUILT / "classes"
    classes.mkdir(parents=True)
    _run("mvn", "-q", "-B", "-f", f"{_HERE / 'pom.xml'}", "dependency:copy-dependencies",
         f"-DoutputDirectory={_BUILT / 'lib'}")  # fmt: skip
    _run("javac", "-cp", f"{_BUILT / 'lib'}/*", "-d", f"{classes}", f"{_HERE / 'RulerLines.java'}")
    stamp.write_text(wanted)


def _run(*command: str) -> None:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed with {done.returncode}:\n{done.stdout}")
