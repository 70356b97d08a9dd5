"""The shipped fake: queues and streams in memory, behind the protocols that the real sources fulfil.

For tests on virtual time and for trying things out. `tests/contract/` holds it to the same words as the real ones.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf

import anyio
import anyio.lowlevel

from ...config.clock import Clock
from ...config.errors import SourceError, SourceMissing
from ...dispatch.core.model import FateKind, Lane, Record, Settlement
from ...dispatch.core.pages import Records
from ...dispatch.kinds.sqs import sqs_item
from ..core.mark import Mark
from ..source import FetchResult, Owner, Roster
from ..sqs.core.scaling import receivers

LONG_POLL = 20.0


@dataclass(slots=True, eq=False)
class Message:
    """A message of a `MemoryQueue`."""

    id: str
    body: str
    group: str | None = None
    sent: float = 0.0
    visible_at: float = 0.0
    receives: int = 0
    receipt: str = ""


@dataclass(slots=True)
class MemoryQueue:
    """A queue with SQS's rules: visibility, receive counts, redrive, message groups in order."""

    arn: str
    clock: Clock
    visibility: float = 30.0
    fifo: bool = False
    max_receives: int | None = None
    """maxReceiveCount of the redrive policy; None for no redrive."""
    exists: bool = True
    broken: SourceError | None = None
    """Raised by every call while it is set."""
    messages: list[Message] = field(default_factory=list)
    dead: list[Message] = field(default_factory=list)
    """The messages that the redrive policy moved away."""
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    _sent: anyio.Event = field(default_factory=anyio.Event)

    def send(self, body: str, group: str | None = None) -> str:
        message = Message(f"message-{next(self._numbers)}", body, group, sent=self.clock.wall())
        self.messages.append(message)
        self.wake()
        return message.id

    def wake(self) -> None:
        sent, self._sent = self._sent, anyio.Event()
        sent.set()

    def check(self) -> None:
        if self.broken is not None:
            raise self.broken
        if not self.exists:
            raise SourceMissing(f"queue {self.arn} does not exist")

    def receive(self, limit: int, visibility: float) -> list[Message]:
        """Up to `limit` visible messages, lent for `visibility` seconds."""
        now = self.clock.monotonic()
        taken: list[Message] = []
        locked = {m.group for m in self.messages if m.group is not None and m.visible_at > now}
        for message in tuple(self.messages):
            if len(taken) == limit:
                break
            if message.visible_at > now or (self.fifo and message.group in locked):
                continue
            if self.max_receives is not None and message.receives >= self.max_receives:
                self.messages.remove(message)
                self.dead.append(message)
                continue
            message.receives += 1
            message.visible_at = now + visibility
            message.receipt = f"{message.id}#{message.receives}"
            taken.append(message)
        return taken

    async def wait_visible(self, until: float) -> None:
        """Until a message may be there: one was sent, or one became visible again."""
        now = self.clock.monotonic()
        soonest = min((m.visible_at for m in self.messages if m.visible_at > now), default=inf)
        with anyio.move_on_after(max(0.0, min(until, soonest) - now)):
            await self._sent.wait()

    def lent(self, record: Record) -> Message | None:
        """The message that this receipt still stands for."""
        return next((m for m in self.messages if m.receipt == record.token), None)


class MemoryQueueSource:
    """A mapping's view of a `MemoryQueue`."""

    lent = True
    patience = inf

    def __init__(
        self, queue: MemoryQueue, receivers: int = 1, windowed: bool = False, long_poll: float | None = None
    ) -> None:
        """`long_poll`: seconds of an empty poll, for which a stop waits; None for the usual."""
        self._long_poll = long_poll
        self._queue = queue
        self._receivers = receivers
        self._windowed = windowed

    async def open(self) -> Roster:
        self._queue.check()
        return receivers(self._receivers, 1, windowed=self._windowed)

    async def watch(self, changed: Callable[[], None]) -> None:
        """Receivers come and go with what they receive."""

    async def reader(self, feed: str) -> MemoryQueueReceiver:
        return MemoryQueueReceiver(self._queue, windowed=self._windowed, long_poll=self._long_poll)

    async def empty(self) -> bool:
        self._queue.check()
        return not self._queue.messages

    async def aclose(self) -> None:
        """Nothing to close."""


class MemoryQueueReceiver:
    """One receiver of a `MemoryQueue`."""

    window = None

    def __init__(self, queue: MemoryQueue, *, windowed: bool, long_poll: float | None = None) -> None:
        self._long_poll = long_poll
        self._queue = queue
        self._windowed = windowed
        self.lane = Lane(queue.arn)

    def attach(self, owner: Owner) -> None:
        """Nobody takes its lane away."""

    async def fetch(self, limit: int, until: float | None, skip: Collection[Lane] = ()) -> FetchResult:
        queue = self._queue
        now = queue.clock.monotonic()
        end = now + (LONG_POLL if self._long_poll is None else self._long_poll)
        end = end if until is None else min(until, end)
        count = min(limit, 10)
        await anyio.lowlevel.checkpoint()  # a call takes a moment, in which everybody else has a turn
        while True:
            queue.check()
            if taken := queue.receive(count, queue.visibility):
                return FetchResult(Records.of(map(self._record, taken)), full=len(taken) == count)
            if queue.clock.monotonic() >= end:
                return FetchResult()
            await queue.wait_visible(end)

    async def hold(self, records: Sequence[Record], until: float) -> float:
        self._queue.check()
        for record in records:
            if (message := self._queue.lent(record)) is not None:
                message.visible_at = until
        return until

    async def settle(self, settlements: Sequence[Settlement]) -> Collection[Record]:
        if self._queue.broken is not None or not self._queue.exists:
            return [record for settlement in settlements for record in settlement.records]
        for settlement in settlements:
            if settlement.fate.kind in {FateKind.DELIVERED, FateKind.FILTERED, FateKind.DISCARDED}:
                gone = {id(self._queue.lent(record)) for record in settlement.records}
                self._queue.messages[:] = [m for m in self._queue.messages if id(m) not in gone]
        self._queue.wake()
        return ()

    async def release(self, records: Sequence[Record]) -> None:
        for record in records:
            if (message := self._queue.lent(record)) is not None:
                message.visible_at = self._queue.clock.monotonic()
        self._queue.wake()

    async def commit(self, marks: Mapping[Lane, Mark]) -> None:
        """A queue has no position."""

    async def aclose(self) -> None:
        """Nothing to close."""

    def _record(self, message: Message) -> Record:
        attributes = {
            "ApproximateReceiveCount": str(message.receives),
            "SentTimestamp": str(int(message.sent * 1000)),
            **({"MessageGroupId": message.group} if message.group is not None else {}),
        }
        raw = {
            "MessageId": message.id,
            "ReceiptHandle": message.receipt,
            "Body": message.body,
            "Attributes": attributes,
        }
        return Record(
            lane=Lane(self._queue.arn),
            id=message.id,
            item=sqs_item(raw, arn=self._queue.arn, region="us-east-1", windowed=self._windowed),
            arrived=message.sent,
            key=message.group,
            token=message.receipt,
            held_until=message.visible_at,
        )
