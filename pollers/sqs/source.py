"""SQS queues, standard and FIFO. Owns every SQS call that a mapping makes; does not know functions.

A received message is only invisible: it comes back when its visibility timeout passes. So there are no positions;
DELIVERED, FILTERED and DISCARDED messages are deleted, all others are left to the queue, which also does its own
redrive.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import anyio

from ...config.clients import faults
from ...config.clients.queue_urls import resolve
from ...config.clock import Clock, Jitter
from ...config.errors import SourceError, SourceMissing, SourceRefused, SourceUnavailable
from ...config.fields.arn import Arn
from ...dispatch.core.backoff import Backoff
from ...dispatch.core.model import FateKind, Lane, Record, Settlement
from ...dispatch.core.pages import Records
from ...dispatch.kinds.sqs import sqs_item
from ..core.mark import Mark
from ..source import FetchResult, Owner, Roster
from .core import batch_answers
from .core.scaling import receivers

RECEIVE_LIMIT = 10
"""Messages per ReceiveMessage, and entries per batch call: SQS's own limit."""
LONG_POLL = 20
"""Seconds of a long poll: SQS's own limit, and what costs least where requests are paid for."""
LOCAL_POLL = 5
"""Seconds of a long poll at an emulator. A stop waits for the polls under way, because an emulator continues a poll
whose client has gone, and makes a message invisible that nobody received."""
UNKNOWN_TIMEOUT = 3.0
"""Seconds that a function without a timeout of its own is expected to take: AWS's default. Messages are held for longer
while it runs, but nothing holds those that wait for the end of a window."""
HOLD_LIMIT = 43_200
"""Seconds that a message can stay invisible after its receive: SQS's own limit."""
ATTRIBUTES_FRESH_FOR = 60.0
"""Seconds after which the queue's visibility timeout is read again, in case it was changed."""
ANSWER = 4.0
"""Seconds beyond its long poll for which the queue's silence is none."""
DELETE_ATTEMPTS = 5
CALL_BACKOFF = Backoff(base=0.2, cap=2.0)
"""Between attempts of a delete."""
REPLY_BYTES = 1_000_000
"""About how large the reply of a receive may be: parsing a larger one would hold up every other mapping."""
CONCURRENT_CALLS = 5
"""Batch calls in flight when a large batch is settled."""
COUNTS = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)
"""Attributes of a queue that together count its messages."""
GONE = frozenset({FateKind.DELIVERED, FateKind.FILTERED, FateKind.DISCARDED})
"""Fates whose messages are deleted."""

Connect = Callable[[], Awaitable[Any]]
"""Gives the shared SQS client."""


@dataclass(frozen=True, slots=True)
class QueueSettings:
    """A mapping's settings for its queue."""

    arn: Arn
    window: float
    """MaximumBatchingWindowInSeconds."""
    function_timeout: float | None
    """Seconds; None for no limit."""
    receivers: int
    """The most receivers at a time."""
    endpoint_url: str | None = None
    """The configured endpoint, to which queue URLs are rewritten."""
    rewrite_urls: bool = True
    long_poll: int = LONG_POLL
    """Seconds that one receive waits for messages at most."""
    least_receivers: int = 1
    """The number of receivers while no messages come."""


def visibility_to_ask(queue: float, window: float, function_timeout: float | None) -> int | None:
    """The VisibilityTimeout of a receive, None to leave it to the queue.

    A windowed batch may wait almost the whole window and then run for the function's timeout: where the queue's own
    visibility timeout does not cover that, AWS asks for window + timeout + 30 s (Lambda developer guide, 2023).
    """
    if window <= 0:
        return None
    covered = window + (UNKNOWN_TIMEOUT if function_timeout is None else function_timeout)
    return None if queue >= covered else min(HOLD_LIMIT, math.ceil(covered + 30))


class SqsSource:
    """One mapping's queue."""

    lent = True

    @property
    def patience(self) -> float:
        return self._settings.long_poll + ANSWER

    def __init__(self, settings: QueueSettings, connect: Connect, clock: Clock, jitter: Jitter) -> None:
        self._settings = settings
        self._connect = connect
        self._clock = clock
        self._jitter = jitter
        self._arn, self._region, self._windowed = str(settings.arn), settings.arn.region, settings.window > 0
        self.lane = Lane(self._arn)
        self._url = ""
        self._visibility = 30.0
        self._typical = 1
        self._read_at = -math.inf

    async def open(self) -> Roster:
        client = await self._connect()
        settings = self._settings
        try:
            self._url = await resolve(client, str(settings.arn), settings.endpoint_url, settings.rewrite_urls)
        except KeyError as error:
            unlike = "the endpoint answers, but not as SQS does: is it the address of an AWS-like API?"
            raise SourceUnavailable(f"queue {settings.arn}: {unlike}") from error
        except Exception as error:
            raise faults.translate(error, f"queue {settings.arn}") from error
        await self._read_attributes()
        await self.visibility()
        return receivers(settings.receivers, settings.least_receivers, windowed=settings.window > 0)

    async def watch(self, changed: Callable[[], None]) -> None:
        """Receivers come and go with what they receive."""

    async def reader(self, feed: str) -> SqsReceiver:
        return SqsReceiver(self)

    async def empty(self) -> bool:
        attributes = await self._attributes(*COUNTS)
        return all(str(attributes.get(name)) == "0" for name in COUNTS)  # a missing count may be any number

    async def aclose(self) -> None:
        """Nothing of its own to close: the client is shared."""

    # --- what receivers use -----------------------------------------------------------------------------------------

    async def visibility(self) -> tuple[int | None, float]:
        """The VisibilityTimeout to ask for, and the one that then holds, in seconds."""
        if self._clock.monotonic() - self._read_at > ATTRIBUTES_FRESH_FOR:
            await self._read_attributes()
        asked = visibility_to_ask(self._visibility, self._settings.window, self._settings.function_timeout)
        visibility = self._visibility if asked is None else asked
        if (
            visibility < 1
        ):  # every receive would be over at once, and the next one begin: for ever, without an invocation
            what = "has a visibility timeout of 0 s, so that no message is ever ours"
            raise SourceRefused(f"queue {self._settings.arn} {what}: set it to the function's timeout at least")
        return asked, visibility

    async def call(self, operation: str, **parameters: Any) -> dict[str, Any]:
        """One SQS call on this queue; failures become SourceErrors."""
        client = await self._connect()
        try:
            reply: dict[str, Any] = await getattr(client, operation)(QueueUrl=self._url, **parameters)
        except Exception as error:
            raise faults.translate(error, f"{operation} on {self._settings.arn}") from error
        return reply

    def record(self, message: Mapping[str, Any], held_until: float) -> Record:
        item = sqs_item(message, arn=self._arn, region=self._region, windowed=self._windowed)
        attributes = message.get("Attributes", {})
        return Record(
            lane=self.lane,
            id=message["MessageId"],
            item=item,
            arrived=int(attributes.get("SentTimestamp", self._clock.wall() * 1000)) / 1000,
            key=attributes.get("MessageGroupId"),
            token=message["ReceiptHandle"],
            held_until=held_until,
        )

    def receive_limit(self, limit: int) -> int:
        """How many messages to ask for, by the size of those that came last."""
        return max(1, min(limit, RECEIVE_LIMIT, REPLY_BYTES // self._typical))

    def received(self, messages: Sequence[Mapping[str, Any]]) -> None:
        self._typical = max(1, sum(len(message["Body"]) for message in messages) // len(messages))

    @property
    def clock(self) -> Clock:
        return self._clock

    @property
    def fifo(self) -> bool:
        return self._settings.arn.is_fifo

    @property
    def long_poll(self) -> int:
        return self._settings.long_poll

    def delay(self, failures: int) -> float:
        """Seconds before a call is tried again."""
        return CALL_BACKOFF.delay(failures, self._jitter())

    async def _read_attributes(self) -> None:
        attributes = await self._attributes("VisibilityTimeout")
        self._visibility = float(attributes.get("VisibilityTimeout", 30))
        self._read_at = self._clock.monotonic()

    async def _attributes(self, *names: str) -> dict[str, str]:
        reply = await self.call("get_queue_attributes", AttributeNames=list(names))
        attributes: dict[str, str] = reply.get("Attributes", {})
        return attributes


class SqsReceiver:
    """One receiver of a queue: long polls, and settles what it received."""

    window = None

    def __init__(self, queue: SqsSource) -> None:
        self._queue = queue
        self.lane = queue.lane
        self._clock = queue.clock

    def attach(self, owner: Owner) -> None:
        """Nobody takes its lane away."""

    async def fetch(self, limit: int, until: float | None, skip: Collection[Lane] = ()) -> FetchResult:
        asked, visibility = await self._queue.visibility()
        count = self._queue.receive_limit(limit)
        parameters: dict[str, Any] = {} if asked is None else {"VisibilityTimeout": asked}
        started = self._clock.monotonic()
        longest = self._queue.long_poll
        wait = longest if until is None else int(max(0.0, min(longest, until - started)))
        reply = await self._queue.call(
            "receive_message",
            MaxNumberOfMessages=count,
            WaitTimeSeconds=wait,
            AttributeNames=["All"],
            MessageAttributeNames=["All"],
            **parameters,
        )
        messages = reply.get("Messages") or []
        if messages:
            self._queue.received(messages)
        else:
            await self._rest(started, wait, until)
        # Counted from the reply: a message of a long poll is lent at its end, and loopback makes the difference small.
        held_until = self._clock.monotonic() + visibility
        records = Records.of(self._queue.record(message, held_until) for message in messages)
        return FetchResult(records, full=len(records) == count)

    async def _rest(self, started: float, wait: int, until: float | None) -> None:
        """After an empty poll: wait out the fraction of a second that a long poll cannot express, and do not spin on a
        server that answers long polls at once."""
        now = self._clock.monotonic()
        if wait and now - started < wait / 2:
            await anyio.sleep(min(1.0, wait / 2))
        elif not wait and until is not None and until > now:
            await anyio.sleep(until - now)

    async def hold(self, records: Sequence[Record], until: float) -> float:
        seconds = min(HOLD_LIMIT, max(0, math.ceil(until - self._clock.monotonic())))
        reached = self._clock.monotonic() + seconds
        lost: list[Record] = []
        refused = await self._for_each_ten(records, lambda part: self._change_visibility(part, seconds, lost))
        # A message that is not ours any more (the function deleted it itself) is no reason to let go of the others.
        held = not refused and len(lost) < len(records)
        return reached if held else min(record.held_until for record in refused or records)

    async def settle(self, settlements: Sequence[Settlement]) -> Collection[Record]:
        gone = [record for each in settlements if each.fate.kind in GONE for record in each.records]
        return await self._for_each_ten(gone, self._delete)

    async def release(self, records: Sequence[Record]) -> None:
        if not self._queue.fifo:
            await self._for_each_ten(records, lambda part: self._change_visibility(part, 0, []))
            return
        # One call after the other: a message group is to be handed out again in its own order.
        for start in range(0, len(records), RECEIVE_LIMIT):
            await self._change_visibility(records[start : start + RECEIVE_LIMIT], 0, [])

    async def commit(self, marks: Mapping[Lane, Mark]) -> None:
        """A queue has no position."""

    async def aclose(self) -> None:
        """Nothing of its own to close."""

    async def _for_each_ten(
        self, records: Sequence[Record], call: Callable[[Sequence[Record]], Awaitable[list[Record]]]
    ) -> list[Record]:
        """Apply a batch call to all records, ten at a time; the records it was refused for."""
        if len(records) <= RECEIVE_LIMIT:  # most batches: no task for one call
            return await call(records) if records else []
        refused: list[Record] = []
        limiter = anyio.Semaphore(CONCURRENT_CALLS)

        async def one(part: Sequence[Record]) -> None:
            async with limiter:
                refused.extend(await call(part))

        async with anyio.create_task_group() as tasks:
            for start in range(0, len(records), RECEIVE_LIMIT):
                tasks.start_soon(one, records[start : start + RECEIVE_LIMIT])
        return refused

    async def _delete(self, records: Sequence[Record]) -> list[Record]:
        """Delete up to ten messages, trying again those that failed for the queue's own reasons."""
        left = list(records)
        hopeless: list[Record] = []

        async def attempt() -> bool:
            nonlocal left
            try:
                reply = await self._queue.call("delete_message_batch", Entries=_entries(left))
            except SourceMissing:
                hopeless.extend(left)
                left = []
                return False
            except SourceError:
                return True
            answer = batch_answers.read(reply, len(left))
            hopeless.extend(left[number] for number in sorted(answer.refused))
            left = [left[number] for number in sorted(answer.again)]
            return bool(left)

        attempts = 1
        while await attempt() and attempts < DELETE_ATTEMPTS:
            await anyio.sleep(self._queue.delay(attempts))
            attempts += 1
        return [*hopeless, *left]  # the caller reports them

    async def _change_visibility(self, records: Sequence[Record], seconds: int, lost: list[Record]) -> list[Record]:
        """The records for which it may be tried again; those for which it never works are put into `lost`."""
        entries = [{**entry, "VisibilityTimeout": seconds} for entry in _entries(records)]
        try:
            reply = await self._queue.call("change_message_visibility_batch", Entries=entries)
        except SourceError:
            return list(records)
        answer = batch_answers.read(reply, len(records))
        lost.extend(records[number] for number in sorted(answer.refused))
        return [records[number] for number in sorted(answer.again)]


def _entries(records: Sequence[Record]) -> list[dict[str, Any]]:
    return [{"Id": str(number), "ReceiptHandle": record.token} for number, record in enumerate(records)]
