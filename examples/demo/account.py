"""Where each order stands, from what was left behind as evidence. Pure: demo.py gathers, this decides.

- *delivered*: the journal of the function says that it took the order; it stood on the disk before the answer.
- *filtered*: the daemon's log names the message that a filter refused.
- *redriven*: the message was read from the dead-letter queue.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(slots=True)
class Evidence:
    """What was found, by order number."""

    sent: set[int] = field(default_factory=set)
    taken: Counter[int] = field(default_factory=Counter)
    failed: Counter[int] = field(default_factory=Counter)
    filtered: Counter[int] = field(default_factory=Counter)
    redriven: Counter[int] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Account:
    sent: int
    delivered: int
    after_failures: int
    filtered: int
    redriven: int
    repeated: int
    """Orders that the function took more than once: at least once is the promise."""
    missing: tuple[int, ...]
    """Stand nowhere."""
    torn: tuple[int, ...]
    """Stand in two places."""
    strangers: tuple[int, ...]
    """Were never sent."""
    misplaced: tuple[int, ...]
    """Stand elsewhere than what they are calls for."""

    @property
    def balances(self) -> bool:
        faults = (self.missing, self.torn, self.strangers, self.misplaced)
        return self.delivered + self.filtered + self.redriven == self.sent and not any(faults)


def account(found: Evidence, called_for: Mapping[int, str]) -> Account:
    """`called_for` says for each order where it should end: "delivered", "filtered" or "redriven"."""
    places = {"delivered": set(found.taken), "filtered": set(found.filtered), "redriven": set(found.redriven)}
    standing = Counter(order for orders in places.values() for order in orders)
    misplaced = {order for place, orders in places.items() for order in orders if called_for.get(order, place) != place}
    return Account(
        sent=len(found.sent),
        delivered=len(places["delivered"]),
        after_failures=len(places["delivered"] & set(found.failed)),
        filtered=len(places["filtered"]),
        redriven=len(places["redriven"]),
        repeated=sum(times > 1 for times in found.taken.values()),
        missing=tuple(sorted(found.sent - set(standing))),
        torn=tuple(sorted(order for order, times in standing.items() if times > 1)),
        strangers=tuple(sorted(set(standing) - found.sent)),
        misplaced=tuple(sorted(misplaced)),
    )


def lines(result: Account) -> list[str]:
    """The account for people."""
    total = result.delivered + result.filtered + result.redriven
    text = [
        f"orders sent      {result.sent:>8}",
        f"  delivered      {result.delivered:>8}   in the function's journal, {result.after_failures} after a failure",
        f"  filtered       {result.filtered:>8}   named in the daemon's log",
        f"  redriven       {result.redriven:>8}   read from the dead-letter queue",
        f"accounted for    {total:>8}",
        f"(taken more than once, by redelivery: {result.repeated})",
    ]
    faults = {
        "stand nowhere": result.missing,
        "stand in two places": result.torn,
        "were never sent": result.strangers,
        "stand in the wrong place": result.misplaced,
    }
    text += [f"{len(orders)} orders {what}: {sample(orders)}" for what, orders in faults.items() if orders]
    return [*text, "The account balances." if result.balances else "THE ACCOUNT DOES NOT BALANCE."]


def sample(orders: tuple[int, ...]) -> str:
    return ", ".join(map(str, orders[:10])) + (", …" if len(orders) > 10 else "")
