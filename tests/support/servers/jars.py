"""Jars of a small pom.xml, copied by Maven, and how a JVM runs them."""

from __future__ import annotations

from pathlib import Path

from .fetched import fetched, run

SHORT_LIVED = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
"""Options of a JVM that lives for some tests: it starts with little more than half the work that it would take to be
ready for days."""


def jars(pom: Path) -> Path:
    """The directory with the runtime dependencies of `pom`."""

    def copy(directory: Path) -> Path:
        target = directory / "jars"
        command = ["mvn", "-q", "-B", "-f", str(pom), "dependency:copy-dependencies"]
        run("Maven", [*command, "-DincludeScope=runtime", f"-DoutputDirectory={target}"], pom.parent.name)
        return target

    return fetched(pom, copy)
