"""Runs one command of a tool that deploys functions, in the tool's own environment, and notes how long it sleeps.

    deployer_session.py NOTES MODULE:FUNCTION ARGUMENT…

A sleep of five seconds or more is noted and left out.
"""

from __future__ import annotations

import importlib
import json
import sys
import time

LONG = 5


def main() -> object:
    notes, called, *arguments = sys.argv[1:]
    module, _, function = called.partition(":")
    slept: list[float] = []
    sleep = time.sleep

    def noted(seconds: float) -> None:
        slept.append(seconds)
        if seconds < LONG:
            sleep(seconds)

    time.sleep = noted  # type: ignore[assignment]
    sys.argv[:] = [module, *arguments]
    try:
        return getattr(importlib.import_module(module), function)()
    finally:
        with open(notes, "w") as file:
            json.dump(slept, file)


if __name__ == "__main__":
    sys.exit(main())  # type: ignore[arg-type]
