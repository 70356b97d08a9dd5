"""The goals, and what is measured for each. Pure.

A measure compares two sides of one run, and its number is the median of the ratios inside the rounds. `at least` holds
for speeds (ours divided by theirs), `at most` for costs and delays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum


class Sense(Enum):
    AT_LEAST = "at least"
    AT_MOST = "at most"


class Verdict(Enum):
    STRETCH = "stretch met"
    MET = "met"
    MISSED = "missed"
    NOT_MEASURED = "not measured"
    SHOWN = "no goal"


@dataclass(frozen=True, slots=True)
class Measure:
    """One comparison. `key` names it in the results for good."""

    key: str
    what: str
    target: float | None = None
    """None where only the stretch goal is about it."""
    stretch: float | None = None
    sense: Sense = Sense.AT_LEAST
    unit: str = "x"

    def verdict(self, value: float | None) -> Verdict:
        """Of a median; None where there is none."""
        if value is None:
            return Verdict.NOT_MEASURED
        if self.stretch is not None and self._reaches(value, self.stretch):
            return Verdict.STRETCH
        if self.target is None:
            return Verdict.SHOWN if self.stretch is None else Verdict.MISSED
        return Verdict.MET if self._reaches(value, self.target) else Verdict.MISSED

    def _reaches(self, value: float, wanted: float) -> bool:
        return value >= wanted if self.sense is Sense.AT_LEAST else value <= wanted

    @property
    def wanted(self) -> str:
        """The goal and the stretch goal in words."""
        parts = [] if self.target is None else [f"{self.sense.value} {self.target:g}{self.unit}"]
        parts += [] if self.stretch is None else [f"stretch {self.stretch:g}{self.unit}"]
        return ", ".join(parts) or "–"


@dataclass(frozen=True, slots=True)
class Goal:
    name: str
    title: str
    benchmark: str
    """The file below `benchmarks/`, without its ending."""
    measures: Sequence[Measure]

    def verdict(self, verdicts: Sequence[Verdict]) -> Verdict:
        """Of all its measures together: what has no target does not hold the goal up."""
        counted = [each for measure, each in zip(self.measures, verdicts, strict=True) if measure.target is not None]
        for worst in (Verdict.MISSED, Verdict.NOT_MEASURED):
            if worst in counted:
                return worst
        stretches = [each for m, each in zip(self.measures, verdicts, strict=True) if m.stretch is not None]
        return Verdict.STRETCH if stretches and set(stretches) == {Verdict.STRETCH} else Verdict.MET


LEAST, MOST = Sense.AT_LEAST, Sense.AT_MOST
GOALS: Sequence[Goal] = (
    Goal(
        "G1",
        "Filters beside AWS's event-ruler",
        "filter",
        (
            Measure("ruler_none", "five patterns, none matches", 1.0, 2.0),
            Measure("ruler_last", "five patterns, the last one matches", 1.0, 2.0),
            Measure("ruler_array", "one pattern, into an array of four objects", 1.0, 2.0),
            Measure("ruler_verdicts", "share of equal verdicts", 1.0, None, LEAST, ""),
        ),
    ),
    Goal(
        "G2",
        "Filters beside parsing alone (orjson.loads of the same bodies)",
        "filter",
        (
            Measure("parse_five", "five patterns, none matches", 0.8, 1.5),
            Measure("parse_one", "one pattern that does not match", 1.0, 1.5),
        ),
    ),
    Goal(
        "G3",
        "CPU of the parent for a local invocation, beside awslambdaric behind aiohttp",
        "local_invoke",
        (
            Measure("aiohttp_1", "events of one record", 0.5, None, MOST),
            Measure("aiohttp_10", "events of ten records", 0.5, None, MOST),
            Measure("socketpair_1", "rate beside a length-prefixed socketpair, one record", None, 0.5),
            Measure("socketpair_10", "rate beside a length-prefixed socketpair, ten records", None, 0.5),
        ),
    ),
    Goal(
        "G4",
        "Signed Invoke calls beside plain aiobotocore, CPU",
        "remote_invoke",
        (Measure("aiobotocore", "calls for each second of CPU", 4.0, 8.0),),
    ),
    Goal(
        "G5",
        "SQS receive and delete beside plain aiobotocore, CPU",
        "sqs_client",
        (Measure("aiobotocore", "messages for each second of CPU, MD5 checked", 4.0, 8.0),),
    ),
    Goal(
        "G6",
        "GetRecords to records beside plain aiobotocore, CPU",
        "kinesis_client",
        (Measure("aiobotocore", "records for each second of CPU", 5.0, 10.0),),
    ),
    Goal(
        "G7",
        "SQS end to end",
        "sqs_pipe",
        (
            Measure("ministack_wall", "beside MiniStack's own mapping, wall", 10.0),
            Measure("ministack_cpu", "beside MiniStack's own mapping, CPU of all processes", 4.0),
            Measure("benthos_wall", "beside benthos to HTTP from the same source, wall", 0.8, 1.2),
            Measure("benthos_cpu", "beside benthos to HTTP from the same source, CPU of the daemon alone"),
            Measure("elasticmq_wall", "beside benthos to HTTP, both from ElasticMQ, wall"),
        ),
    ),
    Goal(
        "G8",
        "Kinesis end to end",
        "kinesis_pipe",
        (
            Measure("ministack_wall", "beside MiniStack's own mapping, wall", 25.0),
            Measure("ministack_cpu", "beside MiniStack's own mapping, CPU of all processes", 3.0, 5.0),
        ),
    ),
    Goal(
        "G9",
        "Kafka end to end",
        "kafka_pipe",
        (
            Measure("benthos_wall", "beside benthos to HTTP, wall", 1.0),
            Measure("faststream_wall", "beside FastStream's batches with decoding, wall", 1.2),
            Measure("aiokafka_wall", "beside bare aiokafka getmany and commit, wall", None, 0.6),
            Measure("confluent_wall", "beside bare confluent-kafka consume and commit, wall"),
            Measure("benthos_cpu", "beside benthos to HTTP, CPU of the daemon alone"),
            Measure("faststream_cpu", "beside FastStream, CPU of the daemon alone"),
        ),
    ),
    Goal(
        "G10",
        "Positions of 100 shards under load",
        "positions",
        (
            Measure("invocations", "invocations for each durable commit", 20.0, None, LEAST, ""),
            Measure("a_second", "durable commits a second", 10.0, None, MOST, "/s"),
        ),
    ),
    Goal(
        "G11",
        "Latency where nothing else happens",
        "latency",
        (
            Measure("queue", "idle queue, median, beside a bare round trip of the Runtime API", 2.0, None, MOST),
            Measure("shard", "idle shard beside an emulator, median", 150.0, None, MOST, " ms"),
        ),
    ),
    Goal(
        "G12",
        "100 idle mappings beside a bare aiobotocore process with the same polls",
        "idle",
        (
            Measure("sqs_memory", "SQS, resident memory", 1.4, None, MOST),
            Measure("sqs_cpu", "SQS, CPU", 1.0, None, MOST),
            Measure("kinesis_memory", "Kinesis, resident memory", 1.4, None, MOST),
            Measure("kinesis_cpu", "Kinesis, CPU", 1.0, None, MOST),
        ),
    ),
    Goal(
        "G13",
        "CPU for a record does not grow",
        "curves",
        (
            Measure("records", "most for a record beside least, 10^4 to 10^6 records (Kafka)", 1.2, None, MOST),
            Measure("shards", "most beside least, 1 to 100 shards", 1.2, None, MOST),
            Measure("partitions", "most beside least, 10 to 1,000 partitions", 1.2, None, MOST),
            Measure("mappings", "most beside least, 1 to 100 mappings (SQS)", 1.2, None, MOST),
            Measure("memory", "memory at the end of the longest run beside a tenth of it", 1.2, None, MOST),
        ),
    ),
)


def goal(name: str) -> Goal:
    return next(each for each in GOALS if each.name == name)


def measure(name: str, key: str) -> Measure:
    return next(each for each in goal(name).measures if each.key == key)
