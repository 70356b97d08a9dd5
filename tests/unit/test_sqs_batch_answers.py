"""What the answer to a batch call says of each entry, and what it does not say."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.pollers.sqs.core.batch_answers import BatchAnswer, read


def ids(*numbers: int, **more: object) -> list[dict[str, object]]:
    return [{"Id": str(number), **more} for number in numbers]


@pytest.mark.semantics("SQS-27")
@pytest.mark.parametrize(
    ("answer", "refused", "again"),
    [
        ({"Successful": ids(0, 1, 2)}, [], []),
        ({"Successful": ids(0, 2), "Failed": ids(1, SenderFault=False)}, [], [1]),
        ({"Successful": ids(0, 2), "Failed": ids(1, SenderFault=True)}, [1], []),
        ({"Successful": ids(0, 2), "Failed": ids(1)}, [], [1]),
        ({"Successful": ids(0), "Failed": []}, [], [1, 2]),
        ({}, [], [0, 1, 2]),
        ({"Successful": ids(0, 1, 2), "Failed": ids(1, SenderFault=False)}, [], [1]),
        ({"Successful": ids(0, 1, 2, 3)}, [], []),
        ({"Successful": None, "Failed": None}, [], [0, 1, 2]),
        ({"Successful": "all", "Failed": 7}, [], [0, 1, 2]),
        ({"Successful": [None, "0", {"Id": 0}, {}, {"Id": "1"}]}, [], [0, 2]),
    ],
)
def test_an_entry_is_done_only_when_it_is_named_as_done(
    answer: dict[str, Any], refused: list[int], again: list[int]
) -> None:
    assert read(answer, 3) == BatchAnswer(frozenset(refused), frozenset(again))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3), lambda of: st.lists(of, max_size=3)
)


@given(st.dictionaries(st.sampled_from(["Successful", "Failed"]), JSON), st.integers(0, 10))
def test_no_shape_of_an_answer_is_an_error_or_a_success(answer: dict[str, Any], entries: int) -> None:
    assert read(answer, entries) == BatchAnswer(frozenset(), frozenset(range(entries)))
