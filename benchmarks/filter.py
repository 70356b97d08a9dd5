"""What filtering costs: records through the filters of an SQS mapping, against parsing alone and against event-ruler.

    python benchmarks/filter.py [--rounds 9] [--seconds 0.2] [--ruler]

Bodies are about 1 KB of JSON, all different. Every round measures each cell once, interleaved, in CPU time; a cell's
number is the median over the rounds, and so is each ratio taken inside a round. Goals: at least 0.4 times orjson.loads
with five patterns that do not match, 0.9 times with one. `--ruler` adds AWS's event-ruler on the same events (its
thread's CPU time, after four seconds of warm-up): goals 1.0 times it where records match, 0.9 times where none does.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import orjson

from headrace.dispatch.kinds.table import filter_rules
from headrace.dispatch.patterns.formats import RecordFilter

ROOT = Path(__file__).resolve().parent.parent
NOT_MATCHING = [
    '{"body": {"type": ["invoice"]}}',
    '{"body": {"type": ["order"], "detail": {"state": ["closed"]}}}',
    '{"body": {"detail": {"n": [{"numeric": [">", 1000000]}]}}}',
    '{"body": {"detail": {"customer": {"country": ["FR", "IT"]}}}}',
    '{"body": {"id": [{"prefix": "zz"}]}}',
]
MATCHING = [*NOT_MATCHING[:4], '{"body": {"type": [{"prefix": "ord"}], "detail": {"n": [{"numeric": [">=", 0]}]}}}']
ARRAYS = ['{"body": {"items": {"sku": ["sku-4"], "qty": [99]}}}']


def bodies(number: int = 500) -> list[str]:
    """Different JSON texts of about 1 KB."""
    return [json.dumps(order(index)) for index in range(number)]


def order(index: int) -> dict[str, object]:
    customer = {"name": "x" * 40, "country": "DE", "vip": index % 2 == 0}
    return {
        "type": "order",
        "id": f"{index:016x}",
        "text": "y" * 150,
        "detail": {"state": "open", "n": index, "customer": customer},
        "items": [{"sku": f"sku-{at}", "qty": at, "price": 1.5 * at, "tags": ["a", "b"]} for at in range(9)],
    }


def rate(run: Callable[[str], object], texts: list[str], seconds: float) -> float:
    """Records per CPU second."""
    done, started = 0, time.process_time()
    while time.process_time() - started < seconds:
        for text in texts:
            run(text)
        done += len(texts)
    return done / (time.process_time() - started)


def cells() -> dict[str, Callable[[str], object]]:
    def kept(patterns: list[str]) -> Callable[[str], object]:
        record_filter = RecordFilter.parse(filter_rules("sqs"), patterns)
        return lambda text: record_filter.keeps({}, text)

    return {
        "orjson.loads": lambda text: orjson.loads(text),
        "five, none matches": kept(NOT_MATCHING),
        "five, the last matches": kept(MATCHING),
        "one, does not match": kept(NOT_MATCHING[:1]),
        "one, into an array": kept(ARRAYS),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=0.2)
    parser.add_argument("--ruler", action="store_true")
    options = parser.parse_args()
    texts, measured = bodies(), cells()
    rounds = [
        {name: rate(run, texts, options.seconds) for name, run in measured.items()} for _ in range(options.rounds)
    ]
    print(
        f"{len(texts[0])} bytes, {options.rounds} rounds, orjson {orjson.__version__}, Python {sys.version.split()[0]}"
    )
    for name in measured:
        ratios = sorted(one[name] / one["orjson.loads"] for one in rounds)
        speed = statistics.median(one[name] for one in rounds)
        spread = f"{ratios[0]:.2f} to {ratios[-1]:.2f}"
        print(f"{name:<24} {speed:>11,.0f} records/s   {statistics.median(ratios):.2f}x orjson.loads ({spread})")
    if options.ruler:
        against_ruler(texts, {name: statistics.median(one[name] for one in rounds) for name in measured})


def against_ruler(texts: list[str], ours: dict[str, float]) -> None:
    """event-ruler's own time for the same events with the same rules in one machine."""
    sys.path.insert(0, str(ROOT / "tests"))
    from support.event_ruler import ruler

    events = [f'{{"body": {text}}}' for text in texts]
    with ruler.start() as aws:
        for name, patterns in (("five, none matches", NOT_MATCHING), ("five, the last matches", MATCHING)):
            theirs = aws.speed(patterns, events, 4)
            print(f"{name:<24} {ours[name]:>11,.0f} ours   {theirs:>11,.0f} event-ruler   {ours[name] / theirs:.2f}x")


if __name__ == "__main__":
    main()
