"""Counts how often the configuration was read again, and whether what was read last is at work."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge


class ReloadMetrics:
    def __init__(self, registry: CollectorRegistry) -> None:
        text = "Whether the configuration at work is the one that was read last: 0 after a reload that was refused."
        self._good = Gauge("headrace_config_last_reload_successful", text, registry=registry)
        self._good.set(1)
        text = "Reloads of the configuration, by result."
        self._reloads = Counter("headrace_config_reloads", text, ("result",), registry=registry)
        for result in ("done", "refused"):
            self._reloads.labels(result)

    def count(self, *, done: bool) -> None:
        self._good.set(done)
        self._reloads.labels("done" if done else "refused").inc()
