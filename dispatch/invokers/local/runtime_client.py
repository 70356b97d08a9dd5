"""A directory that holds AWS's Python runtime client and boto3 with what they need, and nothing else of ours.

Put at the end of a function's module search path, it gives the function what AWS's runtime would, without the rest of
the daemon's environment. Made of links, once per set of versions.
"""

from __future__ import annotations

import hashlib
import importlib.metadata as metadata
import os
import re
import tempfile
from pathlib import Path

PACKAGES = ("awslambdaric", "boto3")
_NAME = re.compile(r"[A-Za-z0-9._-]+")


def directory(scratch: Path) -> Path:
    """The directory, made if it is not there yet."""
    found = _closure()
    versions = " ".join(sorted(f"{each.name}={each.version}@{each.locate_file('')}" for each in found))
    target = scratch / f"python-client-{hashlib.sha256(versions.encode()).hexdigest()[:12]}"
    if not target.exists():
        _link(found, target)
    return target


def _closure() -> list[metadata.Distribution]:
    """The packages and all that they require."""
    wanted, seen = list(PACKAGES), dict[str, metadata.Distribution]()
    while wanted:
        name = _canonical(wanted.pop())
        if name in seen:
            continue
        try:
            seen[name] = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue  # a requirement of another platform
        requirements = seen[name].requires or []
        wanted += [match[0] for each in requirements if "extra ==" not in each and (match := _NAME.match(each))]
    return list(seen.values())


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _link(found: list[metadata.Distribution], target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=target.parent))
    for distribution in found:
        for top in {path.parts[0] for path in distribution.files or () if path.parts[0] != ".."}:
            if top != "__pycache__":
                (temporary / top).symlink_to(Path(str(distribution.locate_file(top))).resolve())
    temporary.chmod(0o755)
    try:
        os.replace(temporary, target)
    except OSError:  # another daemon was faster
        for link in temporary.iterdir():
            link.unlink()
        temporary.rmdir()
