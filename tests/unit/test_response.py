"""What a function's reply means: every row of the truth table."""

from __future__ import annotations

import json

import pytest

from headrace.dispatch.core.model import (
    FailedItems,
    Failure,
    FunctionFailed,
    ItemId,
    Outcome,
    Reply,
    Returned,
    Succeeded,
    Throttled,
    Unreachable,
)
from headrace.dispatch.core.pages import Records
from headrace.dispatch.core.response import TEXT, Identifiers, judge
from headrace.dispatch.kinds.kafka import OFFSETS
from support.paper import ATTEMPT, failed, kafka_records, partition, records
from support.reasons import no_start

BATCH = records([1, 2, 3])
KAFKA = kafka_records(partition(0), [100, 101])


def answer(
    body: bytes,
    batch: Records = BATCH,
    *,
    partial: bool = True,
    windowed: bool = False,
    identifiers: Identifiers = TEXT,
) -> Outcome:
    return judge(Returned(ATTEMPT, body), batch, partial=partial, windowed=windowed, identifiers=identifiers)


def assert_malformed(outcome: Outcome, text: str) -> None:
    assert isinstance(outcome, FunctionFailed)
    assert (outcome.failure, outcome.attempt.function_error, outcome.body) == (Failure.MALFORMED, None, b"")
    assert text in outcome.detail
    assert "\n" not in outcome.detail
    assert len(outcome.detail) < 300


def items(*identifiers: object) -> bytes:
    return json.dumps({"batchItemFailures": [{"itemIdentifier": each} for each in identifiers]}).encode()


@pytest.mark.semantics("RESPONSE-01")
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" \n",
        b"null",
        b'""',
        b"[]",
        b"{}",
        b'{"batchItemFailures":[]}',
        b'{"batchItemFailures":null}',
        b'{"other":1}',
        b'{"batchItemFailures":[],"other":{"x":[1]}}',
        b'{"text":"\\ud800"}',
    ],
)
def test_the_empty_forms_are_a_success(body: bytes) -> None:
    assert answer(body) == Succeeded(ATTEMPT)


@pytest.mark.semantics("RESPONSE-02")
@pytest.mark.parametrize(
    ("body", "ids"),
    [
        (items("2"), {"2"}),
        (items("3", "1"), {"1", "3"}),
        (items("2", "2"), {"2"}),
        (items("1", "2", "3"), {"1", "2", "3"}),
        (b'{"batchItemFailures":[{"itemIdentifier":"2","why":"no"}],"more":1}', {"2"}),
    ],
)
def test_named_records_are_the_failed_ones(body: bytes, ids: set[ItemId]) -> None:
    assert answer(body) == FailedItems(ATTEMPT, frozenset(ids))


@pytest.mark.semantics("RESPONSE-03")
@pytest.mark.parametrize(
    ("body", "text"),
    [
        (items(""), "`batchItemFailures[0]` has an `itemIdentifier` that is not a non-empty string"),
        (items(None), "not a non-empty string: None"),
        (items(123), "not a non-empty string: 123"),
        (items({"a": "b"}), "not a non-empty string"),
        (items(["1"]), "not a non-empty string: a list"),
        (items("999"), "`batchItemFailures[0]` names a record that is not in the batch: 999"),
        (items("1", "999"), "`batchItemFailures[1]` names a record that is not in the batch: 999"),
        (b'{"batchItemFailures":[{"foo":123}]}', "`batchItemFailures[0]` has no `itemIdentifier`"),
        (b'{"batchItemFailures":[{"foo":null}]}', "has no `itemIdentifier`"),
        (b'{"batchItemFailures":[{"foo":"notvalid"}]}', "has no `itemIdentifier`"),
        (b'{"batchItemFailures":[null]}', "has no `itemIdentifier`"),
        (b'{"batchItemFailures":["1"]}', "has no `itemIdentifier`"),
    ],
)
def test_a_name_that_is_not_in_the_batch_fails_all_of_it(body: bytes, text: str) -> None:
    assert_malformed(answer(body), text)


@pytest.mark.semantics("RESPONSE-04")
@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"not json", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"NaN", "NaN is not JSON"),
        (b"1e400", "too large"),
        (b"[" * 100_000, "not JSON"),
        (b"[" * 5000 + b"]" * 5000, "not JSON"),
        (b"9" * 10_000, "not JSON"),
        ("﻿{}".encode(), "not JSON"),
        ("{}".encode("utf-16"), "not JSON"),
        (b'"text"', "must be an object with `batchItemFailures`, not a string"),
        (b'["1"]', "not a list"),
        (b"0", "not a number"),
        (b"1.5", "not a number"),
        (b"true", "not a boolean"),
        (b"false", "not a boolean"),
        (b'{"batchItemFailures":"1"}', "`batchItemFailures` must be a list, not a string"),
        (b'{"batchItemFailures":""}', "must be a list, not a string"),
        (b'{"batchItemFailures":{}}', "must be a list, not an object"),
        (b'{"batchItemFailures":{"itemIdentifier":"1"}}', "must be a list, not an object"),
        (b'{"batchItemFailures":0}', "must be a list, not a number"),
        (b'{"batchItemFailures":false}', "must be a list, not a boolean"),
    ],
)
def test_any_other_shape_fails_all_of_it(body: bytes, text: str) -> None:
    assert_malformed(answer(body), text)


@pytest.mark.semantics("RESPONSE-05")
@pytest.mark.parametrize("body", [b"", b"not json", b"\xff", b"[" * 100_000, items("999"), items("1")])
def test_without_partial_responses_the_body_says_nothing(body: bytes) -> None:
    assert answer(body, partial=False) == Succeeded(ATTEMPT)


@pytest.mark.semantics("RESPONSE-06")
@pytest.mark.parametrize("reply", [failed(), Throttled(ATTEMPT, 1.0), Unreachable(ATTEMPT, no_start("refused"))])
def test_what_is_no_answer_passes_as_it_is(reply: Reply) -> None:
    outcome: object = judge(reply, BATCH, partial=True)
    assert outcome is reply


# --- Kafka ------------------------------------------------------------------------------------------------------------


@pytest.mark.semantics("RESPONSE-07")
def test_kafka_names_partition_and_offset() -> None:
    body = items({"partition": "orders-0", "offset": 101})
    assert answer(body, KAFKA, identifiers=OFFSETS) == FailedItems(ATTEMPT, frozenset({("orders-0", 101)}))


@pytest.mark.semantics("RESPONSE-07")
@pytest.mark.parametrize(
    ("identifier", "text"),
    [
        ("orders-0-100", "is not an object like"),
        ({"partition": "orders-0"}, "is not an object like"),
        ({"partition": "orders-0", "offset": "100"}, "is not an object like"),
        ({"partition": "orders-0", "offset": True}, "is not an object like"),
        ({"partition": "orders-0", "offset": 100.5}, "is not an object like"),
        ({"partition": 0, "offset": 100}, "is not an object like"),
        ({"partition": "orders-0", "offset": 7}, "not in the batch"),
        ({"partition": "orders-1", "offset": 100}, "not in the batch"),
        ({"partition": "orders-0", "offset": 10**30}, "`batchItemFailures[0]`"),
        (None, "is not an object like"),
    ],
)
def test_anything_else_fails_the_kafka_batch(identifier: object, text: str) -> None:
    assert_malformed(answer(items(identifier), KAFKA, identifiers=OFFSETS), text)


# --- tumbling windows -------------------------------------------------------------------------------------------------


@pytest.mark.semantics("RESPONSE-08")
@pytest.mark.parametrize("partial", [False, True])
def test_a_window_needs_its_state(partial: bool) -> None:
    for body, text in (
        (b"", "has no `state`"),
        (b"null", "has no `state`"),
        (b"{}", "has no `state`"),
        (b"[]", "has no `state`"),
        (b'{"state":null}', "has no `state`"),
        (b'{"state":"text"}', "`state` must be a JSON object, not a string"),
        (b'{"state":[1]}', "not a list"),
        (b"oops", "not JSON"),
    ):
        assert_malformed(answer(body, partial=partial, windowed=True), text)


@pytest.mark.semantics("RESPONSE-08")
@pytest.mark.parametrize(
    "state",
    [
        b"{}",
        b'{"sum":1.5,"ids":["a",null,true]}',
        b'{"large":123456789012345678901234567890}',
        b'{"text":"\\ud800"}',
        b'{"deep":' + b"[" * 300 + b"]" * 300 + b"}",
    ],
)
def test_the_state_is_handed_on_as_it_came(state: bytes) -> None:
    assert answer(b'{"state":' + state + b"}", partial=False, windowed=True) == Succeeded(ATTEMPT, state)


@pytest.mark.semantics("RESPONSE-08")
def test_a_state_beside_named_records() -> None:
    body = b'{"batchItemFailures":[{"itemIdentifier":"3"}],"state":{"n":2}}'
    assert answer(body, windowed=True) == FailedItems(ATTEMPT, frozenset({"3"}), b'{"n":2}')
    assert answer(body, windowed=True, partial=False) == Succeeded(ATTEMPT, b'{"n":2}')


@pytest.mark.parametrize("number", [b"1e400", b"-1e999", b"NaN", b"Infinity", b"9" * 5000])
def test_a_state_that_is_not_json_is_malformed(number: bytes) -> None:
    assert_malformed(answer(b'{"state":{"n":' + number + b"}}", windowed=True), "not JSON")


def test_a_functions_own_text_is_shortened_and_kept_on_one_line() -> None:
    outcome = answer(items("a\nb\x1b[31m" + "x" * 1_000_000))
    assert_malformed(outcome, "not in the batch: a")
    assert isinstance(outcome, FunctionFailed)
    assert "\x1b" not in outcome.detail
