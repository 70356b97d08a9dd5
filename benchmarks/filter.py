"""G1, G2: what filtering costs: records of 1 KB through the filters of an SQS mapping.

    python benchmarks/filter.py [--rounds 9] [--quick]

Beside it: AWS's event-ruler with the same rules in one machine on the same events (its thread's CPU time, warmed up for
four seconds), and orjson.loads of the same bodies. Bodies are all different. CPU time. Both sides must also agree on
each event.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import orjson
from measuring.payloads import bodies, order
from measuring.ratios import Sample, Spread
from measuring.report import Report, Run, reason

from headrace.dispatch.kinds.table import filter_rules
from headrace.dispatch.patterns.formats import RecordFilter
from support.event_ruler import ruler
from support.servers.running import ServerError

NOT_MATCHING = [
    '{"body": {"type": ["invoice"]}}',
    '{"body": {"type": ["order"], "detail": {"state": ["closed"]}}}',
    '{"body": {"detail": {"n": [{"numeric": [">", 1000000]}]}}}',
    '{"body": {"detail": {"customer": {"country": ["FR", "IT"]}}}}',
    '{"body": {"id": [{"prefix": "zz"}]}}',
]
MATCHING = [*NOT_MATCHING[:4], '{"body": {"type": [{"prefix": "ord"}], "detail": {"n": [{"numeric": [">=", 0]}]}}}']
ARRAYS = ['{"body": {"items": {"sku": ["sku-4"], "qty": [99]}}}']
SETS: Mapping[str, Sequence[str]] = {
    "none": NOT_MATCHING,
    "last": MATCHING,
    "array": ARRAYS,
    "one": NOT_MATCHING[:1],
}
WARM = 4.0
"""Seconds for which a JVM runs each set before it is measured."""


def four_items(index: int) -> str:
    """A body whose array has four objects."""
    body = order(index)
    items = body["items"]
    assert isinstance(items, list)
    return json.dumps({**body, "items": items[:4], "note": "z" * 350})


def measured(run: Callable[[str], object], texts: Sequence[str], seconds: float) -> Sample:
    done, started = 0, time.process_time()
    while time.process_time() - started < seconds:
        for text in texts:
            run(text)
        done += len(texts)
    taken = time.process_time() - started
    return Sample(done, taken, taken)


def by_ruler(aws: ruler.EventRuler, patterns: Sequence[str], texts: Sequence[str], seconds: float) -> Sample:
    events = [f'{{"body": {text}}}' for text in texts]
    rate = aws.speed(list(patterns), events, seconds, 0.0)
    return Sample(int(rate * seconds), seconds, seconds)


def agreement(aws: ruler.EventRuler, filters: Mapping[str, RecordFilter], texts: Mapping[str, Sequence[str]]) -> float:
    """The share of events on which both say the same."""
    same = []
    for name, patterns in SETS.items():
        for text in texts[name][:100]:
            matches = any(aws.verdict(pattern, f'{{"body": {text}}}').match for pattern in patterns)
            same.append(matches == filters[name].keeps({}, text))
    return sum(same) / len(same)


def main() -> int:
    report = Report.from_arguments(__doc__, rounds=9)
    seconds = report.size(50, 200) / 1000
    filters = {name: RecordFilter.parse(filter_rules("sqs"), list(patterns)) for name, patterns in SETS.items()}
    texts = {name: [four_items(at) for at in range(500)] if name == "array" else bodies(500) for name in SETS}

    def ours(name: str) -> Run:
        keeps = filters[name].keeps
        return partial(measured, lambda text: keeps({}, text), texts[name], seconds)

    sides: dict[str, Run] = {name: ours(name) for name in SETS}
    sides["orjson"] = partial(measured, orjson.loads, bodies(500), seconds)
    report.versions |= dict.fromkeys(SETS, report.versions["ours"]) | {"orjson": f"orjson {orjson.__version__}"}
    try:
        with ruler.start() as aws:
            for name in ("none", "last", "array"):
                aws.speed(list(SETS[name]), [f'{{"body": {text}}}' for text in texts[name]], 0.01, WARM)
                sides[f"ruler_{name}"] = partial(by_ruler, aws, SETS[name], texts[name], seconds)
                report.versions[f"ruler_{name}"] = f"event-ruler {ruler.version()}"
            rounds = report.rounds(sides)
            share = agreement(aws, filters, texts)
            for name in ("none", "last", "array"):
                compare(report, "G1", f"ruler_{name}", rounds, name, f"ruler_{name}")
            report.keep("G1", "ruler_verdicts", Spread(share, share, share, 1))
    except (ServerError, OSError) as error:
        for key in ("ruler_none", "ruler_last", "ruler_array", "ruler_verdicts"):
            report.not_measured("G1", key, f"event-ruler: {reason(error)}")
        rounds = report.rounds({name: run for name, run in sides.items() if not name.startswith("ruler")})
    compare(report, "G2", "parse_five", rounds, "none", "orjson")
    compare(report, "G2", "parse_one", rounds, "one", "orjson")
    return report.end()


def compare(
    report: Report, goal: str, key: str, rounds: Mapping[str, Sequence[Sample]], ours: str, theirs: str
) -> None:
    report.compare(goal, key, rounds, theirs, lambda sample: sample.cpu_rate, "records/s of CPU", ours=ours)


if __name__ == "__main__":
    sys.exit(main())
