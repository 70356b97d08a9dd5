"""What is wrong, by the facts: each fact has its verdict, and what is wrong has what to do."""

from __future__ import annotations

import pytest

from headrace.service.running.core.health import (
    DaemonFact,
    DescriptorFact,
    DiskFact,
    EndpointFact,
    FunctionFact,
    HealthFacts,
    HealthFinding,
    HealthVerdict,
    SourceFact,
    examine_health,
    worst,
)

GOOD, DOUBT, BAD = HealthVerdict.GOOD, HealthVerdict.DOUBT, HealthVerdict.BAD
QUEUE = SourceFact("orders", "arn:q", "queue", "resize", visibility=30.0, timeout=3.0)
ENDPOINT = EndpointFact("sqs", "http://127.0.0.1:4566")


def source(**more: object) -> HealthFacts:
    fields = {name: getattr(QUEUE, name) for name in QUEUE.__slots__}
    return HealthFacts(sources=[SourceFact(**(fields | more))])


def endpoint(**more: object) -> HealthFacts:
    fields = {name: getattr(ENDPOINT, name) for name in ENDPOINT.__slots__}
    return HealthFacts(endpoints=[EndpointFact(**(fields | more))])


def daemon(**mapping: object) -> HealthFacts:
    return HealthFacts(daemon=DaemonFact("http://d", answers=True, status={"mappings": [{"name": "m", **mapping}]}))


CASES = [
    (endpoint(), "endpoint", GOOD, "answers"),
    (endpoint(obstacle="refused"), "endpoint", BAD, "refused"),
    (endpoint(credentials="no credentials"), "credentials", BAD, "no credentials"),
    (endpoint(skew=-2.0), "clock", GOOD, "2 s apart"),
    (endpoint(skew=-30.0), "clock", DOUBT, "30 s apart"),
    (endpoint(skew=300.0), "clock", BAD, "300 s apart"),
    (source(), "source", GOOD, "can be read"),
    (source(missing=True), "source", BAD, "there is no queue arn:q"),
    (source(obstacle="AccessDenied"), "source", BAD, "AccessDenied"),
    (source(enabled=False), "source", DOUBT, "nobody reads it"),
    (source(timeout=5.0), "timeouts", GOOD, "30 s"),
    (source(timeout=6.0), "timeouts", DOUBT, "6 s"),
    (source(timeout=31.0), "timeouts", BAD, "comes again while the function still has it"),
    (source(rivals=("the endpoint has one of its own",)), "pollers", DOUBT, "of its own"),
    (source(destination="arn:d"), "destination", GOOD, "arn:d is there"),
    (source(destination_obstacle="arn:d does not exist"), "destination", BAD, "does not exist"),
    (HealthFacts(functions=[FunctionFact("f", "python")]), "function", GOOD, "python"),
    (HealthFacts(functions=[FunctionFact("f", "python", "no such file")]), "function", BAD, "no such file"),
    (HealthFacts(disk=DiskFact("/s", None)), "disk", GOOD, "can be written"),
    (HealthFacts(disk=DiskFact("/s", 2 << 30)), "disk", GOOD, "can be written"),
    (HealthFacts(disk=DiskFact("/s", 500 << 20)), "disk", DOUBT, "500 MB"),
    (HealthFacts(disk=DiskFact("/s", 1 << 20)), "disk", BAD, "1 MB"),
    (HealthFacts(disk=DiskFact("/s", None, "Permission denied")), "disk", BAD, "Permission denied"),
    (HealthFacts(descriptors=DescriptorFact(1024, 1024)), "descriptors", GOOD, "1024"),
    (HealthFacts(descriptors=DescriptorFact(1023, 1024)), "descriptors", BAD, "1023 are allowed"),
    (HealthFacts(daemon=DaemonFact("http://d", answers=False)), "daemon", DOUBT, "no daemon answers"),
    (daemon(state="polling"), "daemon", GOOD, "a daemon answers"),
    (daemon(state="failing", reason="poison"), "daemon", BAD, "poison"),
    (daemon(state="waiting", reason="no queue"), "daemon", BAD, "no queue"),
    (daemon(state="paused"), "daemon", DOUBT, "paused"),
    (daemon(state="polling", trouble="no bucket"), "destination", BAD, "no bucket"),
    (
        HealthFacts(daemon=DaemonFact("u", answers=True, status={"functions": [{"name": "f", "up": False}]})),
        "function",
        BAD,
        "cannot start in the daemon",
    ),
]


@pytest.mark.semantics("DOCTOR-01", "DOCTOR-02")
@pytest.mark.parametrize(("facts", "about", "verdict", "text"), CASES)
def test_a_fact_has_a_verdict_and_what_is_wrong_has_advice(
    facts: HealthFacts, about: str, verdict: HealthVerdict, text: str
) -> None:
    findings = examine_health(facts)
    found = [each for each in findings if each.about == about and text in each.text]
    assert [each.verdict for each in found] == [verdict]
    assert worst(findings) is max(findings, key=lambda each: [GOOD, DOUBT, BAD].index(each.verdict)).verdict
    if verdict is DOUBT:
        assert found[0].advice


def test_nothing_that_was_looked_at_is_good() -> None:
    assert examine_health(HealthFacts()) == []
    assert worst([]) is GOOD


def test_a_finding_is_plain_data() -> None:
    found = HealthFinding("disk", "/s", BAD, "full", "make room")
    assert found.as_json() == {
        "about": "disk",
        "name": "/s",
        "verdict": "bad",
        "text": "full",
        "advice": "make room",
    }


def test_what_nobody_can_say_is_no_finding() -> None:
    assert [each.about for each in examine_health(source(timeout=None))] == ["source"]
    up = HealthFacts(daemon=DaemonFact("u", answers=True, status={"functions": [{"name": "f", "up": True}]}))
    assert [each.about for each in examine_health(up)] == ["daemon"]
