"""The fate of each order, from the evidence. Pure: the demo gathers, this decides.

- *delivered*: the function's journal has the order; the function writes it to the disk before it answers.
- *filtered*: the daemon's log names the record that a filter refused.
- *given up*: the order was read from the source's dead-letter queue or failure destination.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

DELIVERED, FILTERED, GIVEN_UP = "delivered", "filtered", "given up"


@dataclass(slots=True)
class Evidence:
    """The evidence, by order number."""

    sent: set[int] = field(default_factory=set)
    taken: Counter[int] = field(default_factory=Counter)
    failed: Counter[int] = field(default_factory=Counter)
    filtered: Counter[int] = field(default_factory=Counter)
    given_up: Counter[int] = field(default_factory=Counter)
    amiss: dict[str, set[int]] = field(default_factory=dict)
    """Orders with other problems, by problem."""


@dataclass(frozen=True, slots=True)
class Account:
    sent: int
    delivered: int
    after_failures: int
    filtered: int
    given_up: int
    repeated: int
    """Orders that the function took more than once: at least once is the promise."""
    faults: Mapping[str, tuple[int, ...]]
    """Orders with a wrong fate, by problem."""

    @property
    def total(self) -> int:
        return self.delivered + self.filtered + self.given_up

    @property
    def balances(self) -> bool:
        return self.total == self.sent and not self.faults


def account(found: Evidence, called_for: Mapping[int, str]) -> Account:
    """`called_for` has the expected fate of each order."""
    places = {DELIVERED: set(found.taken), FILTERED: set(found.filtered), GIVEN_UP: set(found.given_up)}
    standing = Counter(order for orders in places.values() for order in orders)
    faults = {
        "stand nowhere": found.sent - set(standing),
        "stand in two places": {order for order, times in standing.items() if times > 1},
        "were never sent": set(standing) - found.sent,
        "stand in the wrong place": {
            order for place, orders in places.items() for order in orders if called_for.get(order, place) != place
        },
        **found.amiss,
    }
    return Account(
        sent=len(found.sent),
        delivered=len(places[DELIVERED]),
        after_failures=len(places[DELIVERED] & set(found.failed)),
        filtered=len(places[FILTERED]),
        given_up=len(places[GIVEN_UP]),
        repeated=sum(times > 1 for times in found.taken.values()),
        faults={what: tuple(sorted(orders)) for what, orders in faults.items() if orders},
    )


@dataclass(frozen=True, slots=True)
class Words:
    """The source's word for discarded orders."""

    given_up: str
    read_from: str
    again: str
    """Why the function may get an order more than once."""


def lines(result: Account, words: Words) -> list[str]:
    """The account as printed."""
    text = [
        f"orders sent      {result.sent:>8}",
        f"  delivered      {result.delivered:>8}   in the function's journal, {result.after_failures} after a failure",
        f"  filtered       {result.filtered:>8}   named in the daemon's log",
        f"  {words.given_up:<14} {result.given_up:>8}   read from the {words.read_from}",
        f"accounted for    {result.total:>8}",
        f"(taken more than once, by {words.again}: {result.repeated})",
    ]
    text += [f"{len(orders)} orders {what}: {sample(orders)}" for what, orders in result.faults.items()]
    return [*text, "The account balances." if result.balances else "THE ACCOUNT DOES NOT BALANCE."]


def sample(orders: tuple[int, ...]) -> str:
    return ", ".join(map(str, orders[:10])) + (", …" if len(orders) > 10 else "")
