"""A fault of ours in an observer or in a part beside the mappings ends no other part, and its own part continues."""

from __future__ import annotations

import io
import json
from typing import Any

import anyio
import pytest
from prometheus_client import CollectorRegistry

from headrace.config.errors import BugError
from headrace.dispatch.core.observer import Crashed, Event, FeedsChanged, Observers
from headrace.service.running.tending import tended
from headrace.service.telemetry.event_lines import Logs
from headrace.service.telemetry.fault_reports import FaultReports
from headrace.service.telemetry.log import Log

FEEDS = FeedsChanged("m", 1)


class Reports:
    """What is told and counted of faults, on the loop's clock."""

    def __init__(self) -> None:
        self._stream, self._registry = io.StringIO(), CollectorRegistry()
        self.log = Log(self._stream)
        self.faults = FaultReports(self.log, self._registry, monotonic=anyio.current_time)

    def counted(self, of: str) -> float:
        return self._registry.get_sample_value("headrace_faults_total", {"of": of}) or 0.0

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._stream.getvalue().splitlines()]


class Broken:
    def observe(self, event: Event) -> None:
        raise KeyError("ours")


class Seeing:
    def __init__(self) -> None:
        self.seen: list[Event] = []

    def observe(self, event: Event) -> None:
        self.seen.append(event)


@pytest.mark.semantics("OBS-20")
async def test_an_observer_that_raises_is_told_of_once_and_counted_and_the_others_see_everything() -> None:
    reports, before, after = Reports(), Seeing(), Seeing()
    observers = Observers([before, Broken(), after], reports.faults.of_observer)
    for _ in range(3):
        observers.observe(FEEDS)
    assert before.seen == after.seen == [FEEDS] * 3
    assert reports.counted("observer") == 3
    (line,) = reports.lines
    assert (line["action"], line["level"], line["part"]) == ("fault", "error", "Broken")


def test_without_anybody_to_tell_the_fault_is_the_callers() -> None:
    with pytest.raises(KeyError):
        Observers([Broken()]).observe(FEEDS)


@pytest.mark.semantics("OBS-20")
async def test_a_part_that_meets_a_fault_begins_again_and_ends_no_other() -> None:
    reports = Reports()
    began: list[float] = []

    async def part() -> None:
        began.append(anyio.current_time())
        if len(began) < 4:
            raise BugError("a request that the store cannot keep")
        await anyio.sleep_forever()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(tended, "the part", part, reports.faults.of_part)
        await anyio.sleep(60)
        tasks.cancel_scope.cancel()
    assert began == [0.0, 1.0, 3.0, 7.0]
    assert reports.counted("part") == 3
    (line,) = reports.lines
    assert "the part" in line["event"]
    assert "please report it" in line["event"]


async def test_a_part_that_has_ended_is_not_begun_again() -> None:
    runs: list[None] = []

    async def part() -> None:
        runs.append(None)

    await tended("the part", part, Reports().faults.of_part)
    assert runs == [None]


@pytest.mark.semantics("OBS-06")
async def test_the_same_fault_of_a_mapping_is_one_line_in_half_a_minute() -> None:
    reports = Reports()
    observers = Observers([Logs(reports.log, monotonic=anyio.current_time), reports.faults])
    for _ in range(93):
        observers.observe(Crashed("m", TypeError("a list, not a string")))
        await anyio.sleep(0.5)
    first, second = reports.lines
    assert "repeated" not in first
    assert second["repeated"] == 59
    assert reports.counted("mapping") == 93
