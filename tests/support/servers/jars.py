"""Jars of a small pom.xml, copied by Maven."""

from __future__ import annotations

from pathlib import Path

from .fetched import fetched, run


def jars(pom: Path) -> Path:
    """The directory with the runtime dependencies of `pom`."""

    def copy(directory: Path) -> Path:
        target = directory / "jars"
        command = ["mvn", "-q", "-B", "-f", str(pom), "dependency:copy-dependencies"]
        run("Maven", [*command, "-DincludeScope=runtime", f"-DoutputDirectory={target}"], pom.parent.name)
        return target

    return fetched(pom, copy)
