"""Registries with Confluent's REST API: Confluent's own, Karapace, Redpanda, Apicurio's compatible one.

https://docs.confluent.io/platform/current/schema-registry/develop/api.html
"""

from __future__ import annotations

import json
import ssl
from base64 import b64encode
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import anyio

from ...config import descriptors
from ...config.errors import SourceError, SourceRefused, SourceUnavailable
from ...config.fields.schema_registry import url_login
from ...config.reasons import ReasonCode
from .core import avro, json_schema, protobuf, wire
from .core.model import Codec, DataFormat, Schema

if TYPE_CHECKING:
    import aiohttp

PATIENCE = 10.0
"""Seconds for one answer."""
MOST_REFERENCES = 200
GONE = (40401, 40402, 40403)
"""The API's error codes for a subject, a version and a schema that do not exist."""
PASSING = (408, 429)
MEDIA_TYPES = "application/vnd.schemaregistry.v1+json, application/json"

Fields = Mapping[str, Any]


class _Gone(Exception):
    """The registry answered that it does not have the schema. (A missing secret, in contrast, tells nothing about
    schemas.)"""


@dataclass(frozen=True, slots=True)
class RestAccess:
    """Our login at the registry, and the authorities that we trust."""

    username: str = ""
    password: str = field(default="", repr=False)
    tls: ssl.SSLContext | None = field(default=None, repr=False)
    """None: the certificate authorities that this machine trusts."""
    token: Callable[[], Awaitable[str]] | None = field(default=None, repr=False)
    """Gives a token that is good now, in the place of user and password. Raises SourceError."""

    async def headers(self) -> dict[str, str]:
        if self.token is not None:
            return {"Authorization": f"Bearer {await self.token()}"}
        if not self.username and not self.password:
            return {}
        return {"Authorization": f"Basic {b64encode(f'{self.username}:{self.password}'.encode()).decode()}"}


class ConfluentRegistry:
    """Schemas by their numbers."""

    unframe = staticmethod(wire.unframe_confluent)
    codecs: Mapping[DataFormat, Callable[[Schema], Codec]] = {
        "AVRO": avro.codec,
        "PROTOBUF": protobuf.confluent_codec,
        "JSON": json_schema.codec,
    }

    def __init__(self, url: str, access: Callable[[], Awaitable[RestAccess]]) -> None:
        """`access` is asked for at the first look-up, and again after a failure: secrets are replaced. A login in `url`
        counts where `access` has none."""
        parts = urlsplit(url.rstrip("/"))
        self._url = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
        self._login = url_login(url)
        self._access = access
        self._lock = anyio.Lock()
        self._session: aiohttp.ClientSession | None = None
        self._who = RestAccess()

    async def schema(self, schema_id: str) -> Schema | None:
        try:
            found = await self._get(f"/schemas/ids/{schema_id}")
            data_format = _data_format(found)
            if data_format == "PROTOBUF":  # as a descriptor, where the registry can; asked of Avro it is an error
                found = await self._get(f"/schemas/ids/{schema_id}?format=serialized")
            references = await self._references(found, data_format)
            return Schema(data_format, _definition(found), references)
        except _Gone:
            return None
        except KeyError as error:
            raise SourceUnavailable(f"schema registry {self} answers without {error}: is the URL right?") from error

    async def aclose(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def __str__(self) -> str:
        return self._url

    async def _references(self, schema: Fields, data_format: DataFormat) -> dict[str, str]:
        """The schemas to which a schema refers, directly or not, each after those that it needs itself."""
        found: dict[str, str] = {}
        under_way: set[str] = set()

        async def collect(of: Fields) -> None:
            for name, path in self._listed(of, data_format):
                if name in found or name in under_way:
                    continue
                under_way.add(name)
                if len(under_way) > MOST_REFERENCES:
                    raise _Gone("too many references")
                version = await self._get(path)
                await collect(version)
                found[name] = _definition(version)

        await collect(schema)
        return found

    def _listed(self, schema: Fields, data_format: DataFormat) -> list[tuple[str, str]]:
        """The schema's own references: the name of each, and its path."""
        try:
            return [(str(each["name"]), _path_of(each, data_format)) for each in schema.get("references") or ()]
        except (KeyError, TypeError, ValueError) as error:
            raise SourceUnavailable(f"schema registry {self} answers with invalid references") from error

    # --- calls ------------------------------------------------------------------------------------------------------

    async def _get(self, path: str) -> Fields:
        """Raises _Gone for a schema that the registry does not have, and SourceError for any other failure."""
        import aiohttp
        from yarl import URL

        session = await self._opened()
        headers = await self._who.headers() or await RestAccess(*self._login).headers()
        try:
            async with session.get(
                URL(self._url + path, encoded=True), headers=headers, allow_redirects=False
            ) as answer:
                body = await answer.read()
                status = answer.status
        except (aiohttp.ClientError, TimeoutError, OSError, ssl.SSLError) as error:
            await self.aclose()
            raise SourceUnavailable(f"schema registry {self} does not answer: {_reason(error)}") from error
        if status == 200:
            return self._fields(body)
        if status in (401, 403):
            await self.aclose()
        raise self._refusal(status, body)

    async def _opened(self) -> aiohttp.ClientSession:
        import aiohttp

        async with self._lock:
            if self._session is None:
                self._who = await self._looked_up()
                self._session = aiohttp.ClientSession(
                    connector=aiohttp.TCPConnector(ssl=True if self._who.tls is None else self._who.tls),
                    headers={"Accept": MEDIA_TYPES},
                    timeout=aiohttp.ClientTimeout(total=PATIENCE),
                )
            return self._session

    async def _looked_up(self) -> RestAccess:
        """The brokers have no part in what is wrong here: not even a certificate that is for us all the same."""
        try:
            return await self._access()
        except SourceError as error:
            text = f"schema registry {self} cannot be called: {error}"
            raise type(error)(text, ReasonCode.SECRET_UNUSABLE) from error

    def _fields(self, body: bytes) -> Fields:
        try:
            found = json.loads(body)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise SourceUnavailable(f"schema registry {self} does not answer with JSON: is the URL right?")
        return found

    def _refusal(self, status: int, body: bytes) -> SourceError | _Gone:
        code, message = _error(body)
        said = f"schema registry {self} answers {status}" + (f" ({code}: {message})" if message else "")
        if status == 404 and code in GONE:
            return _Gone(said)
        if status in PASSING or status >= 500:
            return SourceUnavailable(said)
        secret = "OAUTHBEARER_AUTH" if self._who.token else "BASIC_AUTH"
        login = "check the login in its URL" if any(self._login) else f"check the {secret} secret"
        hint = {401: login, 403: "its user may not read schemas"}.get(status, "is the URL right?")
        return SourceRefused(f"{said}: {hint}")


def _data_format(schema: Fields) -> DataFormat:
    match schema.get("schemaType") or "AVRO":  # Avro came first, and is not named
        case "AVRO":
            return "AVRO"
        case "PROTOBUF":
            return "PROTOBUF"
        case "JSON":
            return "JSON"
        case other:
            raise SourceUnavailable(f"the schema registry has a schema of type {other!r}, which is not known")


def _definition(schema: Fields) -> str:
    return str(schema["schema"])


def _path_of(reference: Fields, data_format: DataFormat) -> str:
    path = f"/subjects/{quote(str(reference['subject']), safe='')}/versions/{int(reference['version'])}"
    return f"{path}?format=serialized" if data_format == "PROTOBUF" else path


def _error(body: bytes) -> tuple[int, str]:
    """The API's own code and words."""
    try:
        found = json.loads(body)
        return int(found["error_code"]), str(found.get("message", ""))[:300]
    except (ValueError, TypeError, KeyError, AttributeError):
        return 0, ""


def _reason(error: BaseException) -> str:
    if descriptors.spent(error):
        return descriptors.advice()
    if isinstance(error, TimeoutError) and not str(error):
        return f"nothing within {PATIENCE:g} s"
    return str(error) or type(error).__name__
