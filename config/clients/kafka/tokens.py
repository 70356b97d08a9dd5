"""Tokens for OAUTHBEARER, asked for again before they expire."""

from __future__ import annotations

import base64
import json
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import anyio
import anyio.to_thread

from ... import descriptors
from ...clock import steady_time
from ...errors import SourceError, SourceRefused, SourceUnavailable
from ...fields.kafka_mapping import KafkaOauth
from ...fields.kafka_security import OauthClient
from . import tls
from .secrets import ClientCredentials, Secrets

EARLY = 60.0
"""Seconds before its end at which a token is renewed; of a short-lived one, the last fifth."""
ENDPOINT_TIMEOUT = 10.0
"""Seconds."""


@dataclass(frozen=True, slots=True)
class Token:
    text: str = field(repr=False)
    expires: float | None = None
    """Seconds since the epoch; None where the end is not known."""


class Renewed:
    """A token that is good whenever it is asked for."""

    def __init__(self, ask: Callable[[], Awaitable[Token]], now: Callable[[], float] = steady_time) -> None:
        self._ask = ask
        self._now = now
        self._lock = anyio.Lock()
        self._kept: Token | None = None
        self._renew_at = 0.0

    async def token(self) -> str:
        """Raises SourceError when there is none. A token that still holds is good enough when a new one is not had."""
        async with self._lock:
            now = self._now()
            if self._kept is None or now >= self._renew_at:
                try:
                    self._keep(await self._ask(), now)
                except SourceError:
                    if self._kept is None or self._kept.expires is None or now >= self._kept.expires:
                        raise
            assert self._kept is not None
            return self._kept.text

    def _keep(self, token: Token, now: float) -> None:
        if token.expires is not None and token.expires <= now:
            raise SourceRefused("the token has expired: renew it, and check this machine's clock")
        self._kept = token
        lifetime = (token.expires or now) - now
        self._renew_at = now + lifetime - min(EARLY, lifetime / 5)


def provider(tokens: Renewed, extensions: Mapping[str, str] | None = None) -> Any:
    """The same, as aiokafka wants it. `extensions` are told to the brokers with each token."""
    from aiokafka.abc import AbstractTokenProvider
    from aiokafka.errors import KafkaConnectionError

    _look_at_answers()

    class Provider(AbstractTokenProvider):  # type: ignore[misc]
        async def token(self) -> str:
            try:
                return await tokens.token()
            except SourceError as error:  # what aiokafka does not know ends its tasks for good
                raise KafkaConnectionError(str(error)) from error

        def extensions(self) -> dict[str, str]:
            return dict(extensions or {})

    return Provider()


def _look_at_answers() -> None:
    """A broker that refuses a token says so in what it answers (RFC 7628, section 3.2.3). aiokafka takes any answer for
    a login, and what follows for answers to its requests; so its authenticator is told to look."""
    from aiokafka import conn
    from aiokafka.errors import SaslAuthenticationFailed

    if conn.OAuthAuthenticator.__module__ != conn.__name__:
        return

    class Looking(conn.OAuthAuthenticator):  # type: ignore[misc]
        async def step(self, payload: bytes | None) -> tuple[bytes, bool] | None:
            if payload:
                raise SaslAuthenticationFailed(f"the broker does not accept the token: {_status(payload)}")
            step: tuple[bytes, bool] | None = await super().step(payload)
            return step

    conn.OAuthAuthenticator = Looking


def _status(answer: bytes) -> str:
    try:
        return str(json.loads(answer)["status"])
    except (ValueError, LookupError, TypeError):
        return "it gives no reason"


def asked_of(oauth: KafkaOauth, secrets: Secrets) -> Renewed:
    """Where the mapping says that tokens come from."""

    async def read() -> Token:
        assert oauth.token is not None
        text = (await secrets.text(oauth.token)).strip()
        return Token(text, expiry(text))

    async def ask() -> Token:
        assert oauth.token_endpoint is not None
        assert oauth.client_id is not None
        assert oauth.client_secret is not None
        secret = (await secrets.text(oauth.client_secret)).strip()
        client = ClientCredentials(oauth.token_endpoint, oauth.client_id, secret)
        return await _granted(client, {"scope": oauth.scope or ""})

    return Renewed(read if oauth.token else ask)


def granted_to(client: OauthClient, secrets: Secrets) -> Renewed:
    """Tokens for a client that a secret describes. It is read each time, because it may have been changed."""

    async def ask() -> Token:
        found = await secrets.client(client.secret)
        return await _granted(found, {"scope": client.scope, "audience": client.audience})

    return Renewed(ask)


def expiry(text: str) -> float | None:
    """The end of a JSON web token, in seconds since the epoch; None for any other token."""
    try:
        claims = json.loads(base64.urlsafe_b64decode(text.split(".")[1] + "=="))
        return float(claims["exp"])
    except (ValueError, LookupError, TypeError):
        return None


async def _granted(client: ClientCredentials, wanted: Mapping[str, str]) -> Token:
    """A token for client credentials (RFC 6749, section 4.4). `wanted`: what else is asked for; blanks are not."""
    import aiohttp

    url, login = client.endpoint, base64.b64encode(f"{client.client_id}:{client.secret}".encode()).decode()
    form = {"grant_type": "client_credentials"} | {name: value for name, value in wanted.items() if value}
    asked = steady_time()
    trusted = await _trusted(client)
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(ENDPOINT_TIMEOUT)) as session,
            session.post(
                url, data=form, headers={"Authorization": f"Basic {login}"}, allow_redirects=False, ssl=trusted
            ) as answer,
        ):
            return _token(url, answer.status, await answer.read(), asked)
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        what = f"the token endpoint {url} does not answer ({type(error).__name__}): is it running?"
        if descriptors.spent(error):
            what = f"ask the token endpoint {url}: {descriptors.advice()}"
        raise SourceUnavailable(what) from error


async def _trusted(client: ClientCredentials) -> ssl.SSLContext | Literal[True]:
    """By whom the token endpoint is trusted; True: as this machine trusts servers."""
    if not client.authority:
        return True
    try:
        return await anyio.to_thread.run_sync(tls.context, client.authority)
    except SourceRefused as error:
        raise SourceRefused("the secret's oauthIdpCaCertificate is not PEM, or is damaged") from error


def _token(url: str, status: int, body: bytes, asked: float) -> Token:
    try:
        found = json.loads(body)
    except ValueError:
        found = None
    said = found if isinstance(found, dict) else {}
    if status >= 500 or status == 429:
        raise SourceUnavailable(f"the token endpoint {url} answers {status}")
    if status != 200:
        code = str(said.get("error", ""))[:80]
        named = f" ({code})" if code.replace("_", "").isalpha() else ""
        raise SourceRefused(
            f"the token endpoint {url} answers {status}{named}: check client_id, client_secret and the requested scope"
        )
    text, lifetime = said.get("access_token"), said.get("expires_in")
    if not isinstance(text, str) or not text:
        raise SourceRefused(f"the token endpoint {url} answers without an access_token: is it the right URL?")
    if isinstance(lifetime, int | float) and not isinstance(lifetime, bool):
        return Token(text, asked + lifetime)
    return Token(text, expiry(text))
