"""`headrace redrive`: moves the messages of a dead-letter queue back to where they came from."""

from __future__ import annotations

import argparse
import signal
from collections.abc import Sequence
from typing import TYPE_CHECKING

import anyio

from ....config.clients.aws import AwsSettings, Clients
from ....config.errors import HeadraceError
from ....config.fields.spoken import counted
from ...running.core.redrive import RedriveRoute
from ...wiring.exits import Exit, UsageError
from ...wiring.redriving import HIDDEN, FoundQueue, Redriven, RedriveWish, Redriving
from .asking import confirmed
from .configs import default, read_config
from .progress import ProgressLine
from .tables import show, tell

if TYPE_CHECKING:
    from ....dispatch.core.observer import Observer


def run(arguments: argparse.Namespace, observers: Sequence[Observer]) -> int:
    if arguments.rate is not None and arguments.rate <= 0:
        raise UsageError("--rate is a number of messages a second, above 0")
    config = read_config(arguments.config or default(), arguments)
    settings = AwsSettings(**config.settings.aws.arguments())
    wish = RedriveWish(arguments.queue, arguments.to or "", arguments.rate)
    return anyio.run(_run, settings, wish, bool(arguments.yes))


async def _run(settings: AwsSettings, wish: RedriveWish, yes: bool) -> int:
    stop, line = anyio.Event(), ProgressLine()

    def tell_progress(found: Redriven) -> None:
        whole = f" of about {found.whole}" if found.whole else ""
        line.tell(f"{counted(found.moved, 'message')}{whole} moved", found.moved, found.whole)

    async with Clients(settings) as clients:
        redriving = Redriving(clients, wish, tell_progress, stop)
        queue, sources, route = await redriving.open()
        _tell_plan(queue, sources, route, redriving)
        if not redriving.runs and not confirmed("Move them?", yes=yes):
            tell("nothing was done")
            return Exit.FAILURE
        try:
            found = await _until_signal(redriving, stop)
        finally:
            line.end()
    show(f"moved {counted(found.moved, 'message')} of {queue.arn}")
    if found.trouble:
        tell(f"headrace: {found.trouble}")
    if stop.is_set():
        return Exit.INTERRUPTED
    return Exit.FAILURE if found.trouble else Exit.OK


def _tell_plan(queue: FoundQueue, sources: Sequence[str], route: RedriveRoute, redriving: Redriving) -> None:
    if redriving.runs:
        tell(f"a task that was started before moves the messages of {queue.arn}; this shows how far it is")
        return
    where = route.to or "the queues that they came from: " + ", ".join(sources)
    tell(f"about {counted(queue.waiting, 'message')} of {queue.arn} go to {where}")
    if queue.hidden:
        tell(
            f"about {counted(queue.hidden, 'message')} more cannot be moved now: another reader has them, or a "
            f"redrive that was broken off less than {HIDDEN} s ago; run it again when they are back"
        )


async def _until_signal(redriving: Redriving, stop: anyio.Event) -> Redriven:
    async def heard() -> None:
        with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            async for _ in signals:
                stop.set()

    found, failure = None, None
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(heard)
        try:
            found = await redriving.run()
        except HeadraceError as error:  # what leaves the group would be a group of errors
            failure = error
        tasks.cancel_scope.cancel()
    if failure is not None:
        raise failure
    assert found is not None
    return found
