"""Whether a function's handler names an existing file: looks at the names of files, and reads none.

A warning, not more: a virtual environment may hold the module, and the user may build it later.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from .function import LocalFunction

_NODE = (".js", ".mjs", ".cjs", "")
_PACKAGES = "lib/python3*/site-packages"


def missing(function: LocalFunction) -> str:
    """The missing file that the handler of a located function needs; empty when it exists, or when the runtime has no
    such rule."""
    if not function.handler or function.family == "provided" or not _is_directory(function.code):
        return ""
    candidates = tuple(_python(function) if function.family == "python" else _node(function))
    return "" if any(_exists(path) for path in candidates) else candidates[0].name


def _python(function: LocalFunction) -> Iterator[Path]:
    module = (function.handler or "").rpartition(".")[0].replace(".", "/")
    venvs = [function.venv] if function.venv else [base / ".venv" for base in (function.code, function.code.parent)]
    bases = [function.code, *(layer / "python" for layer in function.layers)]
    bases += [found for venv in venvs for found in venv.glob(_PACKAGES)]
    bases += [found for layer in function.layers for found in (layer / "python").glob(_PACKAGES)]
    for base in bases:
        yield base / f"{module}.py"
        yield base / module / "__init__.py"


def _node(function: LocalFunction) -> Iterator[Path]:
    directory, _, name = (function.handler or "").rpartition("/")
    for ending in _NODE:
        yield function.code / directory / (name.partition(".")[0] + ending)


def _is_directory(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False
