"""The calls of the Runtime API, in the place of the module that is compiled for AWS's client (`awslambdaric`). Copied
to where a function finds it under the name `runtime_client`; never imported by us.

The compiled module is for one version of Python, this one for all. It also wakes the two sides less often: a small
answer leaves together with the question for the next invocation, which the client asks at once. The functions are those
that the client calls. X-Ray's cause of an error is not sent: nothing reads it.
"""

from __future__ import annotations

import os
import socket
import time
from functools import lru_cache
from urllib.parse import quote

OK, ACCEPTED = 200, 202
DEADLINE = "Lambda-Runtime-Deadline-Ms"
PREFIX = "/2018-06-01/runtime/invocation"
SMALL = 64 * 1024
"""Bytes of an answer that waits for the question. A larger one may be refused, and the client hears that at once."""
READ = 64 * 1024
"""Bytes that are read at once."""


class _ToService:
    """To the Runtime API, for one request after the other."""

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self._socket = socket.create_connection((host.strip("[]"), int(port)))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._replies = self._socket.makefile("rb", READ)

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def reply(self) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body. Raises OSError when there is none."""
        status = 100
        while 100 <= status < 200:
            status, headers = self._head()
        if headers.get("Transfer-Encoding", "").lower() == "chunked":
            return status, headers, self._chunks()
        return status, headers, self._bytes(int(headers.get("Content-Length", 0)))

    def _head(self) -> tuple[int, dict[str, str]]:
        first, headers = self._line().split(None, 2), dict[str, str]()
        while line := self._line():
            name, _, value = line.partition(b":")
            headers[_title(name)] = value.strip().decode(errors="replace")
        return int(first[1]), headers

    def _chunks(self) -> bytes:
        found = b""
        while size := int(self._line().partition(b";")[0], 16):
            found += self._bytes(size)
            self._line()
        while self._line():
            pass  # a trailer
        return found

    def _line(self) -> bytes:
        line: bytes = self._replies.readline()
        if not line.endswith(b"\n"):
            raise ConnectionError("the Runtime API closed the connection")
        return line.rstrip(b"\r\n")

    def _bytes(self, size: int) -> bytes:
        found: bytes = self._replies.read(size)
        if len(found) < size:
            raise ConnectionError("the Runtime API closed the connection")
        return found

    def close(self) -> None:
        self._replies.close()
        self._socket.close()


@lru_cache(maxsize=64)
def _title(name: bytes) -> str:
    """The name of a header, as the compiled module gives it."""
    return name.decode("latin-1").title()


class _Caller:
    """One connection, opened when it is needed, and again after a failure."""

    def __init__(self) -> None:
        self.user_agent = ""
        self._open: _ToService | None = None
        self._waiting: list[tuple[bytes, int, str]] = []
        """Requests that are not sent yet: their bytes, the status that they want, and the error of another status."""

    def ask(self, method: str, path: str, wanted: int, error: str, lines: str = "", body: bytes = b"") -> None:
        """Send it with the next `called`. `lines`: headers, each with the end of its line."""
        address = os.environ["AWS_LAMBDA_RUNTIME_API"]
        head = f"{method} {PREFIX}{path} HTTP/1.1\r\nHost: {address}\r\nUser-Agent: {self.user_agent}\r\n{lines}\r\n"
        self._waiting.append((head.encode() + body, wanted, error))

    def called(self) -> tuple[bytes, dict[str, str]]:
        """Body and headers of the last reply. Raises RuntimeError for another status than the wanted one, OSError
        without a reply."""
        waiting, self._waiting = self._waiting, []
        try:
            return self._called(waiting)
        except BaseException:
            self.close()
            raise

    def _called(self, waiting: list[tuple[bytes, int, str]]) -> tuple[bytes, dict[str, str]]:
        if self._open is None:
            self._open = _ToService(os.environ["AWS_LAMBDA_RUNTIME_API"])
        self._open.send(b"".join([request for request, _, _ in waiting]))
        body, headers = b"", dict[str, str]()
        for _, wanted, error in waiting:
            status, headers, body = self._open.reply()
            if status != wanted:
                _log(wanted, status, body)
                raise RuntimeError(error)
        return body, headers

    def close(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None


def _log(wanted: int, status: int, body: bytes) -> None:
    """A refusal, as the compiled module writes it to the standard output."""
    text = f"Failed to get next invocation. Http Response code: {status}"
    if wanted == ACCEPTED:
        what = "Failed to post handler success response. Http response code:"
        text = f"{what} {status}. {body.decode(errors='replace')}"
    os.write(1, f"[ERROR] [{int(time.time() * 1000)}] LAMBDA_RUNTIME {text}\n".encode())


_caller = _Caller()


def initialize_client(user_agent: str) -> None:
    _caller.user_agent = user_agent


def next() -> tuple[bytes, dict[str, str | int]]:  # noqa: A001 - the name that the client calls
    """The next event with its headers, as the compiled module gives them; waits for it without a limit."""
    _caller.ask("GET", "/next", OK, "Failed to get next")
    event, headers = _caller.called()
    return event, {**headers, DEADLINE: int(headers.get(DEADLINE, 0))}


def post_invocation_result(
    invoke_id: str, result: bytes, content_type: str = "application/json", invocation_id: str | None = None
) -> None:
    _post(invoke_id, "response", result, content_type, invocation_id)


def post_error(invoke_id: str, error: str, xray_cause: str = "", invocation_id: str | None = None) -> None:
    _post(invoke_id, "error", error.encode(), "application/json", invocation_id)


def _post(invoke_id: str, what: str, body: bytes, content_type: str, invocation_id: str | None) -> None:
    lines = f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n"
    if invocation_id is not None:
        lines += f"Lambda-Runtime-Invocation-Id: {invocation_id}\r\n"
    _caller.ask("POST", f"/{quote(invoke_id)}/{what}", ACCEPTED, f"Failed to post invocation {what}", lines, body)
    if len(body) > SMALL:
        _caller.called()
