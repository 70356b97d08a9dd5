"""Moves the messages of a dead-letter queue back: through the queue's own call where the endpoint has it, else by hand.

StartMessageMoveTask ──► looks at the task until it ends; broken off: the task is cancelled
by hand: receive ──► send ──► delete     in this order: a crash repeats a message, and loses none
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import anyio

from ...config.clients import faults
from ...config.clients.aws import Clients
from ...config.clients.endpoints import LocalEndpoint, is_aws
from ...config.clients.queue_urls import resolve, rewrite
from ...config.errors import HeadraceError, SourceError
from ..running.core.redrive import (
    FIFO,
    UNKNOWN,
    NoRoute,
    RedriveRoute,
    at_once,
    is_repetition,
    names_dead_letters,
    resent,
    route,
)

HIDDEN = 60
"""Seconds for which a message is hidden while it is moved."""
LOOK = 1.0
"""Seconds between two looks at a task."""
OVER = frozenset({"COMPLETED", "CANCELLED", "FAILED"})
MESSAGES = "ApproximateNumberOfMessages"
BROKEN_OFF = "it was broken off; the rest is still in the queue"


@dataclass(frozen=True, slots=True)
class Redriven:
    """How a move is, or how it ended."""

    moved: int
    whole: int | None
    """Messages at its begin, about; None where nobody says it."""
    trouble: str = ""
    """Why it ended before all were moved; empty when they were."""


@dataclass(frozen=True, slots=True)
class RedriveWish:
    """What somebody wants to be moved."""

    queue: str
    """Name, ARN or URL."""
    to: str = ""
    """The same; empty: where the messages came from."""
    rate: float | None = None
    """Messages a second at most."""


@dataclass(frozen=True, slots=True)
class FoundQueue:
    arn: str
    url: str
    waiting: int
    """Messages in it that can be received, about."""
    hidden: int = 0
    """Messages that somebody received, about: these come again, unless they are deleted."""


class Redriving:
    """One move."""

    def __init__(
        self, clients: Clients, wish: RedriveWish, tell: Callable[[Redriven], None], stop: anyio.Event
    ) -> None:
        """`tell` is called while it runs; `stop` is set when somebody breaks it off."""
        self._clients = clients
        self._wish = wish
        self._tell = tell
        self._stop = stop
        self._urls: dict[str, str] = {}

    async def open(self) -> tuple[FoundQueue, list[str], RedriveRoute]:
        """The queue, those whose dead-letter queue it is, and where its messages go. Raises HeadraceError."""
        self._client = await self._clients.get("sqs", region=_region_of(self._wish.queue))
        target = await self._clients.target("sqs")
        self._endpoint = target.url if isinstance(target, LocalEndpoint) else None
        self.queue = await self._find(self._wish.queue)
        sources = await self._sources()
        to = (await self._find(self._wish.to)).arn if self._wish.to else ""
        found = route(self.queue.arn, sources, to)
        if isinstance(found, NoRoute):
            raise HeadraceError(found.why)
        self._route = found
        self._runs = await self._running()
        return self.queue, sources, found

    @property
    def runs(self) -> bool:
        """Whether a task that somebody started before moves them already."""
        return bool(self._runs)

    async def run(self) -> Redriven:
        """Move them, or look at the task that does. Raises SourceError."""
        task = self._runs or await self._task()
        return await self._follow(task) if task is not None else await self._by_hand()

    # --- queues -----------------------------------------------------------------------------------------------------

    async def _find(self, named: str) -> FoundQueue:
        with faults.translating(f"find queue {named}"):
            url = await self._url(named)
            answer = await self._client.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
        attributes = answer.get("Attributes") or {}
        arn = str(attributes.get("QueueArn") or named)
        self._urls[arn] = url
        waiting, hidden = (int(attributes.get(f"{MESSAGES}{which}", 0)) for which in ("", "NotVisible"))
        return FoundQueue(arn, url, waiting, hidden)

    async def _url(self, named: str) -> str:
        if named.startswith(("http://", "https://")):
            return named
        if named.startswith("arn:"):
            if named not in self._urls:
                rewriting = self._clients.settings.rewrite_queue_urls
                self._urls[named] = await resolve(self._client, named, self._endpoint, rewriting)
            return self._urls[named]
        url = str((await self._client.get_queue_url(QueueName=named))["QueueUrl"])
        return rewrite(url, self._endpoint) if self._clients.settings.rewrite_queue_urls else url

    async def _sources(self) -> list[str]:
        """ARNs. Of an endpoint without the call, each queue is asked for its redrive policy."""
        found: list[str] = []
        more: dict[str, str] = {}
        while True:
            try:
                with faults.translating(f"list the sources of {self.queue.arn}"):
                    answer = await self._client.list_dead_letter_source_queues(QueueUrl=self.queue.url, **more)
            except SourceError as error:
                if self._lacks(error):
                    return await self._sources_by_policy()
                raise
            urls = [rewrite(str(url), self._endpoint) for url in answer.get("queueUrls") or []]
            found += [(await self._find(url)).arn for url in urls]
            if not answer.get("NextToken"):
                return found
            more = {"NextToken": answer["NextToken"]}

    async def _sources_by_policy(self) -> list[str]:
        with faults.translating("list the queues"):
            urls = (await self._client.list_queues()).get("QueueUrls") or []
            found = []
            for url in urls:
                here, names = rewrite(str(url), self._endpoint), ["RedrivePolicy", "QueueArn"]
                answer = await self._client.get_queue_attributes(QueueUrl=here, AttributeNames=names)
                attributes = answer.get("Attributes") or {}
                if names_dead_letters(attributes.get("RedrivePolicy"), self.queue.arn):
                    found.append(str(attributes["QueueArn"]))
        return found

    def _lacks(self, error: SourceError) -> bool:
        """Whether the endpoint does not have the call at all."""
        cause = error.__cause__
        ours = self._endpoint is not None and not is_aws(self._endpoint)
        return ours and cause is not None and faults.code(cause) in UNKNOWN

    # --- by a task --------------------------------------------------------------------------------------------------

    async def _task(self) -> str | None:
        """The handle of a task that moves them; None where the endpoint has none, and they are moved by hand."""
        more: dict[str, Any] = {"DestinationArn": self._route.to} if self._route.named else {}
        if self._wish.rate is not None:
            more["MaxNumberOfMessagesPerSecond"] = max(1, min(500, int(self._wish.rate)))
        try:
            with faults.translating(f"start to move the messages of {self.queue.arn}"):
                answer = await self._client.start_message_move_task(SourceArn=self.queue.arn, **more)
        except SourceError as error:
            if self._lacks(error):
                return None
            raise
        return str(answer.get("TaskHandle") or "")

    async def _running(self) -> str:
        """The handle of a task that runs; empty where none does, or the endpoint has none."""
        try:
            task = await self._newest()
        except SourceError as error:
            if self._lacks(error):
                return ""
            raise
        return str(task.get("TaskHandle") or "") if task.get("Status") == "RUNNING" else ""

    async def _newest(self) -> dict[str, Any]:
        with faults.translating(f"look at the move of {self.queue.arn}"):
            answer = await self._client.list_message_move_tasks(SourceArn=self.queue.arn, MaxResults=1)
        return next(iter(answer.get("Results") or []), {})

    async def _follow(self, handle: str) -> Redriven:
        while True:
            task = await self._newest()
            found = _as_redriven(task)
            self._tell(found)
            if task.get("Status") in OVER:
                return found
            if self._stop.is_set():
                return await self._cancelled(handle, found)
            with anyio.move_on_after(LOOK):
                await self._stop.wait()

    async def _cancelled(self, handle: str, found: Redriven) -> Redriven:
        with faults.translating(f"cancel the move of {self.queue.arn}"):
            await self._client.cancel_message_move_task(TaskHandle=handle)
        return Redriven(found.moved, found.whole, BROKEN_OFF)

    # --- by hand ----------------------------------------------------------------------------------------------------

    async def _by_hand(self) -> Redriven:
        """No more than there are now: what comes back meanwhile would be moved for ever."""
        whole, moved, empty = self.queue.waiting, 0, 0
        began = anyio.current_time()
        while moved < whole and empty < 2:
            await self._pace(began, moved)
            if self._stop.is_set():
                return Redriven(moved, whole, BROKEN_OFF)
            messages = await self._receive(at_once(whole - moved, self._wish.rate, HIDDEN))
            empty = 0 if messages else empty + 1
            for index, message in enumerate(messages):
                await self._pace(began, moved)
                trouble = BROKEN_OFF if self._stop.is_set() else await self._move(message)
                if trouble:
                    await self._give_back(messages[index:])
                    return Redriven(moved, whole, trouble)
                moved += 1
                self._tell(Redriven(moved, whole))
        return Redriven(moved, whole)

    async def _pace(self, began: float, moved: int) -> None:
        """Wait until the next message may be moved, or somebody breaks it off."""
        if self._wish.rate:
            with anyio.move_on_after(max(0.0, began + moved / self._wish.rate - anyio.current_time())):
                await self._stop.wait()

    async def _receive(self, limit: int) -> list[dict[str, Any]]:
        with faults.translating(f"receive from {self.queue.arn}"):
            answer = await self._client.receive_message(
                QueueUrl=self.queue.url,
                MaxNumberOfMessages=limit,
                WaitTimeSeconds=1,
                VisibilityTimeout=HIDDEN,
                AttributeNames=["All"],
                MessageAttributeNames=["All"],
            )
        return list(answer.get("Messages") or [])

    async def _move(self, message: dict[str, Any]) -> str:
        """Send, then delete. Returns why it cannot be moved; empty when it was."""
        to = self._route.of(message)
        if not to:
            return (
                f"message {message['MessageId']} does not say which queue it came from, and {self.queue.arn} is the "
                "dead-letter queue of several; name the queue with --to"
            )
        fifo, url = to.endswith(FIFO), await self._url(to)
        with faults.translating(f"send to {to}"):
            sent = await self._client.send_message(QueueUrl=url, **resent(message, fifo=fifo))
            if fifo and is_repetition(message, str(sent.get("MessageId"))):
                await self._client.send_message(QueueUrl=url, **resent(message, fifo=fifo, anew=True))
        with faults.translating(f"remove a message of {self.queue.arn}"):
            await self._client.delete_message(QueueUrl=self.queue.url, ReceiptHandle=message["ReceiptHandle"])
        return ""

    async def _give_back(self, messages: list[dict[str, Any]]) -> None:
        for message in messages:
            with faults.translating(f"give back to {self.queue.arn}"):
                await self._client.change_message_visibility(
                    QueueUrl=self.queue.url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
                )


def _as_redriven(task: dict[str, Any]) -> Redriven:
    moved = int(task.get("ApproximateNumberOfMessagesMoved") or 0)
    whole = task.get("ApproximateNumberOfMessagesToMove")
    trouble = str(task.get("FailureReason") or "the task failed") if task.get("Status") == "FAILED" else ""
    if task.get("Status") == "CANCELLED":
        trouble = "somebody cancelled the task; the rest is still in the queue"
    return Redriven(moved, None if whole is None else int(whole), trouble)


def _region_of(queue: str) -> str | None:
    return queue.split(":")[3] or None if queue.startswith("arn:") and queue.count(":") >= 5 else None
