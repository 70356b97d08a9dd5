"""How many invocations of the API's functions may run at a time. Pure.

A function with reserved concurrency runs at most that many, over all of its versions; the others share one limit.
https://docs.aws.amazon.com/lambda/latest/dg/lambda-concurrency.html
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

RESERVED_EXCEEDED = "ReservedFunctionConcurrentInvocationLimitExceeded"
SHARED_EXCEEDED = "ConcurrentInvocationLimitExceeded"


@dataclass(frozen=True, slots=True)
class ConcurrencyPlace:
    """The place of one invocation, to be given back at its end."""

    name: str
    reserved: bool


class Concurrency:
    """`shared`: invocations at a time of all functions without reserved concurrency."""

    def __init__(self, shared: int) -> None:
        self._shared = shared
        self._running: Counter[str] = Counter()
        self._unreserved = 0

    def take(self, name: str, reserved: int | None) -> ConcurrencyPlace | str:
        """A place for an invocation of this function, or AWS's reason for the throttle. `reserved` is the
        function's current number; running invocations that began under another number count too."""
        if reserved is None:
            if self._unreserved >= self._shared:
                return SHARED_EXCEEDED
            self._unreserved += 1
        elif self._running[name] >= reserved:
            return RESERVED_EXCEEDED
        self._running[name] += 1
        return ConcurrencyPlace(name, reserved is not None)

    def give_back(self, place: ConcurrencyPlace) -> None:
        self._unreserved -= not place.reserved
        self._running[place.name] -= 1
        if not self._running[place.name]:
            del self._running[place.name]
