"""Our files that a function runs: its start code, and AWS's client for Python and boto3 with their requirements.

Both are directories below one that is ours to fill, made once for each set of contents and versions: of copies, and of
links. Where Headrace is installed is nothing that a function sees, and may be a `/tmp` that it has of its own.
"""

from __future__ import annotations

import hashlib
import importlib.metadata as metadata
import os
import re
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent
TRANSPORT = "python_transport.py"
STARTS = ("python_start.py", TRANSPORT, *(f"node/{each.name}" for each in sorted((HERE / "node").glob("*.mjs"))))
PACKAGES = ("awslambdaric", "boto3")
_NAME = re.compile(r"[A-Za-z0-9._-]+")


def starts(scratch: Path) -> Path:
    """The directory with what starts functions: `python_start.py`, and `node/start.mjs` with the modules beside it."""
    contents = b"\0".join((HERE / name).read_bytes() for name in STARTS)
    return _made(scratch / f"start-{_digest(contents)}", _copy_starts)


def packages(scratch: Path) -> Path:
    """The directory of links at the end of a function's module search path. It gives the function what AWS's runtime
    would, without the rest of the daemon's environment. The part of AWS's client that is compiled for one version of
    Python is left out: `python_transport.py` takes its place."""
    found = _closure()
    versions = " ".join(sorted(f"{each.name}={each.version}@{each.locate_file('')}" for each in found))
    transport = starts(scratch) / TRANSPORT
    contents = f"{versions} {transport}".encode()
    return _made(scratch / f"python-client-{_digest(contents)}", lambda into: _link_packages(found, transport, into))


def _digest(contents: bytes) -> str:
    return hashlib.sha256(contents).hexdigest()[:12]


def _made(target: Path, fill: Callable[[Path], None]) -> Path:
    """Filled under another name, so that one which is there is complete."""
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=target.parent))
    try:
        fill(temporary)
        temporary.chmod(0o755)
        os.replace(temporary, target)
    except OSError:
        shutil.rmtree(temporary, ignore_errors=True)
        if not target.exists():  # else another daemon was faster
            raise
    return target


def _copy_starts(into: Path) -> None:
    for name in STARTS:
        (into / name).parent.mkdir(exist_ok=True)
        shutil.copyfile(HERE / name, into / name)


def _link_packages(found: list[metadata.Distribution], transport: Path, into: Path) -> None:
    """Links only: where /tmp is covered, another directory of links takes the place of this one."""
    for distribution in found:
        for top in {path.parts[0] for path in distribution.files or () if path.parts[0] != ".."}:
            if top != "__pycache__" and not top.startswith("runtime_client."):
                (into / top).symlink_to(Path(str(distribution.locate_file(top))).resolve())
    (into / "runtime_client.py").symlink_to(transport.resolve())


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
