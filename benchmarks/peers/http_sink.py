"""An HTTP endpoint that takes lines and forgets them. Prints its URL; writes into the journal that it is given.

http_sink.py JOURNAL      each request holds one record a line
"""

from __future__ import annotations

import asyncio
import os
import sys
import time

import httptools

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


class Sink(asyncio.Protocol):
    def __init__(self, journal: int) -> None:
        self._journal = journal
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._lines = 1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self._lines += body.count(b"\n")

    def on_message_complete(self) -> None:
        assert self._transport is not None
        os.write(self._journal, b"%f %d\n" % (time.monotonic(), self._lines))
        self._lines = 1
        self._transport.write(ANSWER)


async def main() -> None:
    journal = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    server = await asyncio.get_running_loop().create_server(lambda: Sink(journal), "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()[:2]
    print(f"http://{host}:{port}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
