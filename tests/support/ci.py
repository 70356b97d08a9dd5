"""The scripts of the repository's `.ci`, as modules."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

DIRECTORY = Path(__file__).parents[2] / ".ci"


def script(name: str) -> ModuleType:
    """The module that `.ci/<name>.py` is. It finds its neighbours, as it does when it runs as a program."""
    sys.path.insert(0, str(DIRECTORY))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(DIRECTORY))
