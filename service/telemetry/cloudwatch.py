"""Puts the metrics that mappings ask for to the endpoint's CloudWatch, once a minute, beside the mappings.

Real AWS takes no metrics in its own namespace `AWS/Lambda` from its users, so nothing is put there.
"""

from __future__ import annotations

from typing import Any

import anyio

from ...config.clients import faults
from ...config.clients.aws import Clients
from ...config.clients.endpoints import LocalEndpoint
from ...config.clock import Clock
from ...config.errors import ConfigError, SourceError
from ...config.mapping import EventSourceMapping
from .core.event_counts import GROUP, CountedMapping, EventCount, EventCounts, names_of
from .log import Action, Log

PERIOD = 60.0
"""Seconds between two requests."""
AT_ONCE = 500
"""Values of one request; AWS's limit is 1000."""
NAMESPACE = "AWS/Lambda"
DIMENSION = "EventSourceMappingUUID"
NOT_REAL = "real AWS takes no metrics in AWS/Lambda: the EventCount metrics of mappings are at /metrics alone"


def counted_of(mapping: EventSourceMapping) -> CountedMapping | None:
    """None for a mapping that does not ask for the group."""
    if mapping.metrics_config is None or GROUP not in mapping.metrics_config.metrics:
        return None
    kind = mapping.profile
    return CountedMapping(mapping.uuid, names_of(lends=kind.competing, commits=kind.has_offset_lag))


class CloudWatch:
    """`run` it once, `stop` it once."""

    def __init__(self, counts: EventCounts, clients: Clients, log: Log, clock: Clock) -> None:
        self._counts = counts
        self._clients = clients
        self._log = log
        self._clock = clock
        self._said = ""
        self._scope = anyio.CancelScope()
        self._over = False

    async def run(self) -> None:
        with anyio.CancelScope() as self._scope:
            while not self._over:
                await anyio.sleep(PERIOD)
                await self._put()

    async def stop(self, until: float) -> None:
        """Put what was counted since the last time, until then (monotonic)."""
        self._over = True
        self._scope.cancel()
        with anyio.CancelScope(deadline=until):
            await self._put()

    async def _put(self) -> None:
        counts = self._counts.take()
        if not counts:
            return
        try:
            if not isinstance(await self._clients.target("cloudwatch"), LocalEndpoint):
                self._say(NOT_REAL)
                return
            client = await self._clients.get("cloudwatch")
            await self._send(client, counts)
        except (ConfigError, SourceError) as error:
            self._counts.put_back(counts)
            self._say(f"metrics of mappings are not in CloudWatch yet: {error.reason.text}")
        except BaseException:
            self._counts.put_back(counts)
            raise
        else:
            self._works()

    async def _send(self, client: Any, counts: list[EventCount]) -> None:
        now = self._clock.wall()
        for start in range(0, len(counts), AT_ONCE):
            some = counts[start : start + AT_ONCE]
            with faults.translating("put metrics to CloudWatch"):
                await client.put_metric_data(Namespace=NAMESPACE, MetricData=[_datum(each, now) for each in some])

    def _say(self, text: str) -> None:
        if not self._said:
            self._log.warning(Action.CLOUDWATCH, text)
        self._said = text

    def _works(self) -> None:
        if self._said:
            self._log.info(Action.CLOUDWATCH, "metrics of mappings are in CloudWatch again")
        self._said = ""


def _datum(count: EventCount, now: float) -> dict[str, Any]:
    return {
        "MetricName": count.name,
        "Dimensions": [{"Name": DIMENSION, "Value": count.uuid}],
        "Timestamp": now,
        "Value": float(count.value),
        "Unit": "Count",
    }
