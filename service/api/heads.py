"""The head of a request, as access is decided by it."""

from __future__ import annotations

from urllib.parse import urlsplit

from aiohttp import web

from .core.signatures import Head
from .forwarding import path_of


def head_of(request: web.Request) -> Head:
    """Without its body, as it was sent."""
    target = urlsplit(path_of(request.raw_path))
    headers: dict[str, list[str]] = {}
    for name, value in request.headers.items():
        headers.setdefault(name.lower(), []).append(value)
    return Head(request.method, target.path, target.query, headers)
