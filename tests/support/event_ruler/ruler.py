"""AWS's event-ruler as a process that answers JSON lines: the third opinion of the pattern tests.

`start()` builds it on first use, with Maven and javac, into the git-ignored `.servers/`.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from support.servers.fetched import fetched, run
from support.servers.jars import jars

_HERE = Path(__file__).parent


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

    def speed(self, patterns: list[str], events: list[str], seconds: float, warm: float) -> float:
        """Events per second of CPU time with all patterns in one machine, after a warm-up of `warm` seconds."""
        question = {"patterns": patterns, "events": events, "seconds": seconds, "warm": warm}
        return float(str(self._ask(question)["speed"]))

    def _ask(self, question: dict[str, object]) -> dict[str, object]:
        self.requests.write(json.dumps(question) + "\n")
        self.requests.flush()
        answer: dict[str, object] = json.loads(self.answers.readline())
        return answer


@contextmanager
def start() -> Iterator[EventRuler]:
    """Runs event-ruler, built first if it is not or if its sources have changed."""
    # Without its log, whose warnings on a busy machine would stand between the answers.
    command = ["java", "-Xlog:disable", "-Xmx256m", "-cp", f"{_classes()}:{jars(_HERE / 'pom.xml')}/*", "RulerLines"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8") as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield EventRuler(process.stdin, process.stdout)
        finally:
            process.stdin.close()
            process.wait()


def version() -> str:
    """The one that is fetched."""
    found = re.search(r"<artifactId>event-ruler</artifactId>\s*<version>([^<]+)<", (_HERE / "pom.xml").read_text())
    assert found is not None
    return found[1]


def _classes() -> Path:
    """The directory with the compiled main class."""
    source, libraries = _HERE / "RulerLines.java", jars(_HERE / "pom.xml")

    def compiled(directory: Path) -> Path:
        target = directory / "classes"
        run("a JDK", ["javac", "-cp", f"{libraries}/*", "-d", str(target), str(source)], source.name)
        return target

    return fetched(source, compiled)
