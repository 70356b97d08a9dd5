"""Finds the faults of an installation from facts that were gathered: pure.

    facts ──► findings: what was looked at, a verdict, what is so, and what to do

`wiring/health_facts.py` gathers the facts; `headrace doctor` shows the findings. A fact that nobody could gather is one
too: it says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any


class HealthVerdict(Enum):
    GOOD = "good"
    DOUBT = "doubt"  # works, and may not do what somebody expects
    BAD = "bad"  # does not work


@dataclass(frozen=True, slots=True)
class HealthFinding:
    """One thing that was looked at."""

    about: str
    """`endpoint`, `credentials`, `clock`, `source`, `function`, `timeouts`, `pollers`, `destination`, `disk`,
    `descriptors` or `daemon`."""
    name: str
    """Which one of them; empty where there is only one."""
    verdict: HealthVerdict
    text: str
    advice: str = ""
    """The advice; empty when nothing is to be done."""

    def as_json(self) -> dict[str, str]:
        plain = {"about": self.about, "name": self.name, "verdict": self.verdict.value}
        return plain | {"text": self.text, "advice": self.advice}


# --- facts ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class EndpointFact:
    service: str
    url: str
    obstacle: str = ""
    """Why it is not asked or does not answer; empty when it answers."""
    skew: float | None = None
    """Seconds by which its clock is ahead of ours; None where it does not tell."""
    credentials: str = ""
    """Why there are none for it; empty when there are."""


@dataclass(frozen=True, slots=True)
class SourceFact:
    mapping: str
    place: str
    noun: str
    function: str
    enabled: bool = True
    missing: bool = False
    obstacle: str = ""
    """Why it cannot be read; empty when it can, or is missing."""
    visibility: float | None = None
    """Seconds; None where nothing is lent."""
    timeout: float | None = None
    """The function's timeout in seconds; None for none."""
    rivals: tuple[str, ...] = ()
    """Other pollers of it, in words."""
    destination: str = ""
    destination_obstacle: str = ""


@dataclass(frozen=True, slots=True)
class FunctionFact:
    name: str
    what: str
    obstacle: str = ""
    """Why it cannot start or be reached; empty when it can, as far as that is known without an event."""


@dataclass(frozen=True, slots=True)
class DiskFact:
    path: str
    free: int | None
    """Bytes; None where the file system does not say."""
    obstacle: str = ""
    """Why nothing can be written; empty when it can."""


@dataclass(frozen=True, slots=True)
class DescriptorFact:
    allowed: int
    needed: int


@dataclass(frozen=True, slots=True)
class DaemonFact:
    url: str
    answers: bool
    status: dict[str, Any] = field(default_factory=dict)
    """The state in the form of `/status`."""


@dataclass(frozen=True, slots=True)
class HealthFacts:
    endpoints: Sequence[EndpointFact] = ()
    sources: Sequence[SourceFact] = ()
    functions: Sequence[FunctionFact] = ()
    disk: DiskFact | None = None
    descriptors: DescriptorFact | None = None
    daemon: DaemonFact | None = None


# --- findings ---------------------------------------------------------------------------------------------------------

SKEW_DOUBT, SKEW_BAD = 30.0, 300.0
"""Seconds. AWS refuses signatures that are five minutes off."""
SAFE_VISIBILITY = 6
"""Times the function's timeout: https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html"""
DISK_DOUBT, DISK_BAD = 1 << 30, 64 << 20
"""Bytes."""


def examine_health(facts: HealthFacts) -> list[HealthFinding]:
    """In the order in which somebody would look: what must work first stands first."""
    findings = [*_endpoints(facts.endpoints), *_sources(facts.sources), *_functions(facts.functions)]
    for part in (_disk(facts.disk), _descriptors(facts.descriptors)):
        findings += part
    return [*findings, *_daemon(facts.daemon)]


def worst(findings: Iterable[HealthFinding]) -> HealthVerdict:
    found = {finding.verdict for finding in findings}
    return next((each for each in (HealthVerdict.BAD, HealthVerdict.DOUBT) if each in found), HealthVerdict.GOOD)


def _endpoints(facts: Sequence[EndpointFact]) -> Iterator[HealthFinding]:
    for each in facts:
        if each.obstacle:
            advice = "start the server, or correct aws.endpoint_url (AWS_ENDPOINT_URL)"
            yield HealthFinding("endpoint", each.service, HealthVerdict.BAD, each.obstacle, advice)
        else:
            yield HealthFinding("endpoint", each.service, HealthVerdict.GOOD, f"{each.url} answers")
        if each.credentials:
            advice = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile; an emulator takes any"
            yield HealthFinding("credentials", each.service, HealthVerdict.BAD, each.credentials, advice)
        if each.skew is not None:
            yield _clock(each.service, each.skew)


def _clock(service: str, skew: float) -> HealthFinding:
    off = abs(skew)
    text = f"its clock and this machine's are {off:.0f} s apart"
    if off < SKEW_DOUBT:
        return HealthFinding("clock", service, HealthVerdict.GOOD, text)
    advice = "set the clock (NTP), or restart a virtual machine that slept"
    verdict = HealthVerdict.BAD if off >= SKEW_BAD else HealthVerdict.DOUBT
    return HealthFinding("clock", service, verdict, f"{text}; AWS refuses signatures at {SKEW_BAD:.0f} s", advice)


def _sources(facts: Sequence[SourceFact]) -> Iterator[HealthFinding]:
    for each in facts:
        yield _source(each)
        yield from _timeouts(each)
        for rival in each.rivals:
            advice = "stop one of the two, or `headrace run --take-over`"
            yield HealthFinding("pollers", each.mapping, HealthVerdict.DOUBT, rival, advice)
        yield from _destination(each)


def _source(fact: SourceFact) -> HealthFinding:
    if fact.missing:
        advice = f"create the {fact.noun}, or correct the mapping's source; the daemon waits for it meanwhile"
        return HealthFinding("source", fact.mapping, HealthVerdict.BAD, f"there is no {fact.noun} {fact.place}", advice)
    if fact.obstacle:
        return HealthFinding("source", fact.mapping, HealthVerdict.BAD, f"{fact.place} cannot be read: {fact.obstacle}")
    if not fact.enabled:
        advice = "set `enabled: true`"
        return HealthFinding(
            "source", fact.mapping, HealthVerdict.DOUBT, f"{fact.place} is there, and nobody reads it", advice
        )
    return HealthFinding("source", fact.mapping, HealthVerdict.GOOD, f"{fact.place} can be read")


def _timeouts(fact: SourceFact) -> Iterator[HealthFinding]:
    if fact.visibility is None or fact.timeout is None:
        return
    text = f"the queue hides a message for {fact.visibility:g} s, and {fact.function} may take {fact.timeout:g} s"
    if fact.visibility < fact.timeout:
        advice = f"set the queue's VisibilityTimeout to {SAFE_VISIBILITY * fact.timeout:g} s"
        text = f"{text}: a message comes again while the function still has it"
        yield HealthFinding("timeouts", fact.mapping, HealthVerdict.BAD, text, advice)
    elif fact.visibility < SAFE_VISIBILITY * fact.timeout:
        advice = f"AWS advises {SAFE_VISIBILITY} times the function's timeout, for throttled batches"
        yield HealthFinding("timeouts", fact.mapping, HealthVerdict.DOUBT, text, advice)
    else:
        yield HealthFinding("timeouts", fact.mapping, HealthVerdict.GOOD, text)


def _destination(fact: SourceFact) -> Iterator[HealthFinding]:
    if fact.destination_obstacle:
        advice = "create it, or correct destination_config; records that fail are lost without it"
        yield HealthFinding("destination", fact.mapping, HealthVerdict.BAD, fact.destination_obstacle, advice)
    elif fact.destination:
        yield HealthFinding("destination", fact.mapping, HealthVerdict.GOOD, f"{fact.destination} is there")


def _functions(facts: Sequence[FunctionFact]) -> Iterator[HealthFinding]:
    for each in facts:
        if each.obstacle:
            advice = "`headrace check --start` starts it once and shows what it says"
            yield HealthFinding("function", each.name, HealthVerdict.BAD, f"it cannot start: {each.obstacle}", advice)
        else:
            yield HealthFinding("function", each.name, HealthVerdict.GOOD, each.what)


def _disk(fact: DiskFact | None) -> Iterator[HealthFinding]:
    if fact is None:
        return
    if fact.obstacle:
        advice = "give this user the right to write there, or name another directory with --state"
        yield HealthFinding("disk", fact.path, HealthVerdict.BAD, fact.obstacle, advice)
    elif fact.free is not None and fact.free < DISK_DOUBT:
        verdict = HealthVerdict.BAD if fact.free < DISK_BAD else HealthVerdict.DOUBT
        advice = "make room: a full disk stops positions, and the API's calls"
        yield HealthFinding("disk", fact.path, verdict, f"{fact.free >> 20} MB are free", advice)
    else:
        yield HealthFinding("disk", fact.path, HealthVerdict.GOOD, "it can be written to")


def _descriptors(fact: DescriptorFact | None) -> Iterator[HealthFinding]:
    if fact is None:
        return
    text = f"about {fact.needed} file descriptors are needed, {fact.allowed} are allowed"
    if fact.allowed < fact.needed:
        advice = "raise the limit (ulimit -n, LimitNOFILE=, --ulimit nofile=)"
        yield HealthFinding("descriptors", "", HealthVerdict.BAD, text, advice)
    else:
        yield HealthFinding("descriptors", "", HealthVerdict.GOOD, text)


def _daemon(fact: DaemonFact | None) -> Iterator[HealthFinding]:
    if fact is None:
        return
    if not fact.answers:
        advice = "`headrace run` starts one; name another address with --url"
        yield HealthFinding("daemon", "", HealthVerdict.DOUBT, f"no daemon answers at {fact.url}", advice)
        return
    yield HealthFinding("daemon", "", HealthVerdict.GOOD, f"a daemon answers at {fact.url}")
    for mapping in fact.status.get("mappings", ()):
        yield from _running_mapping(mapping)
    for function in fact.status.get("functions", ()):
        if not function.get("up", True):
            text = f"it cannot start in the daemon: {function.get('cause')}"
            yield HealthFinding(
                "function", str(function.get("name")), HealthVerdict.BAD, text, "`headrace logs` shows its output"
            )


def _running_mapping(mapping: dict[str, Any]) -> Iterator[HealthFinding]:
    name, state, reason = str(mapping.get("name")), mapping.get("state"), mapping.get("reason")
    if state == "failing":
        advice = f"`headrace status {name}` shows the error; repair the function, then `headrace retry {name}`"
        yield HealthFinding("daemon", name, HealthVerdict.BAD, f"it is failing: {reason}", advice)
    elif state == "waiting":
        yield HealthFinding("daemon", name, HealthVerdict.BAD, f"it waits: {reason}")
    elif state == "paused":
        advice = f"`headrace resume {name}` lets it go on"
        yield HealthFinding("daemon", name, HealthVerdict.DOUBT, "it is paused", advice)
    if mapping.get("trouble"):
        yield HealthFinding("destination", name, HealthVerdict.BAD, str(mapping["trouble"]))
