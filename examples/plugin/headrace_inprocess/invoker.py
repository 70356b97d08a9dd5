"""Invokes a coroutine function of a Python file, in Headrace's own process."""

from __future__ import annotations

import importlib.util
import json
import time
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio

from headrace.dispatch.plugins.public import (
    CLOSED,
    RESPONSE_LIMIT,
    UNHANDLED,
    Attempt,
    Invocation,
    NotReady,
    Ready,
    Reply,
    Returned,
    Unreachable,
    cannot_start,
    exited,
    oversized,
    raised,
    timed_out,
)

Handler = Callable[[Any], Awaitable[Any]]


class InProcessInvoker:
    """Implements `Invoker`. The file is read again until it can be imported."""

    concurrency = 4
    ends_on_cancel = True

    def __init__(self, file: Path, handler: str, timeout: float) -> None:
        self.timeout = timeout
        self._file = file
        self._name = handler
        self._handler: Handler | None = None
        self._running: set[anyio.CancelScope] = set()
        self._closed = False

    async def probe(self) -> Ready | NotReady:
        try:
            self._found()
        except Exception as error:
            return NotReady(cannot_start(self._told(error)))
        return Ready()

    async def invoke(self, invocation: Invocation) -> Reply:
        started = time.time()

        def attempt() -> Attempt:
            return Attempt(invocation.request_id, started, time.time(), 200, "$LATEST")

        def failed() -> Attempt:
            return replace(attempt(), function_error=UNHANDLED)

        if self._closed:
            return Unreachable(Attempt(invocation.request_id, started, started), CLOSED)
        try:
            handler = self._found()
        except Exception as error:  # the function did not run: the records keep their attempts
            return Unreachable(
                Attempt(invocation.request_id, started, time.time()), cannot_start(self._told(error)), True
            )
        with anyio.move_on_after(self.timeout) as scope:
            self._running.add(scope)
            try:
                body = json.dumps(await handler(json.loads(invocation.payload)), ensure_ascii=False).encode()
                return Returned(attempt(), body) if len(body) <= RESPONSE_LIMIT else oversized(failed())
            except SystemExit as error:
                return exited(failed(), error.code if isinstance(error.code, int) else 1)
            except Exception as error:
                frames = traceback.format_list(traceback.extract_tb(error.__traceback__))
                return raised(failed(), error, frames)
            finally:
                self._running.discard(scope)
        if self._closed:
            return Unreachable(Attempt(invocation.request_id, started, time.time()), CLOSED)
        return timed_out(failed(), self.timeout)

    async def aclose(self) -> None:
        self._closed = True
        for scope in self._running:
            scope.cancel()

    def _found(self) -> Handler:
        if self._handler is None:
            spec = importlib.util.spec_from_file_location(self._file.stem, self._file)
            assert spec is not None
            assert spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            self._handler = getattr(module, self._name)
        assert self._handler is not None
        return self._handler

    def _told(self, error: Exception) -> str:
        said = " ".join(f"{type(error).__name__}: {error}".split())
        return f"{self._name} of {self._file} cannot be imported: {said}; correct it"
