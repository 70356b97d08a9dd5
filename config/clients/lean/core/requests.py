"""Requests of one endpoint as the bytes that are sent. Pure; keys and time are arguments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from .signing import Signer, SigningKeys

UNSIGNED = frozenset({"connection", "user-agent", "x-amzn-trace-id"})
"""Headers that a proxy on the way may change; botocore signs none of them."""


@dataclass(frozen=True, slots=True)
class RequestWriter:
    """Writes signed POST requests to one endpoint."""

    host: str
    """The value of the header `Host`: with the port where it is not the scheme's own."""
    path: str
    """The path of the endpoint, without the slash at its end."""
    agent: str
    signer: Signer

    @classmethod
    def to(cls, endpoint: str, agent: str, signer: Signer) -> RequestWriter:
        parts = urlsplit(endpoint)
        usual = {"http": 80, "https": 443}[parts.scheme]
        name = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else str(parts.hostname)
        port = "" if parts.port in (None, usual) else f":{parts.port}"
        return cls(f"{name}{port}", parts.path.rstrip("/"), agent, signer)

    def post(self, target: str, headers: Mapping[str, str], body: bytes, keys: SigningKeys, stamp: str) -> bytes:
        """`target`: the path below the endpoint's, with its query, percent-encoded. `headers`: further ones, spelled as
        servers know them. `stamp` is the time, like `20260131T235959Z`. Raises ValueError for a header that would be
        two."""
        where = f"{self.path}{target}"
        sent = {**headers, "Host": self.host, "X-Amz-Date": stamp}
        if keys.token:
            sent["X-Amz-Security-Token"] = keys.token
        lines = "".join([f"{name}: {value}\r\n" for name, value in sent.items()])
        if lines.count("\n") != len(sent) or lines.count("\r") != len(sent):
            raise ValueError("a header holds the end of a line")
        lower = {name.lower(): value.strip() for name, value in sent.items()}
        signed = {name: lower[name] for name in sorted(lower) if name not in UNSIGNED}
        authorization = self.signer.authorization(keys, "POST", where, signed, body, stamp)
        head = (
            f"POST {where} HTTP/1.1\r\n{lines}User-Agent: {self.agent}\r\nAuthorization: {authorization}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        return head.encode("latin-1") + body
