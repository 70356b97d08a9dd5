"""The levers of positions: looks at them, moves them, forgets them, gives up on one record.

    put, remove ──► quiet: what is in flight ends, as for a pause ──► moved, in one transaction ──► the mapping goes on
    skip ─────────► the record's own delivery discards it, with its document, in its order

A position is never moved under a batch: nobody reads the source meanwhile, so nothing can commit over it, and tokens
from before are stale. What was in flight is told in the answer.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import anyio

from ...config.errors import ConfigError, SourceError
from ...config.mapping import EventSourceMapping
from ...pollers.core.wish import FORM, parse_wish
from ...pollers.positions import LanePositions, PositionRefused
from ..control.refusals import conflict, invalid_parameter
from ..telemetry.core.flow import FlowView
from ..telemetry.log import Action, Log
from .mappings import RunningMappings
from .pauses import unknown_mapping

Find = Callable[[EventSourceMapping], Awaitable[LanePositions | None]]
"""The positions of a mapping; None for a kind that has none. Raises ConfigError."""
NONE = "a queue has no positions"
OF_QUEUES = (
    f"{NONE}: a message that failed is in its queue again. Delete it there, or let the queue's redrive policy move it "
    "to a dead-letter queue"
)


class PositionLevers:
    """`changed` hears the UUID of a mapping that is to be at work, or not. `flow` shows what one has in flight."""

    def __init__(
        self,
        plant: RunningMappings,
        find: Find,
        changed: Callable[[str], None],
        flow: Callable[[str], FlowView],
        log: Log,
    ) -> None:
        self._plant = plant
        self._find = find
        self._changed = changed
        self._flow = flow
        self._log = log
        self._turns: defaultdict[str, anyio.Lock] = defaultdict(anyio.Lock)

    async def shown(self, name: str) -> dict[str, Any]:
        """Raises ApiError."""
        with _refusing():
            positions = await self._find(self._of(name))
            return {"mapping": name, "positions": await positions.shown() if positions else []}

    async def put(self, name: str, lane: str, to: str) -> dict[str, Any]:
        """Let the mapping go on there: in this lane, or in all of them (empty). Returns where it stands then, and what
        was in flight, which ended first. Raises ApiError, and StoreUnavailable; then nothing was moved."""
        wish = parse_wish(to)
        if wish is None:
            raise invalid_parameter(f"{to[:200]!r} is no place to go on: write {FORM}")
        return await self._moved(name, lane, f"set to {to}", lambda positions: positions.put(lane, wish))

    async def remove(self, name: str) -> dict[str, Any]:
        """Let the mapping begin again at its starting position. Returns and raises as `put` does."""
        return await self._moved(name, "", "removed", lambda positions: positions.remove())

    async def skip(self, name: str, lane: str, record: str) -> dict[str, Any]:
        """Give up on the record that holds up the lane, or on the one of that name there. Raises ApiError."""
        config = self._of(name)
        if config.profile.competing:
            raise conflict(OF_QUEUES)
        work = self._plant.work(name)
        skip = work.supervisor.skip(lane, record) if work else None
        if skip is None:
            what = f"record {record} of {lane}" if record else f"record of {lane or 'no lane'}"
            raise conflict(
                f"{name} has no {what[:300]} in a batch; only one that is tried can be skipped. "
                "`headrace status` shows the lanes; `headrace positions set` moves on"
            )
        when = "after its invocation, unless the function takes it" if skip.waits else "now"
        text = f"{name}: somebody gave up on {skip.record}; it is discarded {when}"
        self._log.warning(Action.POSITIONS, text, mapping=name, shard=lane, ids=[skip.record])
        return {"mapping": name, "lane": lane, "record": skip.record, "waits": skip.waits}

    def _of(self, name: str) -> EventSourceMapping:
        config = self._plant.config(name)
        if config is None:
            raise unknown_mapping(name)
        return config

    async def _moved(
        self, name: str, lane: str, what: str, move: Callable[[LanePositions], Awaitable[None]]
    ) -> dict[str, Any]:
        config = self._of(name)
        async with self._turns[config.uuid]:
            with _refusing():
                positions = await self._find(config)
                if positions is None:
                    raise conflict(OF_QUEUES)
                flow = self._flow(name)
                async with self._quiet(config):
                    await move(positions)
                    shown = await positions.shown()
            text = f"{name}: positions{f' of {lane}' if lane else ''} {what}"
            self._log.warning(Action.POSITIONS, text, mapping=name, shard=lane or None)
            return {"mapping": name, "positions": shown, "in_flight": flow.in_flight, "retrying": flow.retrying}

    @asynccontextmanager
    async def _quiet(self, config: EventSourceMapping) -> AsyncIterator[None]:
        """While the body runs, nobody reads the mapping's source, and nothing of it is in flight."""
        self._plant.held.add(config.uuid)
        try:
            self._changed(config.uuid)
            while self._plant.work(config.name) is not None:
                changed = self._plant.changes.next()
                if self._plant.work(config.name) is not None:
                    await changed.wait()
            yield
        finally:
            self._plant.held.discard(config.uuid)
            self._changed(config.uuid)


@contextmanager
def _refusing() -> Iterator[None]:
    """Errors of sources, and of what is wanted, as refusals of a call."""
    try:
        yield
    except PositionRefused as error:
        raise invalid_parameter(str(error)) from error
    except (SourceError, ConfigError) as error:
        raise conflict(str(error)) from error
