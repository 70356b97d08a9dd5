"""Makes botocore's clients sign with a `SigningTime`, and send again what was refused because of the time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from ..core.skew import SigningTime


def corrected(client: Any, at: SigningTime) -> None:
    """Make botocore's `client` sign with this time. A call that it sent again is not sent a third time."""
    signer = client._request_signer
    usual = signer.get_auth_instance

    async def with_our_time(*arguments: Any, **options: Any) -> Any:
        return _timed(await usual(*arguments, **options), at)

    signer.get_auth_instance = signer.get_auth = with_our_time
    client.meta.events.register("needs-retry", _again_with(at))


def _again_with(at: SigningTime) -> Callable[..., float | None]:
    def again(response: Any, attempts: int, **_: Any) -> float | None:
        """Seconds until the call is sent again; None: not because of this."""
        if response is None or attempts > 1:
            return None
        http, parsed = response
        code = parsed.get("Error", {}).get("Code", "")
        headers = {name.lower(): value for name, value in http.headers.items()}
        return 0 if http.status_code >= 400 and at.refused(code, headers) else None

    return again


def _timed(auth: Any, at: SigningTime) -> Any:
    """`auth`, which signs with Signature Version 4, with this time. Another signature has no time, or its own."""
    from botocore.auth import SIGV4_TIMESTAMP, SigV4Auth
    from botocore.exceptions import NoCredentialsError

    if type(auth).add_auth is not SigV4Auth.add_auth:
        return auth

    def add_auth(request: Any) -> None:
        if auth.credentials is None:
            raise NoCredentialsError
        request.context["timestamp"] = datetime.fromtimestamp(at(), UTC).strftime(SIGV4_TIMESTAMP)
        auth._modify_request_before_signing(request)
        canonical = auth.canonical_request(request)
        auth._inject_signature_to_request(request, auth.signature(auth.string_to_sign(request, canonical), request))

    auth.add_auth = add_auth
    return auth
