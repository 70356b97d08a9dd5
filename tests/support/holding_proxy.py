"""A proxy in front of any server that speaks TCP: it passes everything on until it is told to fall silent.

`hold` keeps the answers: requests arrive, and nothing comes back. `deafen` reads nothing any more, from either side, as
a peer that went away without a word; connections that come are taken and not answered.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

PIECE = 64 * 1024


class HoldingProxy:
    """Runs in threads of its own."""

    def __init__(self, host: str, port: int, own: int = 0) -> None:
        self._target = (host, port)
        self._asks, self._answers = threading.Event(), threading.Event()
        self._listener = socket.create_server(("127.0.0.1", own))
        self._open: list[socket.socket] = [self._listener]
        self.release()
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self) -> int:
        port: int = self._listener.getsockname()[1]
        return port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def release(self) -> None:
        self._asks.set()
        self._answers.set()

    def hold(self) -> None:
        self._answers.clear()

    def deafen(self) -> None:
        self._asks.clear()
        self._answers.clear()

    def close(self) -> None:
        self.release()
        for each in self._open:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._target)
                self._open += [client, server]
                for source, sink, gate in ((client, server, self._asks), (server, client, self._answers)):
                    threading.Thread(target=self._pump, args=(source, sink, gate), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, gate: threading.Event) -> None:
        with suppress(OSError):
            while True:
                gate.wait()
                data = source.recv(PIECE)
                gate.wait()
                if not data:
                    break
                sink.sendall(data)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_WR)


@contextmanager
def proxied(host: str, port: int, own: int = 0) -> Iterator[HoldingProxy]:
    """A proxy in front of this server, at a port of its own choice or at `own`."""
    proxy = HoldingProxy(host, port, own)
    try:
        yield proxy
    finally:
        proxy.close()
