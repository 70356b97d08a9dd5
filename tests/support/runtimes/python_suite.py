"""The small functions for Python, how to run them under AWS's client and under ours, and what is seen otherwise."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Literal

from headrace.dispatch.invokers.local.spec import CommandLaunch, RuntimeLaunch

from .cases import Case, Difference, Seen
from .observing import observe
from .python_cases import PYTHON

CASES: tuple[Case, ...] = tuple(PYTHON)
DIFFERENCES: tuple[Difference, ...] = ()


async def observe_as(case: Case, client: Literal["aws", "ours"], directory: Path) -> Seen:
    """`aws`: its client is the program, in our own environment. `ours`: as users have it."""
    if client == "ours":
        return await observe(case, RuntimeLaunch("python", case.handler), directory, _nothing)
    command = CommandLaunch((sys.executable, "-m", "awslambdaric", case.handler), case.handler)
    layer = os.pathsep.join([str(directory / "code"), str(directory / "layer" / "python")])
    environment = {**case.environment, "PYTHONPATH": layer} if case.layer else case.environment
    return await observe(replace(case, environment=environment), command, directory, _nothing)


def _nothing(code: Path) -> None: ...
