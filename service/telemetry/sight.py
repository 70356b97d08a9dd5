"""The observer that keeps a model of each mapping: the one place in which events become what is seen of records."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio
import anyio.lowlevel

from ...dispatch.core import observer as seen
from ...dispatch.core.model import FailedItems, FateKind, FunctionFailed, Succeeded, Throttled, Unreachable
from ...dispatch.core.pages import Records
from ...pollers.core.lifecycle import PollState
from .core.flow import DocumentView, ErrorView, FlowView
from .core.function_models import FunctionModels, FunctionWork
from .core.history import STEP, History
from .core.journal import Journal, JournalEntry, Journals
from .core.journal_payloads import JournalPayloads
from .core.mapping_model import ERROR_LENGTH, Instant, MappingModel

STOPPING = PollState.STOPPING.value
RECORDS = 10_000
"""That a mapping's journal remembers."""


class Sight:
    """By the mapping's name. `now` says what time it is; `records` of each mapping are remembered in its journal, with
    what they hold where `payloads` are wanted."""

    def __init__(self, now: Callable[[], Instant], records: int = RECORDS, *, payloads: bool = False) -> None:
        self._now = now
        self.journals = Journals(records)
        self.payloads = JournalPayloads() if payloads and records else None
        self._models: dict[str, MappingModel] = {}
        self._functions = FunctionModels()
        self._down: dict[str, float] = {}
        """Functions that cannot start, and since when: seconds since the epoch."""
        self._take: dict[type, Callable[[MappingModel, Any, Instant], object]] = {
            seen.Fetched: lambda model, event, now: model.fetched(len(event.records), now),
            seen.Filtered: lambda model, event, now: model.filtered(len(event.records), now),
            seen.Invoking: lambda model, event, now: model.invoking(event.records, event.request_id, event.age, now),
            seen.Invoked: _invoked,
            seen.Retrying: lambda model, event, now: model.retrying(event.records, event.attempt, event.delay, now),
            seen.Bisected: lambda model, event, _: model.halved(event.records),
            seen.Settled: lambda model, event, now: model.settled(event.settlements, now),
            seen.Discarded: _discarded,
            seen.Blocked: lambda model, event, now: model.blocked(event.lane, now),
            seen.Lagging: lambda model, event, _: model.lagging(event.lags),
            seen.Rebalanced: lambda model, event, _: model.lost(event.lost),
            seen.MappingChanged: lambda model, event, now: model.changed(over=event.state != STOPPING, now=now),
        }

    def observe(self, event: seen.Event) -> None:
        take = self._take.get(type(event))
        if take is not None:
            now = self._now()
            take(self._of(getattr(event, "mapping", ""), now), event, now)
            if isinstance(event, seen.Invoked | seen.Settled):
                self._write(event, now)
            if isinstance(event, seen.Invoked):
                self._functions.invoked(event.function, event.seconds, failed=not isinstance(event.outcome, Succeeded))
            if self.payloads is not None and isinstance(event, seen.Filtered | seen.Settled):
                self._keep(self.payloads, event)
        elif isinstance(event, seen.EnvironmentStarted):
            self._functions.started(event.function, event.seconds)
        elif isinstance(event, seen.EnvironmentsEnded):
            self._functions.ended(event.function, event.number)
        elif isinstance(event, seen.GateClosed):
            self._down.setdefault(event.function, self._now().wall)
        elif isinstance(event, seen.GateOpened):
            self._down.pop(event.function, None)

    def flow(self, mapping: str) -> FlowView:
        now = self._now()
        return self._of(mapping, now).flow(now)

    def failing(self, mapping: str) -> str:
        """The answer of `MappingModel.failing`."""
        model = self._models.get(mapping)
        return model.failing(self._now()) if model else ""

    def history(self, mapping: str) -> History | None:
        """None for a mapping of which nothing is known."""
        model = self._models.get(mapping)
        return model.history if model else None

    async def run(self) -> None:
        """Take the samples of the histories, until cancelled."""
        while True:
            await anyio.sleep(STEP)
            for model in list(self._models.values()):
                model.sample(self._now())
                await anyio.lowlevel.checkpoint()  # a thousand of them hold up nobody

    def work(self, function: str) -> FunctionWork:
        """What is known of a function, by its name, with or without a version or alias."""
        return self._functions.work(function)

    def down_since(self, function: str) -> float | None:
        """Since when the function cannot start: seconds since the epoch; None when it can."""
        return self._down.get(function)

    def forget(self, mapping: str) -> None:
        """The mapping is gone."""
        self._models.pop(mapping, None)
        self.journals.forget(mapping)
        if self.payloads is not None:
            self.payloads.forget(mapping)

    def _write(self, event: seen.Invoked | seen.Settled, now: Instant) -> None:
        journal = self.journals.of(event.mapping)
        if journal is None:
            return
        if isinstance(event, seen.Invoked):
            error = _error_of(event, now)
            ids, is_new = _shared(journal, event.records)
            first = error.text.partition("\n")[0][:ERROR_LENGTH]
            lane, request = _lane_of(event.records), event.outcome.attempt.request_id
            seconds = round(event.seconds, 3)
            entry = JournalEntry(now.wall, "invoked", lane, ids, error.kind, request, first, seconds)
            journal.put(entry, is_new=is_new)
        else:
            for settlement in event.settlements:
                ids, is_new = _shared(journal, settlement.records)
                fate, reason = settlement.fate.kind.value, settlement.fate.reason
                detail = reason.value if reason else ""
                lane = _lane_of(settlement.records)
                journal.put(JournalEntry(now.wall, fate, lane, ids, detail), is_new=is_new)
        self.journals.settle()

    @staticmethod
    def _keep(payloads: JournalPayloads, event: seen.Filtered | seen.Settled) -> None:
        """What a filter refused is looked at before its sheet lets go what it was made of."""
        if isinstance(event, seen.Filtered):
            payloads.put(event.mapping, event.records.names, event.records.bodies)
            return
        for settlement in event.settlements:
            if settlement.fate.kind is not FateKind.FILTERED:
                payloads.put(event.mapping, settlement.records.names, settlement.records.bodies)

    def _of(self, mapping: str, now: Instant) -> MappingModel:
        model = self._models.get(mapping)
        if model is None:
            model = self._models[mapping] = MappingModel(now)
        return model


def _shared(journal: Journal, records: Records) -> tuple[tuple[str, ...], bool]:
    return journal.share(records.ends, lambda: records.names)


def _invoked(model: MappingModel, event: seen.Invoked, now: Instant) -> None:
    records, error = event.records, _error_of(event, now)
    match event.outcome:
        case Succeeded():
            model.succeeded(records)
        case FailedItems(ids=ids):
            model.failed(records, len(ids), error, now)
        case Throttled() | Unreachable(down=True):  # of a function that is down, its gate says so
            model.held_off(records, error)
        case _:
            model.failed(records, len(records), error, now)


def _error_of(event: seen.Invoked, now: Instant) -> ErrorView:
    """How an invocation ended; without a text when all went well."""
    request_id = event.outcome.attempt.request_id
    match event.outcome:
        case Succeeded():
            return ErrorView("", request_id, "success", now.wall)
        case FailedItems(ids=ids):
            text = f"the function named {len(ids)} of {len(event.records)} records as failed"
            return ErrorView(text, request_id, "items", now.wall)
        case FunctionFailed(failure=failure, detail=detail):
            return ErrorView(detail, request_id, failure.value, now.wall)
        case Throttled(said=said):
            return ErrorView(said or "no room for the invocation", request_id, "throttled", now.wall)
        case Unreachable(cause=cause):
            return ErrorView(cause.text, request_id, "unreachable", now.wall)


def _lane_of(records: Records) -> str:
    """The shard, or else the source, of the first record."""
    lane = records.pages[0].lane if records else None
    return (lane.shard or lane.source) if lane else ""


def _discarded(model: MappingModel, event: seen.Discarded, now: Instant) -> None:
    cause = event.cause.text if event.cause else ""
    model.discarded(DocumentView(now.wall, len(event.records), event.reason.value, event.destination, cause))
