"""The daemon as a program that ends at a named point of a start that may go wrong.

`python start_kill_daemon.py run CONFIG…` with END_AT=`Woken` and END_BY=`SIGKILL` or `SIGTERM` ends when it is there:

    Asked        the queue has said whether it has messages
    Woken        a gate that rested is to find out whether its function starts
    Probing      a function is being tried
    GateClosed   it cannot start
    GateOpened   it can, and nobody has received anything for it
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import ExitStack
from unittest.mock import patch

from headrace.dispatch.core.gate import GateState, GateStep
from headrace.dispatch.core.observer import Event
from headrace.dispatch.permits import Gate
from headrace.pollers.sqs.source import SqsSource
from headrace.service.cli.main import main

POINTS = ("Asked", "Woken", "Probing", "GateClosed", "GateOpened")


class Ender:
    """Sends this process its signal, once."""

    def __init__(self, point: str, name: str) -> None:
        self._point = point
        self._name = name

    def observe(self, event: Event) -> None:
        self.passed(type(event).__name__)

    def passed(self, point: str) -> None:
        if point == self._point:
            self._point = ""
            os.kill(os.getpid(), signal.Signals[self._name])


def run(ender: Ender) -> int:
    """The command line, with a queue and a gate that tell the ender what they do."""
    ask, wake, probe = SqsSource.empty, Gate.wake, GateState.probe

    async def asked(self: SqsSource) -> bool:
        empty = await ask(self)
        ender.passed("Asked")
        return empty

    def woken(self: Gate) -> None:
        wake(self)
        ender.passed("Woken")

    def probing(self: GateState, now: float) -> GateStep:
        step = probe(self, now)
        if step.number is not None:
            ender.passed("Probing")
        return step

    with ExitStack() as stack:
        stack.enter_context(patch.object(SqsSource, "empty", asked))
        stack.enter_context(patch.object(Gate, "wake", woken))
        stack.enter_context(patch.object(GateState, "probe", probing))
        return main(sys.argv[1:], observers=[ender])


if __name__ == "__main__":
    sys.exit(run(Ender(os.environ.get("END_AT", ""), os.environ.get("END_BY", ""))))
