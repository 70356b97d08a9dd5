"""A daemon inside of another program: what that program may put in the place of the daemon's own parts.

Used by `service/testing`. As it stands, `Embedding` changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ...config.clock import SystemClock
from ...config.fields.arn import Arn
from ...config.mapping import EventSourceMapping
from ...dispatch.core.documents import Documents
from ...dispatch.core.model import Reply
from ...dispatch.destinations.base import Destination
from ...dispatch.destinations.memory import MemoryDestination
from ...dispatch.invokers.base import Invocation, Invoker, NotReady, Ready
from ...pollers.kinds.table import poller_of
from ...pollers.memory.maker import MemorySources
from ...pollers.profile import SourceMaker, SourceParts


def nothing() -> None:
    """Does nothing."""


Invoked = Callable[[str, Invocation, Reply], object]
"""Told of each invocation of a function by its name, when it has ended. Must return at once."""


@dataclass(frozen=True, slots=True)
class Embedding:
    """`fakes`: sources and failure destinations in memory; None: the real ones."""

    standalone: bool = True
    """The process is the daemon's: it listens for signals, and looks for garbage in its own way."""
    fakes: MemorySources | None = None
    invoked: Invoked | None = None
    ready: Callable[[], object] = nothing
    """Called once, when each mapping polls or can say what it waits for."""

    def maker(self, mapping: EventSourceMapping, parts: SourceParts) -> SourceMaker:
        """The maker of a mapping's source."""
        return poller_of(mapping).make(mapping, parts) if self.fakes is None else self.fakes.make(mapping, parts)

    def destination(self, arn: Arn, documents: Documents) -> Destination | None:
        """The failure destination in memory; None where it is a real one."""
        return None if self.fakes is None else MemoryDestination(str(arn), documents)

    def invoker(self, name: str, invoker: Invoker) -> Invoker:
        return invoker if self.invoked is None else SeenInvoker(name, invoker, self.invoked)


ALONE = Embedding()


class SeenInvoker:
    """Tells of each invocation."""

    def __init__(self, name: str, invoker: Invoker, invoked: Invoked) -> None:
        self._name = name
        self._invoker = invoker
        self._invoked = invoked

    @property
    def concurrency(self) -> int | None:
        return self._invoker.concurrency

    @property
    def timeout(self) -> float | None:
        return self._invoker.timeout

    @property
    def ends_on_cancel(self) -> bool:
        return self._invoker.ends_on_cancel

    async def probe(self) -> Ready | NotReady:
        return await self._invoker.probe()

    async def invoke(self, invocation: Invocation) -> Reply:
        reply = await self._invoker.invoke(invocation)
        self._invoked(self._name, invocation, reply)
        return reply

    async def aclose(self) -> None:
        await self._invoker.aclose()


VISIBILITY = 0.2
"""Seconds after which a queue in memory shows a failed message again: short, because somebody waits."""


def memory_sources() -> MemorySources:
    """The fakes of one daemon."""
    return MemorySources(SystemClock(), VISIBILITY)
