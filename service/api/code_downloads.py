"""Addresses from which clients fetch the packages of functions, as GetFunction's `Code.Location` promises, and the
server for them.

An address cannot be guessed, and is valid until the daemon ends: each daemon makes its own secret.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable
from pathlib import Path

from aiohttp import web

from ..control.model import Package
from ..control.store.code import CodeStore

PREFIX = "/_headrace/code/"
ROUTE = f"{PREFIX}{{token}}"
_TOKEN = re.compile(r"([0-9a-f]{64})-([0-9a-f]{64})")


class Downloads:
    """`base`: our own address, `http://127.0.0.1:4566`, without a slash at its end."""

    def __init__(self, code: CodeStore, base: Callable[[], str], secret: bytes) -> None:
        self._code = code
        self._base = base
        self._secret = secret

    def location(self, package: Package, host: str = "") -> str:
        """The URL of a package's zip, or of the user's directory.

        `host`: the host and port that the caller used to reach us; behind a published port of a container, or when
        we listen on every address, only they know."""
        if package.directory:
            return Path(package.directory).as_uri()
        base = f"http://{host}" if host else self._base()
        return f"{base}{PREFIX}{package.sha256}-{self._seal(package.sha256)}"

    def find(self, path: str) -> Path | None:
        """The zip for a request for this path; None: there is none."""
        found = _TOKEN.fullmatch(path.removeprefix(PREFIX))
        if found is None or not hmac.compare_digest(found[2], self._seal(found[1])):
            return None
        file = self._code.zip(found[1])
        return file if file.is_file() else None

    def _seal(self, sha256: str) -> str:
        return hmac.new(self._secret, sha256.encode(), hashlib.sha256).hexdigest()


class CodeDownloads:
    """Serves packages to every client that has an address from GetFunction."""

    def __init__(self, downloads: Downloads) -> None:
        self._downloads = downloads

    async def get(self, request: web.Request) -> web.StreamResponse:
        """The zip as it was sent, or 404."""
        file = self._downloads.find(request.path)
        if file is None:
            raise web.HTTPNotFound(text="There is no such package.\n")
        return web.FileResponse(file, headers={"Content-Type": "application/zip"})
