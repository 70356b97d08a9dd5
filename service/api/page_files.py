"""The files of the page at `/`: read once, sent as they are. What they show comes from `/v1/…`.

The page holds nothing of its own, and runs nothing but these files: its policy lets no script, style or address of
somebody else in, and no text become markup.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from ..control.refusals import ApiError
from .core.access import ApiAccess
from .heads import head_of
from .wire.refusals import form_of

DIRECTORY = Path(__file__).with_name("page")
FIRST = "index.html"
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-cache",
}


@dataclass(frozen=True, slots=True)
class PageFile:
    body: bytes
    media: str
    tag: str
    """Changes with the body."""


class PageFiles:
    def __init__(self, access: ApiAccess) -> None:
        self._access = access
        self._files = dict(_read())

    def add_to(self, app: web.Application) -> None:
        app.router.add_get("/", self._send)
        app.router.add_get("/page/{name}", self._send)

    async def _send(self, request: web.Request) -> web.Response:
        try:
            self._access.admit_page(head_of(request))
        except ApiError as error:
            return web.Response(text=f"{error.message}\n", status=form_of(error).status, headers=HEADERS)
        found = self._files.get(request.match_info.get("name", FIRST))
        if found is None:
            return web.Response(text="the page has no such file\n", status=404, headers=HEADERS)
        headers = {**HEADERS, "ETag": found.tag}
        if request.headers.get("If-None-Match") == found.tag:
            return web.Response(status=304, headers=headers)
        return web.Response(body=found.body, headers={**headers, "Content-Type": found.media})


def _read() -> Iterator[tuple[str, PageFile]]:
    for path in sorted(DIRECTORY.iterdir()):
        if path.suffix in TYPES:
            body = path.read_bytes()
            tag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
            yield path.name, PageFile(body, TYPES[path.suffix], tag)
