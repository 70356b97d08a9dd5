"""The state machine of one environment, as a conversation; and every answer that is not a success, to the letter."""

from __future__ import annotations

import base64
import os
import resource
from contextlib import ExitStack

import orjson
import pytest

from headrace.dispatch.invokers.core.answers import RESPONSE_LIMIT
from headrace.dispatch.invokers.local.http1 import RuntimeRequest
from headrace.dispatch.invokers.local.runtime_api import Handed, RuntimeAnswer, RuntimeApi, Session, SessionState

HANDED = Handed("r-1", b'{"a":1}', {"Lambda-Runtime-Aws-Request-Id": "r-1"})


class Talk:
    """Requests to a session, and what it answered."""

    def __init__(self, session: Session | None = None) -> None:
        self.session = session or Session()
        self.answers: list[bytes] = []

    def ask(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        *,
        size: int | None = None,
        incomplete: bool = False,
        **headers: str,
    ) -> RuntimeRequest:
        lower = {name.replace("_", "-"): value for name, value in headers.items()}
        full = path if path.startswith("/") else f"/2018-06-01/runtime/{path}"
        length = len(body) if size is None else size
        request = RuntimeRequest(
            method, full, lower, body, length, lambda data, keep: self.answers.append(data), incomplete=incomplete
        )
        self.session.on_request(request)
        return request

    def next(self) -> RuntimeRequest:
        return self.ask("GET", "invocation/next")

    @property
    def status(self) -> int:
        return int(self.answers[-1].split(b" ", 2)[1])

    @property
    def body(self) -> object:
        return orjson.loads(self.answers[-1].partition(b"\r\n\r\n")[2])

    def error(self) -> tuple[int, object]:
        return self.status, self.body


def running() -> Talk:
    talk = Talk()
    talk.next()
    talk.session.hand_out(HANDED)
    return talk


@pytest.mark.semantics("FN-01")
def test_an_invocation_from_next_to_next() -> None:
    talk = Talk()
    talk.next()
    assert talk.session.state is SessionState.WAITING
    assert talk.answers == []
    talk.session.hand_out(HANDED)
    assert talk.answers[-1].endswith(b'\r\n\r\n{"a":1}')
    assert b"Lambda-Runtime-Aws-Request-Id: r-1\r\n" in talk.answers[-1]
    talk.ask("POST", "invocation/r-1/response", b'"done"')
    assert talk.error() == (202, {"status": "OK"})
    assert talk.session.answer == RuntimeAnswer(b'"done"')
    talk.next()
    assert talk.session.state is SessionState.WAITING


@pytest.mark.semantics("FN-02")
def test_an_error_is_forwarded_unchanged_json_or_not() -> None:
    talk = running()
    talk.ask("POST", "invocation/r-1/error", b"not json")
    assert talk.error() == (202, {"status": "OK"})
    assert talk.session.answer == RuntimeAnswer(b"not json", failed=True)


@pytest.mark.semantics("FN-03")
@pytest.mark.parametrize("path", ["invocation/r-2/response", "invocation/r-2/error"])
def test_another_request_id_is_refused_before_the_state_is_looked_at(path: str) -> None:
    talk = Talk()
    for prepare in (lambda: None, talk.next, lambda: talk.session.hand_out(HANDED)):
        prepare()
        talk.ask("POST", path)
        assert talk.error() == (400, {"errorMessage": "Invalid request ID", "errorType": "InvalidRequestID"})


@pytest.mark.semantics("FN-03")
def test_a_second_answer_is_refused_and_changes_nothing() -> None:
    talk = running()
    talk.ask("POST", "invocation/r-1/response", b"1")
    talk.ask("POST", "invocation/r-1/response", b"2")
    assert talk.error() == (400, {"errorMessage": "Invalid request ID", "errorType": "InvalidRequestID"})
    assert talk.session.answer == RuntimeAnswer(b"1")


@pytest.mark.semantics("FN-04")
def test_a_second_next_while_an_invocation_is_open_is_a_state_error() -> None:
    talk = running()
    talk.next()
    status, body = talk.error()
    assert status == 403
    assert isinstance(body, dict)
    assert body["errorType"] == "InvalidStateTransition"
    assert body["errorMessage"].startswith("State transition from Running to Ready failed for runtime. Error: ")
    assert talk.session.state is SessionState.RUNNING


@pytest.mark.semantics("FN-05")
def test_init_error_only_before_the_first_next() -> None:
    talk = Talk()
    talk.ask("POST", "init/error", b'{"errorType":"X"}')
    assert talk.error() == (202, {"status": "OK"})
    assert talk.session.state is SessionState.FAILED
    assert talk.session.init_error == b'{"errorType":"X"}'
    late = Talk()
    late.next()
    late.ask("POST", "init/error")
    assert late.status == 403


@pytest.mark.semantics("FN-06")
def test_a_response_over_the_limit_is_refused_and_the_environment_stays_usable() -> None:
    talk = running()
    talk.ask("POST", "invocation/r-1/response", b"", size=RESPONSE_LIMIT + 1)
    text = "Exceeded maximum allowed payload size (6291556 bytes)."
    assert talk.error() == (413, {"errorMessage": text, "errorType": "RequestEntityTooLarge"})
    assert talk.session.answer == RuntimeAnswer(b"", oversized=True)
    talk.next()
    assert talk.session.state is SessionState.WAITING


def test_an_unknown_response_mode_is_refused() -> None:
    talk = running()
    talk.ask("POST", "invocation/r-1/response", b"1", lambda_runtime_function_response_mode="drip")
    kind = {"errorMessage": "Invalid function response mode", "errorType": "InvalidFunctionResponseMode"}
    assert talk.error() == (400, kind)


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "restore/next"), ("POST", "restore/error"), ("GET", "/2020-01-01/extension/register"), ("GET", "/")],
)
def test_what_is_not_served_is_not_found(method: str, path: str) -> None:
    talk = Talk()
    talk.ask(method, path)
    assert talk.status == 404


def test_ping() -> None:
    talk = Talk()
    talk.ask("GET", "/2018-06-01/ping")
    assert talk.answers[-1].endswith(b"pong")


def test_a_runtime_that_leaves_while_it_waits_is_not_handed_anything() -> None:
    talk = Talk()
    request = talk.next()
    talk.session.on_closed(request)
    assert talk.session.state is SessionState.STARTING


def test_a_runtime_that_nobody_watches_may_start_again_in_the_middle() -> None:
    talk = Talk(Session(restarts=True))
    talk.next()
    talk.session.hand_out(HANDED)
    talk.next()
    assert talk.session.left
    assert talk.session.state is SessionState.WAITING


@pytest.mark.semantics("FN-28")
def test_a_truncated_answer_is_refused_and_the_invocation_stays_open() -> None:
    talk = running()
    talk.ask("POST", "invocation/r-1/response", b'{"a"', incomplete=True)
    assert talk.error() == (
        400,
        {"errorMessage": "HTTP request detected as truncated", "errorType": "TruncatedHTTPRequest"},
    )
    assert talk.session.state is SessionState.RUNNING
    assert talk.session.answer is None
    talk.ask("POST", "invocation/r-1/response", b"{}")
    assert talk.session.answer == RuntimeAnswer(b"{}")


@pytest.mark.semantics("FN-29")
def test_a_streamed_response_that_failed_on_its_way_is_an_error() -> None:
    talk = running()
    talk.ask(
        "POST",
        "invocation/r-1/response",
        b"half",
        lambda_runtime_function_response_mode="streaming",
        lambda_runtime_function_error_type="Runtime.StreamError",
        lambda_runtime_function_error_body=base64.b64encode(b'{"errorType":"E"}').decode(),
    )
    assert talk.session.answer == RuntimeAnswer(b'{"errorType":"E"}', failed=True)


@pytest.mark.semantics("FN-30")
def test_of_an_error_for_xray_the_caller_sees_three_members() -> None:
    talk = running()
    body = b'{"errorType":"E","errorMessage":"m","stackTrace":[],"paths":[],"workingDirectory":"/secret"}'
    talk.ask("POST", "invocation/r-1/error", body, content_type="application/vnd.aws.lambda.error.cause+json")
    assert talk.session.answer is not None
    assert orjson.loads(talk.session.answer.body) == {"errorMessage": "m", "errorType": "E", "stackTrace": []}


@pytest.mark.semantics("FN-31")
@pytest.mark.parametrize("path", ["invocation/next", "init/error", "invocation/r-1/response"])
def test_a_web_page_is_refused_and_changes_nothing(path: str) -> None:
    talk = Talk()
    talk.ask("GET" if path.endswith("next") else "POST", path, origin="http://evil.example")
    assert talk.status == 403
    assert talk.session.state is SessionState.STARTING


async def test_where_no_descriptor_is_left_it_does_not_open() -> None:
    api = RuntimeApi()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with ExitStack() as full:
        free = os.dup(1)
        full.callback(os.close, free)
        resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))  # all below it are in use
        full.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        with pytest.raises(OSError, match="Too many open files"):
            await api.open()
    await api.open()
    assert api.address.startswith("127.0.0.1:")
    api.close()
