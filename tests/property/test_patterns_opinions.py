"""The compiled matcher against a naive one and against AWS's event-ruler, on random patterns and events."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings

from headrace.dispatch.kinds.table import filter_rules
from headrace.dispatch.patterns.arrays import ArrayMatcher
from headrace.dispatch.patterns.compile import arrays_too
from headrace.dispatch.patterns.filters import Pattern
from headrace.dispatch.patterns.formats import RecordFilter
from support import naive_patterns
from support.counts import count
from support.event_ruler import differences, ruler
from support.json_spellings import spelled
from support.pattern_strategies import OPERATORS, Pair, array_pair, literal_pair, pair, pairs

SEED = 20_251_101


def drawn(seed: int, number: int, draw: Callable[[Random], Pair] = pair) -> list[Pair]:
    random = Random(seed)
    print(f"seed {seed}, {number} pairs")
    return [draw(random) for _ in range(number)]


@pytest.mark.semantics("FILTER-01", "FILTER-10")
def test_compiled_and_naive_agree() -> None:
    verdicts: Counter[tuple[str, bool]] = Counter()
    matched = 0
    cases = drawn(SEED, count(1000, 20_000))
    for index, case in enumerate(cases):
        verdict = Pattern.parse(case.pattern).matches(case.event)
        assert verdict == naive_patterns.matches(case.pattern, case.event), (SEED, index, case)
        matched += verdict
        verdicts.update((operator, verdict) for operator in case.operators)
    assert matched * 3 >= len(cases), f"only {matched} of {len(cases)} pairs match: the test has grown blind"
    rare = {
        key: verdicts[key]
        for key in ((operator, verdict) for operator in [*OPERATORS, "$or"] for verdict in (True, False))
        if verdicts[key] < count(10, 200)
    }
    assert not rare


@pytest.mark.semantics("FILTER-01", "FILTER-10")
def test_compiled_and_naive_agree_on_arrays() -> None:
    verdicts: Counter[bool] = Counter()
    unsure = 0
    cases = drawn(SEED + 4, count(1000, 20_000), array_pair)
    for index, case in enumerate(cases):
        pattern = Pattern.parse(case.pattern)
        verdict = pattern.matches(case.event)
        assert verdict == naive_patterns.matches(case.pattern, case.event), (SEED + 4, index, case)
        verdicts[verdict] += 1
        unsure += compiled_alone(pattern, case.event) is None
    assert min(verdicts.values()) * 4 >= len(cases), f"{verdicts}: the test has grown blind"
    assert unsure * 2 < len(cases), f"the complete matcher decided {unsure} of {len(cases)}"


def compiled_alone(pattern: Pattern, event: object) -> bool | None:
    """The verdict without the complete matcher; None where it would decide."""
    asked: list[object] = []

    def general(view: object) -> bool:
        asked.append(view)
        return False

    verdict = arrays_too(pattern.branches, general)(event)
    return None if asked else verdict


@given(pairs())
@settings(max_examples=count(200, 5000), deadline=None, suppress_health_check=list(HealthCheck))
def test_they_agree_on_what_hypothesis_finds(case: Pair) -> None:
    assert Pattern.parse(case.pattern).matches(case.event) == naive_patterns.matches(case.pattern, case.event)


def test_the_fast_path_and_the_complete_matcher_agree() -> None:
    for index, case in enumerate(drawn(SEED + 1, count(1000, 20_000))):
        pattern = Pattern.parse(case.pattern)
        assert pattern.matches(case.event) == ArrayMatcher.of(pattern.branches).matches(case.event), (index, case)


@pytest.mark.semantics("FILTER-40")
def test_data_alone_and_in_their_view_agree() -> None:
    """A filter with rules on the data alone is matched without the view around them."""
    for index, case in enumerate(drawn(SEED + 3, count(500, 10_000))):
        text = f'{{"body": {case.pattern}}}'
        alone = RecordFilter.parse(filter_rules("sqs"), [text])
        beside = RecordFilter.parse(filter_rules("sqs"), [text, {"meta": ["never"]}])
        for body in (case.event, [case.event], [{"a": 1}, case.event]):
            verdict = naive_patterns.matches(text, {"body": body})
            assert alone.keeps({}, json.dumps(body)) is verdict, (index, case)
            assert beside.keeps({}, json.dumps(body)) is verdict, (index, case)


def drawn_literals(seed: int, number: int) -> list[Pair]:
    """Three of four have arrays of objects."""
    return drawn(seed, number - number // 4, literal_pair) + drawn(seed + 1, number // 4)


@pytest.mark.semantics("FILTER-01", "FILTER-40")
def test_the_search_without_parsing_and_naive_agree() -> None:
    random = Random(SEED)
    refused = taken = 0
    cases = drawn_literals(SEED + 6, count(1000, 20_000))
    for index, case in enumerate(cases):
        text = f'{{"body": {case.pattern}}}'
        filters = RecordFilter.parse(filter_rules("sqs"), [text])
        data, body = spelled(random, case.event)
        verdict = naive_patterns.matches(text, {"body": body})
        assert filters.keeps({}, data) is verdict, (SEED + 6, index, case, data)
        assert filters.keeps({}, data.encode()) is verdict, (SEED + 6, index, case, data)
        refused += filters.refuses_unparsed(data)
        taken += verdict
    assert refused * 30 >= len(cases), f"{refused} of {len(cases)} were refused by the search: the test has grown blind"
    assert taken * 5 >= len(cases), f"only {taken} of {len(cases)} were taken: the test has grown blind"


@pytest.mark.needs("java", "maven")
@pytest.mark.semantics("FILTER-01", "FILTER-40")
def test_event_ruler_agrees_with_the_search_but_for_listed_differences() -> None:
    random = Random(SEED)
    with ruler.start() as aws:
        for index, case in enumerate(drawn_literals(SEED + 8, count(300, 20_000))):
            data, body = spelled(random, case.event, keys_once=True)
            text = f'{{"body": {case.pattern}}}'
            theirs = aws.verdict(text, f'{{"body": {data}}}')
            if theirs.match is not RecordFilter.parse(filter_rules("sqs"), [text]).keeps({}, data):
                assert differences.kind_of(text, {"body": body}, aws), (SEED + 8, index, case, data)


@pytest.mark.needs("java", "maven")
@pytest.mark.semantics("FILTER-01")
def test_event_ruler_agrees_but_for_listed_differences() -> None:
    with ruler.start() as aws:
        cases = drawn(SEED + 2, count(300, 5000)) + drawn(SEED + 5, count(300, 20_000), array_pair)
        for index, case in enumerate(cases):
            theirs = aws.verdict(case.pattern, json.dumps(case.event))
            ours = Pattern.parse(case.pattern).matches(case.event)
            if theirs.match is not ours:
                assert differences.kind_of(case.pattern, case.event, aws), (SEED + 2, index, case, theirs, ours)


@pytest.mark.needs("java", "maven")
@pytest.mark.parametrize("difference", differences.DIFFERENCES, ids=lambda one: one.name)
def test_each_listed_difference_is_one(difference: differences.Difference) -> None:
    with ruler.start() as aws:
        theirs = aws.verdict(difference.pattern, difference.event).match
        assert theirs is not differences.ours(difference.pattern, difference.event)
        assert differences.kind_of(difference.pattern, json.loads(difference.event), aws) == difference.name
