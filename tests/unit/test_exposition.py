"""Metrics as text: what the library writes, only quicker, and beside the event loop."""

from __future__ import annotations

import threading

import anyio
import anyio.to_thread
import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest

from headrace.service.telemetry import metrics as module
from headrace.service.telemetry.exposition import text_of
from headrace.service.telemetry.metrics import Labels, Metrics
from headrace.service.telemetry.view import FunctionView, MappingView, Readiness

PATIENCE = 60.0


@pytest.mark.parametrize("value", ["plain", 'a "quoted" one', "back\\slash", "two\nlines", "ünï", ""])
def test_every_line_is_as_the_library_writes_it(value: str) -> None:
    disable_created_metrics()  # type: ignore[no-untyped-call]
    registry = CollectorRegistry()
    counter = Counter("records", "Records,\nof \\ all.", ("mapping", "kind"), registry=registry)
    counter.labels(value, "sqs").inc(3)
    counter.labels("other", value).inc(0.25)
    gauge = Gauge("age", "Age.", ("mapping",), registry=registry)
    for number in (0, -1, 1e21, float("inf"), float("nan"), 12345678.9):
        gauge.labels(f"{value}{number}").set(number)
    Gauge("alone", "Without labels.", registry=registry).set(7)
    histogram = Histogram("seconds", "Seconds.", ("mapping",), buckets=(0.1, 1, 2.5), registry=registry)
    histogram.labels(value).observe(0.5)
    assert text_of(registry.collect()) == generate_latest(registry)


class Looked:
    """A daemon with one mapping, which counts how often it is looked at, and where."""

    def __init__(self) -> None:
        self.threads: list[int] = []

    def readiness(self) -> Readiness:
        raise AssertionError("nobody asks")

    def mappings(self) -> tuple[MappingView, ...]:
        self.threads.append(threading.get_ident())
        return (MappingView("m", "uuid", "arn", "sqs", "f", "polling", None, 2, {}),)

    def functions(self) -> tuple[FunctionView, ...]:
        return ()


@pytest.mark.semantics("OBS-19")
async def test_the_loop_goes_on_while_metrics_are_made_and_alone_looks_at_the_daemon(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    metrics, daemon = Metrics([Labels("m", "sqs", "f")]), Looked()
    metrics.look_at(daemon)
    begun, go_on = threading.Event(), threading.Event()

    def slow(*arguments: object) -> bytes:
        begun.set()
        assert go_on.wait(PATIENCE)
        return text_of(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "text_of", slow)
    texts: list[bytes] = []

    async def scrape() -> None:
        texts.append(await metrics.scrape())

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(scrape)
        assert await anyio.to_thread.run_sync(begun.wait, PATIENCE)
        assert texts == []
        metrics.remove("m")  # a mapping goes meanwhile
        go_on.set()
    assert b'headrace_feeds{function="f",mapping="m",source="sqs"} 2.0' in texts[0]
    assert daemon.threads == [threading.get_ident()]
