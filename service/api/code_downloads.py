"""Addresses from which the packages of functions can be fetched, as GetFunction's `Code.Location` promises, and what
answers there.

An address cannot be guessed, and holds until the daemon ends: the secret is its own.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable
from pathlib import Path

from aiohttp import web

from ..control.store.code import CodeStore

PREFIX = "/_headrace/code/"
ROUTE = f"{PREFIX}{{token}}"
_TOKEN = re.compile(r"([0-9a-f]{64})-([0-9a-f]{64})")


class Downloads:
    """`base`: where we listen, `http://127.0.0.1:4566`, without a slash at its end."""

    def __init__(self, code: CodeStore, base: Callable[[], str], secret: bytes) -> None:
        self._code = code
        self._base = base
        self._secret = secret

    def location(self, sha256: str, host: str = "") -> str:
        """`host`: by which the one who asks reaches us, with the port; behind a published port of a container, or when
        we listen on every address, only they know."""
        base = f"http://{host}" if host else self._base()
        return f"{base}{PREFIX}{sha256}-{self._seal(sha256)}"

    def find(self, path: str) -> Path | None:
        """The zip that a request for this path gets; None: there is nothing."""
        found = _TOKEN.fullmatch(path.removeprefix(PREFIX))
        if found is None or not hmac.compare_digest(found[2], self._seal(found[1])):
            return None
        file = self._code.zip(found[1])
        return file if file.is_file() else None

    def _seal(self, sha256: str) -> str:
        return hmac.new(self._secret, sha256.encode(), hashlib.sha256).hexdigest()


class CodeDownloads:
    """Serves packages, to whoever has the address that GetFunction gave."""

    def __init__(self, downloads: Downloads) -> None:
        self._downloads = downloads

    async def get(self, request: web.Request) -> web.StreamResponse:
        """The zip as it was sent, or 404."""
        file = self._downloads.find(request.path)
        if file is None:
            raise web.HTTPNotFound(text="There is no such package.\n")
        return web.FileResponse(file, headers={"Content-Type": "application/zip"})
