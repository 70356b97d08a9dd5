"""Who may call the Lambda API. Pure; the time is an argument.

On the loopback every client on this machine may, without a signature. Browsers are on this machine too, and run code of
any page; so a Host that is not ours (a name that was rebound to 127.0.0.1) and a foreign Origin are refused there.

On any other address a request needs a signature by one of the configured keys, or by the functions' own key: functions
call each other here. Without configured keys the API refuses all other requests there.
Health, metrics and status never come here.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit

from ....config.addresses import is_loopback
from ...control.refusals import ApiError, access_denied
from . import signatures
from .signatures import Claim, Head

FUNCTION_KEY = re.compile(r"TEST|\d{12}", re.ASCII)
"""The forms of functions' key ids: `TEST`, or twelve digits, which some emulators read as the account."""
CLOSED = (
    "The Lambda API is closed on this address: every client that reaches it could run code here. Set api.access_keys "
    "(key id and secret that callers sign with), or listen on 127.0.0.1."
)


@dataclass(frozen=True, slots=True)
class Admitted:
    """An admitted request; the signature of its body is still to be checked."""

    claim: Claim | None = None


class ApiAccess:
    def __init__(
        self, host: str, hosts: Collection[str], secrets: Mapping[str, str], functions_secret: str = ""
    ) -> None:
        """`host`: the daemon's real address; `hosts`: its other names. `secrets`: by key id.
        `functions_secret`: the secret of the functions, under their key id for emulators; empty for none."""
        self._local = is_loopback(host)
        self._functions_secret = functions_secret
        self._hosts = {_name(each) for each in hosts} | {host.lower()}
        self._secrets = secrets

    def admit(self, head: Head, now: float, steady: float | None = None) -> Admitted:
        """Checks method, path and headers alone. `now` is wall-clock time, and `steady` the same without the clock's
        steps: a signature is good by one of them, because nobody knows which the client has. Raises ApiError."""
        if self._local:
            self._refuse_browsers(head)
            return Admitted()
        claim = self._claimed(head)
        clocks = [datetime.fromtimestamp(each, UTC) for each in (now, now if steady is None else steady)]
        signatures.verify_claim(claim, head, self._known(claim), clocks)
        return Admitted(claim)

    def admit_page(self, head: Head) -> None:
        """Admits to the files of our own page, which say nothing of this daemon. A browser cannot sign for what it
        opens by itself, so elsewhere they are for everybody, once there are keys: the page signs what it then asks for.
        Raises ApiError."""
        if self._local:
            self._refuse_browsers(head, opened=True)
        elif not self._secrets:
            raise access_denied(CLOSED)

    def _claimed(self, head: Head) -> Claim:
        """Without configured keys, only functions get a more specific refusal than this."""
        try:
            claim = signatures.claimed(head)
        except ApiError:
            if not self._secrets:
                raise access_denied(CLOSED) from None
            raise
        if not self._secrets and not self._known(claim):
            raise access_denied(CLOSED)
        return claim

    def _known(self, claim: Claim) -> Mapping[str, str]:
        """The secret of the key, by its id; a configured one comes first."""
        if claim.key_id in self._secrets:
            return self._secrets
        if self._functions_secret and FUNCTION_KEY.fullmatch(claim.key_id):
            return {claim.key_id: self._functions_secret}
        return {}

    def check_body(self, admitted: Admitted, head: Head, body: bytes) -> None:
        """Raises ApiError."""
        if admitted.claim is not None:
            signatures.verify_body(admitted.claim, head, self._known(admitted.claim), body)

    def _refuse_browsers(self, head: Head, *, opened: bool = False) -> None:
        """`opened`: a browser may show it because a page of somebody else's has a link to it."""
        hosts = head.headers.get("host", ())
        if len(hosts) != 1 or not self._ours(hosts[0]):
            raise _foreign("Host", hosts)
        for origin in head.headers.get("origin", ()):
            if not self._ours(urlsplit(origin).netloc if "://" in origin else ""):
                raise _foreign("Origin", [origin])
        sites = head.headers.get("sec-fetch-site", ())
        if "cross-site" in sites and "origin" not in head.headers and not (opened and _is_opened(head)):
            raise _foreign("Sec-Fetch-Site", sites)

    def _ours(self, netloc: str) -> bool:
        name = _name(netloc)
        return bool(name) and (name in self._hosts or is_loopback(name))


def _is_opened(head: Head) -> bool:
    """Whether a browser asks because somebody followed a link: it shows the answer in a window of its own."""
    mode, place = (head.headers.get(f"sec-fetch-{name}", ()) for name in ("mode", "dest"))
    return list(mode) == ["navigate"] and list(place) == ["document"]


def _name(netloc: str) -> str:
    """The name of a host with or without a port, in lower case; empty where there is none."""
    try:
        return urlsplit(f"//{netloc}").hostname or ""
    except ValueError:
        return ""


def _foreign(header: str, values: Sequence[str]) -> ApiError:
    told = ", ".join(values)[:200] or "missing"
    return access_denied(
        f"The request's {header} ({told}) is not this machine's, so a web page may have sent it. If it is yours, add "
        "its name to api.hosts."
    )
