"""Trying again at the edge: calls to sources and destinations that may fail in passing.

tenacity drives it, with the sleep and the jitter of the caller, so that virtual time works, and with a bound in
attempts only (tenacity's own bound in time reads the real clock). Records are not retried here: that is the planner's.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import anyio

from ..clock import Jitter
from ..errors import SourceUnavailable

if TYPE_CHECKING:
    import tenacity


def delay(attempt: int, jitter: float, base: float = 0.2, cap: float = 5.0) -> float:
    """Seconds to wait after failed attempt `attempt` (one-based): doubling from `base` to `cap`, spread over its upper
    half by `jitter` in [0, 1)."""
    full: float = min(cap, base * 2.0 ** min(attempt - 1, 32))
    return full * (0.5 + jitter / 2)


def retrying(
    attempts: int,
    jitter: Jitter,
    *,
    base: float = 0.2,
    cap: float = 5.0,
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
) -> tenacity.AsyncRetrying:
    """Up to `attempts` tries of what raises SourceUnavailable; anything else, and the last failure, goes to the caller.

    async for attempt in retrying(3, jitter):
        with attempt, faults.translating("delete from orders"):
            await client.delete_message_batch(...)
    """
    import tenacity  # here, because a command that only prints its help must not pay for it

    return tenacity.AsyncRetrying(
        stop=tenacity.stop_after_attempt(attempts),
        retry=tenacity.retry_if_exception_type(SourceUnavailable),
        wait=lambda state: delay(state.attempt_number, jitter(), base, cap),
        sleep=sleep,
        reraise=True,
    )
