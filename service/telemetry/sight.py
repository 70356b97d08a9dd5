"""The observer that keeps a model of each mapping: the one place in which events become what is seen of records."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...dispatch.core import observer as seen
from ...dispatch.core.model import FailedItems, FunctionFailed, Succeeded, Throttled, Unreachable
from ...pollers.core.lifecycle import PollState
from .core.flow import DocumentView, ErrorView, FlowView
from .core.mapping_model import Instant, MappingModel

STOPPING = PollState.STOPPING.value


class Sight:
    """By the mapping's name. `now` says what time it is."""

    def __init__(self, now: Callable[[], Instant]) -> None:
        self._now = now
        self._models: dict[str, MappingModel] = {}
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
            seen.Lagging: lambda model, event, _: [model.lagging(*each) for each in event.lags.items()],
            seen.Rebalanced: lambda model, event, _: model.lost(event.lost),
            seen.MappingChanged: lambda model, event, now: model.changed(over=event.state != STOPPING, now=now),
        }

    def observe(self, event: seen.Event) -> None:
        take = self._take.get(type(event))
        if take is not None:
            now = self._now()
            take(self._of(getattr(event, "mapping", ""), now), event, now)
        elif isinstance(event, seen.GateClosed):
            self._down.setdefault(event.function, self._now().wall)
        elif isinstance(event, seen.GateOpened):
            self._down.pop(event.function, None)

    def flow(self, mapping: str) -> FlowView:
        now = self._now()
        return self._of(mapping, now).flow(now)

    def failing(self, mapping: str) -> str:
        """As `MappingModel.failing`."""
        model = self._models.get(mapping)
        return model.failing(self._now()) if model else ""

    def down_since(self, function: str) -> float | None:
        """Since when the function cannot start: seconds since the epoch; None when it can."""
        return self._down.get(function)

    def forget(self, mapping: str) -> None:
        """The mapping is gone."""
        self._models.pop(mapping, None)

    def _of(self, mapping: str, now: Instant) -> MappingModel:
        model = self._models.get(mapping)
        if model is None:
            model = self._models[mapping] = MappingModel(now)
        return model


def _invoked(model: MappingModel, event: seen.Invoked, now: Instant) -> None:
    records = event.records
    attempt = event.outcome.attempt

    def error(kind: str, text: str) -> ErrorView:
        return ErrorView(text, attempt.request_id, kind, now.wall)

    match event.outcome:
        case Succeeded():
            model.succeeded(records)
        case FailedItems(ids=ids):
            text = f"the function named {len(ids)} of {len(records)} records as failed"
            model.failed(records, len(ids), error("items", text), now)
        case FunctionFailed(failure=failure, detail=detail):
            model.failed(records, len(records), error(failure.value, detail), now)
        case Throttled():
            model.held_off(records, error("throttled", event.outcome.said or "no room for the invocation"))
        case Unreachable(cause=cause, down=down):
            if down:  # the gate says so
                model.held_off(records, error("unreachable", cause.text))
            else:
                model.failed(records, len(records), error("unreachable", cause.text), now)


def _discarded(model: MappingModel, event: seen.Discarded, now: Instant) -> None:
    cause = event.cause.text if event.cause else ""
    model.discarded(DocumentView(now.wall, len(event.records), event.reason.value, event.destination, cause))
