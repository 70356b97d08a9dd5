"""What a refusal says of our clock: pure.

A service compares the time in a signature with its own, and refuses a request that is some minutes off: a virtual
machine that slept has such a clock. The answer carries the service's time, so the request can be signed again with it.
`config/clients/aws.py` makes a `SigningTime` for each client, which signs with it: the lean client, or botocore's
(`config/clients/signing.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime

ALLOWED = 240.0
"""Seconds by which a signature's time may be off: a minute less than the 5 that most services of AWS allow.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html"""

CODES = frozenset(
    {
        "AuthFailure",
        "InvalidSignatureException",
        "RequestExpired",
        "RequestInTheFuture",
        "RequestTimeTooSkewed",
        "SignatureDoesNotMatch",
    }
)
"""Codes with which services refuse the time of a signature; some of them refuse other things too."""


def lead_after(code: str, date: str, wall: float, lead: float) -> float | None:
    """How many seconds the service's clock is ahead of ours (below zero: behind), when the time was why it refused.
    None when it was not, or when that cannot be known.

    `code` is the refusal's, `date` its header `Date`, `wall` our clock in seconds since the epoch. `lead` is the one
    with which the request was signed.
    """
    if code not in CODES:
        return None
    try:
        told = parsedate_to_datetime(date).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
    ahead = told - wall
    return ahead if abs(ahead - lead) > ALLOWED else None


class SigningTime:
    """The time with which the calls of one client are signed: the machine's, until the service refuses it, then the
    service's. Where the machine's clock steps, the next refusal corrects it again."""

    def __init__(self, wall: Callable[[], float]) -> None:
        """`wall`: the machine's time, in seconds since the epoch."""
        self._wall = wall
        self._lead = 0.0

    def __call__(self) -> float:
        """Seconds since the epoch."""
        return self._wall() + self._lead

    def refused(self, code: str, headers: Mapping[str, str]) -> bool:
        """Whether the time was why the service refused a call, so that sending it again helps. `headers` by their names
        in lower case."""
        lead = lead_after(code, headers.get("date", ""), self._wall(), self._lead)
        if lead is not None:
            self._lead = lead
        return lead is not None
