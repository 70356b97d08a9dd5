"""`headrace invoke`: one invocation of one function, as a mapping would make it."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import uuid
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import anyio

from ....config.clients.aws import AwsSettings, Clients
from ....config.core.stop_budget import PATIENCE
from ....config.fields.spoken import counted
from ....config.loader import Config
from ....dispatch.core.model import FunctionFailed, Reply, Returned, Throttled, Unreachable
from ....dispatch.core.observer import Event, FunctionLog, Observer, Observers
from ....dispatch.invokers.base import Invocation
from ...telemetry.core.line_backlog import LineCounts
from ...telemetry.line_writer import lines_of
from ...wiring.exits import Exit, UsageError
from ...wiring.invokers import InvokerFactory
from .configs import load_config
from .event import made
from .filter_test import AT, read_text, typed_text
from .tables import for_stream, show, tell


class InvokeOutput:
    """Writes the function's output to standard error; unchanged, unless that is a terminal. The reader may not read,
    but the function's timeout applies nevertheless."""

    def __init__(self) -> None:
        self.lines = lines_of(sys.stderr, _left_out)

    def observe(self, event: Event) -> None:
        if isinstance(event, FunctionLog):
            self.lines.put(for_stream(sys.stderr, event.line.rstrip("\n")), of_function=True)


def _left_out(counts: LineCounts) -> str:
    return f"headrace: standard error was not read in time: {counted(counts.functions, 'line')} dropped"


def run(arguments: argparse.Namespace, observers: Sequence[Observer]) -> int:
    config = load_config(arguments.config or (), arguments)
    if arguments.function not in config.functions:
        known = ", ".join(config.functions) or "none"
        raise UsageError(f"there is no function {arguments.function!r}; there are {known}")
    payload = _payload_of(arguments, config)
    output = InvokeOutput()
    try:
        reply = anyio.run(_invoke, config, arguments.function, payload, Observers([output, *observers]))
    finally:
        output.lines.flush(None)  # the event loop has ended, so blocking is harmless
    return _show(reply)


def _payload_of(arguments: argparse.Namespace, config: Config) -> bytes:
    if arguments.event is None:
        if arguments.body:
            raise UsageError("--body is the payload of a record: name its kind with --event")
        return _payload("{}" if arguments.payload is None else arguments.payload)
    if arguments.payload is not None:
        raise UsageError("give a PAYLOAD or --event, not both")
    mappings = [each for each in config.mappings.values() if each.function_name == arguments.function]
    return made(arguments.event, arguments.body, mappings)


def _payload(text: str) -> bytes:
    in_file = text == "-" or text.startswith(AT)
    text = read_text(text.removeprefix(AT)) if in_file else typed_text(text, "the payload")
    try:
        json.loads(text)
    except ValueError as error:
        raise UsageError(f"the payload is not JSON: {error}") from error
    return text.encode()


async def _invoke(config: Config, name: str, payload: bytes, observer: Observer) -> Reply:
    with tempfile.TemporaryDirectory(prefix="headrace-", dir=outside_tmp()) as scratch:
        async with Clients(AwsSettings(**config.settings.aws.arguments())) as clients:
            functions = InvokerFactory(config, clients, observer, Path(scratch))
            with closing(functions):
                for remark in (await functions.refuse_unstartable([name])).values():
                    tell(f"headrace: remark: function {name} {remark}")
                invoker = await functions.invoker(config.functions[name])
                try:
                    return await invoker.invoke(Invocation(payload, str(uuid.uuid4())))
                finally:
                    with anyio.move_on_after(PATIENCE, shield=True):
                        await invoker.aclose()


def outside_tmp() -> str | None:
    """A scratch directory, so that the function's own /tmp contains no files of ours."""
    kept = "/var/tmp"  # noqa: S108 - a fresh directory in it, which nobody else may enter
    return kept if "TMPDIR" not in os.environ and os.access(kept, os.W_OK) else None


def _show(reply: Reply) -> int:
    match reply:
        case Returned(body=body):
            show(_text(body))
            return Exit.OK
        case FunctionFailed(body=body, detail=said):
            if body:
                show(_text(body))
        case Unreachable(body=body, cause=cause):
            said = cause.text
            if body:
                show(_text(body))
        case Throttled(said=said):
            said = f"the function is throttled: {said}"
    tell(f"headrace: {said}")
    return Exit.FAILURE


def _text(body: bytes) -> str:
    return body.decode(errors="backslashreplace")
