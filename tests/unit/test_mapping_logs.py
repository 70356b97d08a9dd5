"""A mapping may have a level of its own for its lines."""

from __future__ import annotations

import io
import json

import pytest

from headrace.config.mapping import EventSourceMapping
from headrace.dispatch.core import observer as seen
from headrace.dispatch.core.model import DiscardReason, Lane, Record
from headrace.dispatch.core.pages import Records
from headrace.service.telemetry.log import Action, Log
from headrace.service.telemetry.mapping_logs import MappingLogs, log_of
from support.reasons import why

RECORDS = Records.of([Record(Lane("b:9092/orders", "orders-0"), ("orders-0", 15), {}, 0.0)])


def mapping(level: str | None, name: str = "m") -> EventSourceMapping:
    own = {"endpoints": {"kafka_bootstrap_servers": ["b:9092"]}}
    fields: dict[str, object] = {"name": name, "function": "f", "topics": ["orders"], "self_managed_event_source": own}
    return EventSourceMapping.model_validate(fields | {"logging_config": {"system_log_level": level}})


def said(own: str | None, general: str) -> list[tuple[str, str]]:
    """Who is heard at which level, when something of each level happens to a mapping `m` and to another one."""
    stream = io.StringIO()
    logs = MappingLogs([mapping(own), mapping(None, "other")], Log(stream, level=general))
    for name in ("m", "other"):
        logs.observe(seen.Retrying(name, RECORDS, 1, 0.5))
        logs.observe(seen.MappingChanged(name, "polling", None))
        logs.observe(seen.FetchFailed(name, why("away"), 1.0))
        logs.observe(seen.Discarded(name, RECORDS, DiscardReason.OVERSIZED, ""))
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    return [(line["mapping"], line["level"]) for line in lines]


ALL = ["debug", "info", "warning", "error"]


@pytest.mark.semantics("OBS-17")
@pytest.mark.parametrize(("own", "from_"), [("DEBUG", 0), ("INFO", 1), ("WARN", 2)])
@pytest.mark.parametrize("general", ALL)
def test_a_mapping_is_heard_at_its_own_level_and_the_others_at_theirs(own: str, from_: int, general: str) -> None:
    others = [("other", level) for level in ALL[ALL.index(general) :]]
    assert said(own, general) == [("m", level) for level in ALL[from_:]] + others


@pytest.mark.semantics("OBS-17")
@pytest.mark.parametrize("general", ALL)
def test_without_a_level_of_its_own_it_is_heard_like_all_others(general: str) -> None:
    levels = ALL[ALL.index(general) :]
    assert said(None, general) == [(name, level) for name in ("m", "other") for level in levels]


@pytest.mark.semantics("OBS-17")
def test_what_is_said_of_a_mapping_at_the_start_is_its_own_too() -> None:
    stream = io.StringIO()
    log = Log(stream)
    log_of(mapping("WARN"), log).info(Action.MAPPING, "left out")
    log_of(mapping("DEBUG"), log).debug(Action.MAPPING, "heard")
    log_of(mapping(None), log).debug(Action.MAPPING, "left out")
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["heard"]


def test_mappings_come_change_and_go() -> None:
    stream = io.StringIO()
    logs = MappingLogs([], Log(stream))

    def heard() -> int:
        before = len(stream.getvalue().splitlines())
        logs.observe(seen.Retrying("m", RECORDS, 1, 0.5))
        logs.observe(seen.MappingChanged("m", f"state {before}", None))
        return len(stream.getvalue().splitlines()) - before

    counts = [heard()]
    for level in ("DEBUG", "WARN", None):
        logs.add(mapping(level))
        counts.append(heard())
    logs.add(mapping("DEBUG"))
    logs.remove("m")
    counts.append(heard())
    assert counts == [1, 2, 0, 1, 1]


def test_what_is_no_mapping_s_is_heard_as_before() -> None:
    stream = io.StringIO()
    MappingLogs([mapping("WARN")], Log(stream)).observe(seen.GateOpened("f", 0.1))
    assert "function f can start" in stream.getvalue()
