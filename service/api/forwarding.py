"""Forwards calls that Headrace does not serve to the configured upstream, unchanged, and returns the answers unchanged.

Requests are not signed again: emulators do not check. Each daemon on the way increases `x-headrace-hops`, so a call in
a circle ends.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from urllib.parse import urlsplit

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from ...dispatch.invokers.base import HOPS, MOST_HOPS
from ..control.refusals import ApiError, invalid_parameter
from .core import field_support
from .wire import refusals

CONNECT, SILENCE, TOTAL = 10.0, 905.0, 960.0
"""Maximum seconds to connect, without a byte, and for a whole call: a streamed answer may take a function's 900."""
_PIECE = 64 * 1024
_BETWEEN_TWO = frozenset(
    {
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Headers that belong to one connection, or that we set ourselves."""


def hops_of(headers: Mapping[str, str]) -> int:
    """How many daemons have forwarded the request already."""
    text = headers.get(HOPS, "")
    return min(int(text), MOST_HOPS) if text.isascii() and text.isdigit() and len(text) < 6 else 0


class Forwarding:
    def __init__(self, upstream: str | None) -> None:
        self._upstream = upstream.rstrip("/") if upstream else None
        self._session: aiohttp.ClientSession | None = None

    async def forward(self, operation: str, request: web.Request, body: bytes, hops: int) -> web.StreamResponse:
        """Raises ApiError when there is no upstream, or the upstream does not answer."""
        if self._upstream is None:
            raise _no_upstream(operation)
        if hops >= MOST_HOPS:
            raise _circle(operation, self._upstream)
        try:
            answer = await self._opened().request(
                request.method,
                URL(self._upstream + path_of(request.raw_path), encoded=True),
                headers=_onward(request.headers, hops + 1),
                data=io.BytesIO(body) if body else None,
                allow_redirects=False,
            )
        except (aiohttp.ClientError, TimeoutError, ValueError) as fault:
            raise _unreachable(operation, self._upstream, fault) from fault
        async with answer:
            return await _returned(request, answer)

    async def aclose(self) -> None:
        if self._session is not None:
            await self._session.close()

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=TOTAL, sock_connect=CONNECT, sock_read=SILENCE),
                connector=aiohttp.TCPConnector(limit=100),
                skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session


async def _returned(request: web.Request, answer: aiohttp.ClientResponse) -> web.StreamResponse:
    """The upstream's answer, piece by piece. When the upstream breaks off, our answer breaks off too. The caller may
    have closed the connection."""
    response = web.StreamResponse(status=answer.status, reason=answer.reason, headers=_between(answer.headers))
    if answer.content_length is not None:
        response.content_length = answer.content_length
    try:
        await response.prepare(request)
        async for piece in answer.content.iter_chunked(_PIECE):
            await response.write(piece)
        await response.write_eof()
    except (aiohttp.ClientError, TimeoutError, ConnectionError):
        if request.transport is not None:
            request.transport.abort()
    return response


def path_of(target: str) -> str:
    """Path and query string of a request's target, as they were sent."""
    if target.startswith("/"):
        return "/" + target.lstrip("/")
    parts = urlsplit(target)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _between(headers: Mapping[str, str]) -> CIMultiDict[str]:
    kept = ((name, value) for name, value in headers.items() if name.lower() not in _BETWEEN_TWO)
    return CIMultiDict(kept)


def _onward(headers: Mapping[str, str], hops: int) -> CIMultiDict[str]:
    onward = _between(headers)
    onward[HOPS] = str(hops)
    return onward


# --- what is said where it does not go on ----------------------------------------------------------------------------


def _no_upstream(operation: str) -> ApiError:
    about = field_support.subject(operation)
    what = f"{operation} ({about}) is not served here" if about else f"{operation} is not served here"
    how = (
        "the operator of Headrace can set api.upstream (HEADRACE_API__UPSTREAM) to the address of an emulator's "
        "Lambda, to which Headrace then forwards it"
    )
    return invalid_parameter(f"{what}; {how}.")


def _circle(operation: str, upstream: str) -> ApiError:
    what = (
        f"{operation} was forwarded {MOST_HOPS} times and came back: api.upstream ({_shown(upstream)}) leads to itself"
    )
    return invalid_parameter(f"{what}; name the emulator's own address.")


def _unreachable(operation: str, upstream: str, fault: Exception) -> ApiError:
    """A temporary error, so that the client tries again."""
    why = str(fault) or type(fault).__name__
    message = f"{operation} is forwarded to api.upstream ({_shown(upstream)}), which cannot be reached: {why}"
    return refusals.upstream_away(message)


def _shown(url: str) -> str:
    """Without a password in it."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
