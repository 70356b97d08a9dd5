"""The demo's account: it balances only when every order stands exactly once, and where it is called for."""

from __future__ import annotations

import importlib
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

CALLED_FOR = {1: "delivered", 2: "filtered", 3: "given up", 4: "delivered"}


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "examples" / "demo"))
    return importlib.import_module("account")


def evidence(account: ModuleType, **changes: Any) -> Any:
    found = {
        "sent": {1, 2, 3, 4},
        "taken": Counter({1: 1, 4: 1}),
        "failed": Counter({3: 3, 4: 1}),
        "filtered": Counter({2: 1}),
        "given_up": Counter({3: 1}),
    }
    return account.Evidence(**(found | changes))


def words(account: ModuleType) -> Any:
    return account.Words(given_up="redriven", read_from="dead-letter queue", again="redelivery")


def test_it_balances_when_each_stands_once(account: ModuleType) -> None:
    result = account.account(evidence(account), CALLED_FOR)
    assert (result.sent, result.delivered, result.filtered, result.given_up) == (4, 2, 1, 1)
    assert result.after_failures == 1
    assert result.balances
    assert account.lines(result, words(account))[-1] == "The account balances."


def test_a_redelivery_is_told_and_does_not_count_twice(account: ModuleType) -> None:
    result = account.account(evidence(account, taken=Counter({1: 2, 4: 1})), CALLED_FOR)
    assert result.repeated == 1
    assert result.delivered == 2
    assert result.balances


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"taken": Counter({1: 1})}, "1 orders stand nowhere: 4"),
        ({"given_up": Counter({3: 1, 1: 1})}, "1 orders stand in two places: 1"),
        ({"filtered": Counter({2: 1, 9: 1})}, "1 orders were never sent: 9"),
        ({"taken": Counter({1: 1}), "given_up": Counter({3: 1, 4: 1})}, "1 orders stand in the wrong place: 4"),
        ({"filtered": Counter()}, "1 orders stand nowhere: 2"),
        ({"amiss": {"were delivered out of order": {1}}}, "1 orders were delivered out of order: 1"),
    ],
)
def test_it_does_not_balance_when_one_is_lost_torn_or_misplaced(
    account: ModuleType, changes: dict[str, Any], fault: str
) -> None:
    result = account.account(evidence(account, **changes), CALLED_FOR)
    assert not result.balances
    assert fault in account.lines(result, words(account))
    assert account.lines(result, words(account))[-1] == "THE ACCOUNT DOES NOT BALANCE."
