"""A process that changes functions until it is killed, and prints each answer when it has it.

    function_killed.py STATE [EVENT NUMBER]     kills itself at the NUMBER-th audit event of this name

Each of the functions `f0` to `f2` is created, gets new code with a version, loses that version, and is deleted, again
and again.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import Any

import anyio

from support.function_api import FunctionApi, creation, function_api, zipped

FUNCTIONS = ("f0", "f1", "f2")


def code(name: str, number: int) -> bytes:
    return zipped({"app.py": f"# {name} {number}\n", "lib/deep/more.py": "x = 1\n" * 1000})


def say(name: str, number: int, what: str) -> None:
    sys.stdout.write(f"{name} {number} {what}\n")
    sys.stdout.flush()


async def live(api: FunctionApi, name: str) -> None:
    """`number` says how often something was asked; the answer is said with the same number."""
    which: Mapping[str, Any] = {"FunctionName": name}
    for number in count(0, 4):
        if api.plane.find(name) is None:
            request = creation(**which, Code={"ZipFile": code(name, number)}, Publish=True)
            await api.unchecked("CreateFunction", **request)
            say(name, number, "created")
        updated = await api.unchecked("UpdateFunctionCode", **which, ZipFile=code(name, number + 1), Publish=True)
        say(name, number + 1, f"updated {updated['Version']}")
        await api.unchecked("DeleteFunction", **which, Qualifier=updated["Version"])
        say(name, number + 2, f"removed {updated['Version']}")
        await api.unchecked("DeleteFunction", **which)
        say(name, number + 3, "deleted")


def die_at(event: str, number: int) -> None:
    seen = count(1)

    def watch(name: str, arguments: tuple[Any, ...]) -> None:
        if name == event and next(seen) == number:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)


async def main() -> None:
    async with function_api(Path(sys.argv[1])) as api, anyio.create_task_group() as tasks:
        say("start", 0, "ready")
        if len(sys.argv) > 2:
            die_at(sys.argv[2], int(sys.argv[3]))
        tasks.start_soon(api.plane.run)
        for name in FUNCTIONS:
            tasks.start_soon(live, api, name)


if __name__ == "__main__":
    anyio.run(main)
