"""Serves the packages of functions, to whoever has the address that GetFunction gave."""

from __future__ import annotations

from aiohttp import web

from ..control.store.downloads import PREFIX, Downloads

ROUTE = f"{PREFIX}{{token}}"


class CodeDownloads:
    def __init__(self, downloads: Downloads) -> None:
        self._downloads = downloads

    async def get(self, request: web.Request) -> web.StreamResponse:
        """The zip as it was sent, or 404."""
        file = self._downloads.find(request.path)
        if file is None:
            raise web.HTTPNotFound(text="There is no such package.\n")
        return web.FileResponse(file, headers={"Content-Type": "application/zip"})
