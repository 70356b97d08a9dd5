"""The verbs of the command line, one module each: `run(arguments, observers) -> exit code`."""

from __future__ import annotations
