"""A daemon in a thread of this process, for tests: started with a configuration, asked, and stopped.

    start ──► ready ──► send, until_idle, invocations, discarded ──► stop

The daemon is the real one, with the parts of `wiring/embedding.py` replaced: no signals, sources in memory unless an
endpoint is given, and an ear at each invocation.
"""

from __future__ import annotations

import asyncio
import io
import json
import threading
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import anyio

from ...config.loader import Config
from ...config.mapping import EventSourceMapping
from ...dispatch.core.model import FunctionFailed, Reply, Returned, Throttled, Unreachable
from ...dispatch.core.observer import Discarded, Event
from ...dispatch.invokers.base import Invocation
from ..telemetry.log import Log
from ..wiring.daemon import Daemon
from ..wiring.embedding import Embedding, memory_sources
from ..wiring.idle import IdlePace
from ..wiring.sending import send

T = TypeVar("T")

PACE = IdlePace(quiet=0.05, between_reads=0.02)
AT_AN_ENDPOINT = IdlePace(quiet=0.5, between_reads=0.2)
READY = 60.0
"""Seconds for a start at most."""
END = 30.0
"""Seconds for a stop at most."""


class DaemonError(AssertionError):
    """The daemon did not do what a test waits for; the message has why, and the last lines of its log."""


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """One invocation that ended."""

    function: str
    mapping: str
    """Name of the mapping that invoked; empty for none."""
    event: Any
    """The event that the function got."""
    response: Any
    """What the function returned; None when it failed."""
    error: str
    """Why it failed, in one line; empty when it did not."""

    @property
    def records(self) -> list[Any]:
        """The records of the event, of all partitions where there are some."""
        found = self.event.get("Records", self.event.get("records", []))
        return [record for part in found.values() for record in part] if isinstance(found, dict) else list(found)


@dataclass(frozen=True, slots=True)
class DiscardedRecord:
    """One record that the mapping gave up."""

    mapping: str
    reason: str
    """AWS's word: `RetryAttemptsExhausted`, …"""
    record: Any
    """The record in the form in which it stands in the event."""
    destination: str
    """The failure destination that has its document; empty for none."""


class EmbeddedDaemon:
    """One daemon. `send`, `until_idle`, `invocations`, `discarded` and `stop` are for the test's thread."""

    def __init__(self, config: Config, *, fakes: bool) -> None:
        self._config = config
        self._lines = io.StringIO()
        self._sources = memory_sources() if fakes else None
        self._calls: list[FunctionCall] = []
        self._discarded: list[DiscardedRecord] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._error: BaseException | None = None
        self._moved = threading.Event()
        """It is ready, or it has ended."""
        embedding = Embedding(standalone=False, fakes=self._sources, invoked=self._invoked, ready=self._moved.set)
        self._daemon = Daemon(config, Log(self._lines), out=lambda line: None, observers=[self], embedding=embedding)
        self._thread = threading.Thread(target=self._run, name="headrace", daemon=True)

    # --- the test's side --------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Return when each mapping polls, or waits for something that it names. Raises ConfigError and other errors of
        the daemon."""
        self._thread.start()
        if not self._moved.wait(READY):
            raise DaemonError(self._told(f"the daemon is not ready after {READY:g} s"))
        if self._error is not None:
            raise self._error

    def send(self, mapping: str, *payloads: object, key: str = "") -> None:
        """Put one record for each payload (text, or anything that JSON can hold) into the mapping's source. `key`: the
        message group or partition key."""
        if (found := self._config.mappings.get(mapping)) is None:
            known = ", ".join(self._config.mappings) or "none"
            raise DaemonError(f"there is no mapping {mapping!r}; there are {known}")
        texts = [payload if isinstance(payload, str) else json.dumps(payload) for payload in payloads]
        self._ask(self._put(found, texts, key))

    def until_idle(self, timeout: float = 30.0) -> None:
        """Return when nothing is left to do. Raises DaemonError with what the daemon waits for after `timeout`
        seconds."""
        if reasons := self._ask(self._idle(timeout)):
            raise DaemonError(self._told(f"not idle after {timeout:g} s: {'; '.join(reasons)}"))

    def invocations(self, function: str = "") -> list[FunctionCall]:
        """The invocations that ended, in this order; of one function, if it is named."""
        return [call for call in tuple(self._calls) if function in ("", call.function)]

    def discarded(self, mapping: str = "") -> list[DiscardedRecord]:
        """The discarded records; of one mapping, if it is named."""
        return [each for each in tuple(self._discarded) if mapping in ("", each.mapping)]

    def stop(self) -> None:
        """End it. May be called again. Raises DaemonError if it does not end."""
        if self._loop is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._daemon.stop)
            self._thread.join(END)
        if self._thread.is_alive():
            raise DaemonError(self._told(f"the daemon did not end within {END:g} s"))

    @property
    def url(self) -> str:
        """The address of /status, /metrics and the Lambda API; empty once it has ended."""
        life = self._daemon.life
        return life.url if life and self._loop else ""

    @property
    def log(self) -> str:
        """The lines of its log so far."""
        return self._lines.getvalue()

    # --- the daemon's thread ----------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            anyio.run(self._main)
        except BaseException as error:
            self._error = error
        finally:
            self._loop = None
            self._moved.set()

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        await self._daemon.run()

    def observe(self, event: Event) -> None:
        """Takes what the daemon tells its observers."""
        if isinstance(event, Discarded):
            self._discarded += [
                DiscardedRecord(event.mapping, event.reason.value, json.loads(record.body), event.destination)
                for record in event.records
            ]

    def _invoked(self, function: str, invocation: Invocation, reply: Reply) -> None:
        response, error = _said_by(reply)
        event = json.loads(invocation.payload)
        self._calls.append(FunctionCall(function, invocation.mapping, event, response, error))

    async def _put(self, mapping: EventSourceMapping, texts: Sequence[str], key: str) -> None:
        if self._sources is None:
            await send(self._config.settings, mapping, texts, key)
            return
        for text in texts:
            self._sources.send(mapping, text, key)

    async def _idle(self, timeout: float) -> tuple[str, ...]:
        """Why it is not idle in time; empty when it is."""
        life = self._daemon.life
        assert life is not None
        watch = life.idle_watch(AT_AN_ENDPOINT if self._sources is None else PACE)
        with anyio.move_on_after(timeout):
            await watch.wait()
            return ()
        return watch.reasons()

    def _ask(self, question: Coroutine[Any, Any, T]) -> T:
        if self._loop is None:
            question.close()
            raise DaemonError(self._told(f"the daemon has ended{f': {self._error!r}' if self._error else ''}"))
        return asyncio.run_coroutine_threadsafe(question, self._loop).result()

    def _told(self, what: str) -> str:
        lines = "\n".join(self.log.splitlines()[-20:])
        return f"{what}\n{lines}" if lines else what


def _said_by(reply: Reply) -> tuple[Any, str]:
    """The response, and the error in one line."""
    match reply:
        case Returned(body=body):
            return _json(body), ""
        case FunctionFailed(detail=detail):
            return None, detail
        case Throttled(said=said):
            return None, said or "throttled"
        case Unreachable(cause=cause):
            return None, cause.text


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return body.decode(errors="replace")
