"""An STS that says whose credentials these are, and knows nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

ANSWER = """<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>
<Arn>arn:aws:sts::{account}:assumed-role/r/s</Arn><UserId>u</UserId><Account>{account}</Account>
</GetCallerIdentityResult><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></GetCallerIdentityResponse>"""


@asynccontextmanager
async def serve(account: str, status: int = 200) -> AsyncIterator[str]:
    """The URL. `status`: of every answer; 400 is what a server says that has no STS."""

    async def answer(request: web.Request) -> web.Response:
        form = await request.post()
        assert form["Action"] == "GetCallerIdentity"
        return web.Response(status=status, text=ANSWER.format(account=account), content_type="text/xml")

    application = web.Application()
    application.router.add_post("/", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
