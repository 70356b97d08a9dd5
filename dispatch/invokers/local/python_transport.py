"""The calls of the Runtime API, for versions of Python that have no compiled `runtime_client`. Copied to where a
function finds it under that name; never imported by us.

AWS's client (`awslambdaric`) makes these calls through a compiled module, which an installation has for one version of
Python only. The functions are those that the client calls. X-Ray's cause of an error is not sent: nothing reads it.
"""

from __future__ import annotations

import http.client
import os
from urllib.parse import quote

OK, ACCEPTED = 200, 202
DEADLINE = "Lambda-Runtime-Deadline-Ms"
PREFIX = "/2018-06-01/runtime/invocation"


class _Caller:
    """One connection, opened when it is needed, and again after a failure."""

    def __init__(self) -> None:
        self.user_agent = ""
        self._open: http.client.HTTPConnection | None = None

    def call(
        self, method: str, path: str, expected: int, body: bytes | None, headers: dict[str, str]
    ) -> tuple[bytes, dict[str, str]]:
        """Body and headers of the answer. Raises RuntimeError for another status, OSError without an answer."""
        try:
            return self._called(method, path, expected, body, {"User-Agent": self.user_agent, **headers})
        except BaseException:
            self.close()
            raise

    def _called(
        self, method: str, path: str, expected: int, body: bytes | None, headers: dict[str, str]
    ) -> tuple[bytes, dict[str, str]]:
        if self._open is None:
            self._open = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
        self._open.request(method, PREFIX + path, body, headers)
        answer = self._open.getresponse()
        found = answer.read()
        if answer.status != expected:
            raise RuntimeError(f"{method} {PREFIX}{path}: status {answer.status}, {found!r}")
        return found, dict(answer.getheaders())

    def close(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None


_caller = _Caller()


def initialize_client(user_agent: str) -> None:
    _caller.user_agent = user_agent


def next() -> tuple[bytes, dict[str, str | int]]:  # noqa: A001 - the name that the client calls
    """The next event with its headers, as the compiled module gives them; waits for it without a limit."""
    event, headers = _caller.call("GET", "/next", OK, None, {})
    found: dict[str, str | int] = {name.title(): _text(value) for name, value in headers.items()}
    return event, {**found, DEADLINE: int(found.get(DEADLINE, 0))}


def _text(value: str) -> str:
    """A header holds bytes of UTF-8, which the library reads as Latin-1."""
    return value.encode("latin-1").decode(errors="replace")


def post_invocation_result(
    invoke_id: str, result: bytes, content_type: str = "application/json", invocation_id: str | None = None
) -> None:
    _post(invoke_id, "response", result, content_type, invocation_id)


def post_error(invoke_id: str, error: str, xray_cause: str = "", invocation_id: str | None = None) -> None:
    _post(invoke_id, "error", error.encode(), "application/json", invocation_id)


def _post(invoke_id: str, what: str, body: bytes, content_type: str, invocation_id: str | None) -> None:
    headers = {"Content-Type": content_type}
    if invocation_id is not None:
        headers["Lambda-Runtime-Invocation-Id"] = invocation_id
    _caller.call("POST", f"/{quote(invoke_id)}/{what}", ACCEPTED, body, headers)
