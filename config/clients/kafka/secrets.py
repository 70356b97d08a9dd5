"""Secrets, read from where a mapping says that they are: Secrets Manager, a file, or a variable.

What is in them is as AWS documents it: `{"username", "password"}`, `{"certificate", "privateKey",
"privateKeyPassword"?}`, `{"certificate"}`. In the place of the last two, PEM text is understood as it is. No error has
anything of a secret in it.
"""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio.to_thread

from ...errors import ConfigError, SourceError, SourceMissing, SourceRefused, SourceUnavailable
from ...fields.arn import Arn
from ...fields.kafka_security import reference_fault
from ...fields.spoken import absolute
from ...reasons import ReasonCode
from ...user_text import NotText, text_of
from .. import faults
from ..aws import Clients

_OF_SIGNED = ("oauthPrivateKey", "oauthClientEmail")
"""Fields of the grant for which the client signs an assertion."""
LONGEST = 64 * 1024
"""Bytes; what Secrets Manager takes."""


@dataclass(frozen=True, slots=True)
class Credentials:
    username: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Certificate:
    """A client's certificate with its chain, and its key."""

    certificate: str = field(repr=False)
    private_key: str = field(repr=False)
    password: str = field(default="", repr=False)
    """The password of the key; empty when the key is not encrypted."""


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """A client of an identity provider, as AWS documents the secret."""

    endpoint: str
    """URL that gives tokens."""
    client_id: str
    secret: str = field(repr=False)
    authority: str = field(default="", repr=False)
    """Certificates of authorities by which the provider is trusted, as PEM; empty for those of this machine."""


class Secrets:
    """Reads a secret anew each time."""

    def __init__(self, clients: Clients, base: Path, environ: Mapping[str, str] = os.environ) -> None:
        """`file:` references are relative to `base`."""
        self._clients = clients
        self._base = base
        self._environ = environ

    async def text(self, uri: str) -> str:
        """Raises SourceError, which says what to do."""
        if fault := reference_fault(uri):
            raise _unusable(f"a secret's uri {fault}")
        scheme, _, rest = uri.partition(":")
        match scheme:
            case "file":
                return await anyio.to_thread.run_sync(_content, absolute(self._base, rest))
            case "env":
                return self._variable(rest)
            case _:
                return await self._managed(uri)

    async def credentials(self, uri: str) -> Credentials:
        """User name and password."""
        found = _fields(await self.text(uri), uri, "username", "password")
        return Credentials(found["username"], found["password"])

    async def certificate(self, uri: str) -> Certificate:
        """A client's certificate and key. PEM text has both."""
        text = await self.text(uri)
        if _is_pem(text):
            return Certificate(text, text)
        found = _fields(text, uri, "certificate", "privateKey")
        return Certificate(found["certificate"], found["privateKey"], found.get("privateKeyPassword", ""))

    async def authority(self, uri: str) -> str:
        """The certificates of authorities, as PEM."""
        text = await self.text(uri)
        return text if _is_pem(text) else _fields(text, uri, "certificate")["certificate"]

    async def client(self, uri: str) -> ClientCredentials:
        """The client that an identity provider knows, for the grant of client credentials."""
        text = await self.text(uri)
        said = _fields(text, uri)
        signed = [name for name in _OF_SIGNED if name in said]
        if signed and "oauthClientSecret" in said:
            raise SourceRefused(
                f"the secret at {uri} has oauthClientSecret and {signed[0]}, which are of two grant types: keep one"
            )
        if signed:
            what = f"the secret at {uri} has {signed[0]}, and Headrace does not sign assertions"
            raise SourceRefused(f"{what}: give oauthClientSecret, for the grant of client credentials")
        found = _fields(text, uri, "oauthTokenEndpointUrl", "oauthClientId", "oauthClientSecret")
        url, authority = found["oauthTokenEndpointUrl"], found.get("oauthIdpCaCertificate", "")
        if not re.match(r"https?://[^/]", url):
            raise SourceRefused(f"the secret at {uri} has an oauthTokenEndpointUrl that is not a URL")
        return ClientCredentials(url, found["oauthClientId"], found["oauthClientSecret"], authority)

    def _variable(self, name: str) -> str:
        value = self._environ.get(name, "")
        if not value.strip():
            raise _unusable(f"the variable {name}, which should contain a secret, is not set: set it and start again")
        return value

    async def _managed(self, uri: str) -> str:
        region = Arn.parse(uri).region or None
        try:
            client = await self._clients.get("secretsmanager", region=region)
        except ConfigError as error:
            raise _unusable(f"the secret {uri} cannot be read: {error}") from error
        with faults.translating(f"read the secret {uri}", ReasonCode.SECRET_UNUSABLE):
            answer = await client.get_secret_value(SecretId=uri)
        if answer.get("SecretString"):
            return str(answer["SecretString"])
        try:
            return base64.b64decode(answer.get("SecretBinary") or "").decode()
        except ValueError as error:
            raise _unusable(f"the secret {uri} is not text") from error


def _unusable(text: str, kind: type[SourceError] = SourceRefused) -> SourceError:
    return kind(text, ReasonCode.SECRET_UNUSABLE)


def _content(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            data = stream.read(LONGEST + 1)
    except FileNotFoundError as error:
        what = f"the file {path}, which should contain a secret, does not exist"
        raise _unusable(what, SourceMissing) from error
    except OSError as error:
        what = f"the file {path}, which should contain a secret, cannot be read: {error.strerror}"
        raise _unusable(what, SourceUnavailable) from error
    if len(data) > LONGEST:
        raise _unusable(f"the file {path} is larger than the {LONGEST} bytes that a secret can have")
    try:
        return text_of(data)
    except NotText as fault:
        raise _unusable(f"the file {path}, which should contain a secret, {fault.what}") from None


def _is_pem(text: str) -> bool:
    return text.lstrip().startswith("-----BEGIN ")


def _fields(text: str, uri: str, *needed: str) -> dict[str, str]:
    """The fields of a secret that are text. The parser's own words would show a piece of it."""
    try:
        found: Any = json.loads(text)
    except ValueError:
        found = None
    shape = ", ".join(f'"{name}": …' for name in needed)
    if not isinstance(found, dict):
        raise _unusable(f"the secret at {uri} is not the required JSON: {{{shape}}}")
    values = {str(name): value for name, value in found.items() if isinstance(value, str) and value}
    if missing := [name for name in needed if name not in values]:
        raise _unusable(f"the secret at {uri} has no {' and no '.join(missing)}: it must be {{{shape}}}")
    return values
