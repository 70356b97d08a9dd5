"""Signature Version 4 of a request whose headers are known beforehand. Pure; the time is an argument.

The key of a day is derived once: it takes four of the five HMACs of a signature.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

ALGORITHM = "AWS4-HMAC-SHA256"


@dataclass(frozen=True, slots=True)
class SigningKeys:
    """The key that signs."""

    access_key: str
    secret_key: str = field(repr=False)
    token: str | None = field(default=None, repr=False)
    """The session token of temporary credentials."""


class Signer:
    """Signs requests to one service in one region."""

    def __init__(self, service: str, region: str) -> None:
        """`service`: the signing name, which is not always botocore's (`dynamodb` for `dynamodbstreams`)."""
        self._scope_end = f"{region}/{service}/aws4_request"
        self._region = region
        self._service = service
        self._derived: tuple[str, str, bytes] = ("", "", b"")

    def authorization(
        self, keys: SigningKeys, method: str, target: str, headers: Mapping[str, str], body: bytes, stamp: str
    ) -> str:
        """The value of the header `Authorization`.

        `target` is the path with its query, both percent-encoded. `headers` are those that are signed, with names in
        lower case, in the order of the names. `stamp` is `x-amz-date`, like `20260131T235959Z`.
        """
        path, _, query = target.partition("?")
        names = ";".join(headers)
        lines = "".join([f"{name}:{value}\n" for name, value in headers.items()])
        canonical = f"{method}\n{quote(path)}\n{query}\n{lines}\n{names}\n{hashlib.sha256(body).hexdigest()}"
        scope = f"{stamp[:8]}/{self._scope_end}"
        to_sign = f"{ALGORITHM}\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        signature = hmac.digest(self._key(keys.secret_key, stamp[:8]), to_sign.encode(), "sha256").hex()
        return f"{ALGORITHM} Credential={keys.access_key}/{scope}, SignedHeaders={names}, Signature={signature}"

    def _key(self, secret: str, day: str) -> bytes:
        known_secret, known_day, key = self._derived
        if secret != known_secret or day != known_day:
            key = b"AWS4" + secret.encode()
            for part in (day, self._region, self._service, "aws4_request"):
                key = hmac.digest(key, part.encode(), "sha256")
            self._derived = (secret, day, key)
        return key
