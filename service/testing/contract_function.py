"""The function that the contract suite of invokers invokes, as a coroutine: it does what its event says.

An invoker whose functions are written in another language, or run elsewhere, needs one there that behaves so.
"""

from __future__ import annotations

import json
import os
import uuid
from pathlib import Path
from typing import Any

import anyio

from ...dispatch.invokers.core.answers import RESPONSE_LIMIT

LIMIT = RESPONSE_LIMIT
"""Bytes of a response at most."""


async def contract_function(payload: bytes) -> bytes:
    """`{"do": …}` as below; any other event is the response. Raises ValueError for `fail`, SystemExit for `exit`."""
    event: Any = json.loads(payload)
    if not isinstance(event, dict):
        return payload
    match event.get("do"):
        case "fail":
            raise ValueError("no such order: 7")
        case "exit":
            raise SystemExit(3)
        case "big":
            return b'"%s"' % (b"x" * (LIMIT - 2 + event["over"]))
        case "meet":
            await meet(Path(event["directory"]), event["count"])
            return b'"met"'
        case "hang":
            await (anyio.Path(event["directory"]) / str(os.getpid())).touch()
            await anyio.sleep_forever()
    return payload


async def meet(directory: Path, count: int) -> None:
    """Return when `count` invocations are here at the same time."""
    await (anyio.Path(directory) / str(uuid.uuid4())).touch()
    await until_arrived(directory, count)


async def until_arrived(directory: Path, count: int) -> None:
    """Return when `count` files are in `directory`, whichever process puts them there."""
    while len([entry async for entry in anyio.Path(directory).iterdir()]) < count:  # noqa: ASYNC110 - other processes
        await anyio.sleep(0.005)
