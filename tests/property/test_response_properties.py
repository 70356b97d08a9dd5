"""Any bytes a function may return: an outcome, never an exception."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.dispatch.core.model import FailedItems, Failure, FunctionFailed, Outcome, Returned, Succeeded
from headrace.dispatch.core.pages import Records
from headrace.dispatch.core.response import TEXT, Identifiers, judge
from headrace.dispatch.kinds.kafka import OFFSETS
from support.counts import count
from support.paper import ATTEMPT, kafka_records, partition, records

SCRIPTS = settings(max_examples=count(200, 10_000), deadline=None)

leaves = (
    st.none()
    | st.booleans()
    | st.integers(-3, 5)
    | st.integers()
    | st.floats()
    | st.text(max_size=4)
    | st.sampled_from(["", "1", "2", "9", "orders-0"])
)
identifiers = leaves | st.fixed_dictionaries({}, optional={"partition": leaves, "offset": leaves})
entries = leaves | st.fixed_dictionaries({}, optional={"itemIdentifier": identifiers, "foo": leaves})
values = st.recursive(leaves, lambda each: st.lists(each, max_size=3) | st.dictionaries(st.text(max_size=3), each))
answers = values | st.fixed_dictionaries(
    {}, optional={"batchItemFailures": values | st.lists(entries, max_size=4), "state": values, "x": leaves}
)
texts = answers.map(lambda value: json.dumps(value).encode())


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    body = bytearray(draw(texts))
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.integers(0, len(body)))
        body[place : place + draw(st.integers(0, 2))] = draw(st.binary(max_size=2))
    return bytes(body)


bodies = st.binary(max_size=40) | texts | damaged()
BATCHES: dict[Identifiers, Records] = {
    TEXT: records([1, 2, 3]),
    OFFSETS: kafka_records(partition(0), [0, 1, 2]),
}


def finite(text: str) -> float:
    if "inf" in str(float(text)):
        raise ValueError(text)
    return float(text)


def naive(body: bytes, kind: Identifiers) -> object:
    """The truth table in the plainest words: True for success, a set of names, or False."""
    if not body.strip():
        return True
    try:
        value = json.loads(body.decode(), parse_constant=float.fromhex, parse_float=finite)
    except (ValueError, RecursionError):
        return False
    if value is None or value == "" or value == []:
        return True
    if not isinstance(value, dict):
        return False
    failures = value.get("batchItemFailures")
    if failures is None or failures == []:
        return True
    if not isinstance(failures, list):
        return False
    names = set()
    for each in failures:
        name = each.get("itemIdentifier") if isinstance(each, dict) else None
        if kind is OFFSETS and isinstance(name, dict):
            whole = isinstance(name.get("partition"), str) and type(name.get("offset")) is int
            name = (name["partition"], name["offset"]) if whole else None
        elif kind is OFFSETS:
            return False
        if not isinstance(name, (str, tuple)) or name not in {record.id for record in BATCHES[kind]}:
            return False
        names.add(name)
    return names


def verdict(outcome: Outcome) -> object:
    match outcome:
        case Succeeded():
            return True
        case FailedItems(ids=ids):
            return set(ids)
        case FunctionFailed(failure=Failure.MALFORMED, detail=detail):
            assert detail.isprintable()
            assert len(detail) < 300
            return False
        case _:
            raise AssertionError(outcome)


@SCRIPTS
@given(bodies, st.sampled_from([TEXT, OFFSETS]))
def test_the_verdict_is_that_of_the_table(body: bytes, kind: Identifiers) -> None:
    if any(name in body for name in (b"NaN", b"Infinity")):
        judge(Returned(ATTEMPT, body), BATCHES[kind], partial=True, identifiers=kind)
        return
    outcome = judge(Returned(ATTEMPT, body), BATCHES[kind], partial=True, identifiers=kind)
    assert verdict(outcome) == naive(body, kind)


@SCRIPTS
@given(bodies, st.booleans(), st.sampled_from([TEXT, OFFSETS]))
def test_a_windows_state_is_an_object_that_survives_the_way(body: bytes, partial: bool, kind: Identifiers) -> None:
    outcome = judge(Returned(ATTEMPT, body), BATCHES[kind], partial=partial, windowed=True, identifiers=kind)
    if isinstance(outcome, (Succeeded, FailedItems)):
        assert outcome.state is not None
        assert json.loads(outcome.state) == json.loads(body)["state"]
        assert isinstance(json.loads(outcome.state), dict)
    else:
        assert verdict(outcome) is False


@SCRIPTS
@given(st.sampled_from([b"[", b'{"a":', b'{"batchItemFailures":[', b'{"state":{"a":']), st.integers(1, 3000))
def test_nesting_of_any_depth_is_answered(opening: bytes, depth: int) -> None:
    closing = b"".join({91: b"]", 123: b"}"}[char] for char in reversed(opening) if char in b"[{")
    for body in (opening * depth, opening * depth + b"1" + closing * depth):
        for windowed in (False, True):
            verdict(judge(Returned(ATTEMPT, body), BATCHES[TEXT], partial=True, windowed=windowed))
