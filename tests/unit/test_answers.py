"""What the bytes of a function's answer mean."""

from __future__ import annotations

import json

import pytest

from headrace.dispatch.core.model import Attempt, Failure, FunctionFailed, Unreachable
from headrace.dispatch.invokers.core import answers

ATTEMPT = Attempt("r", 1.0, 2.0, 200, "$LATEST", "Unhandled")


def body(**fields: object) -> bytes:
    return json.dumps(fields).encode()


@pytest.mark.parametrize(
    ("answer", "failure", "words"),
    [
        (body(errorMessage="no", errorType="KeyError", requestId="r", stackTrace=[]), Failure.ERROR, "KeyError: no"),
        (body(errorMessage="no", errorType="Error", trace=["Error: no", "at x"]), Failure.ERROR, "Error: no"),
        (body(errorMessage="only text"), Failure.ERROR, "only text"),
        (
            body(errorType="Sandbox.Timedout", errorMessage="RequestId: r Error: Task timed out"),
            Failure.TIMEOUT,
            "Task",
        ),
        (body(errorMessage="2024-04-08T16:56:22Z r Task timed out after 1.00 seconds"), Failure.TIMEOUT, "timed out"),
        (b"Task timed out after 3.00 seconds", Failure.TIMEOUT, "timed out"),
        (body(errorType="MyError", errorMessage="Task timed out after 3.00 seconds"), Failure.ERROR, "MyError"),
        (body(errorType="Runtime.ExitError", errorMessage="exit status 1"), Failure.CRASH, "exit status 1"),
        (body(errorType="Function.ResponseSizeTooLarge", errorMessage="too large"), Failure.OVERSIZED, "too large"),
        (body(errorType="Runtime.MarshalError", errorMessage="m", requestId="r", stackTrace=[]), Failure.ERROR, "m"),
        (body(errorType="Runtime.HandlerError", errorMessage="Worker process died"), Failure.CRASH, "died"),
        (body(errorType="Runtime.HandlerError", errorMessage="no such order"), Failure.ERROR, "no such order"),
        (body(errorType="RuntimeError", errorMessage="no such order"), Failure.ERROR, "no such order"),
        (b"not JSON \xff\nat all", Failure.ERROR, "not JSON"),
        (b"[1, 2]", Failure.ERROR, "[1, 2]"),
        (b"", Failure.ERROR, "no error text"),
        (body(errorType=7, errorMessage=None), Failure.ERROR, "errorType"),
    ],
)
def test_a_failed_invocation(answer: bytes, failure: Failure, words: str) -> None:
    reply = answers.failed(ATTEMPT, answer)
    assert isinstance(reply, FunctionFailed)
    assert reply.failure is failure
    assert words in reply.detail
    assert "\n" not in reply.detail
    assert reply.body == answer
    assert reply.attempt is ATTEMPT


@pytest.mark.semantics("INVOKE-07")
@pytest.mark.parametrize(
    "answer",
    [
        body(errorMessage="Unable to import module 'app'", errorType="Runtime.ImportModuleError", requestId=""),
        body(errorMessage="index.handler is undefined", errorType="Runtime.HandlerNotFound"),
        body(errorMessage="Bad handler", errorType="Runtime.MalformedHandlerName"),
        body(errorMessage="Syntax error in module", errorType="Runtime.UserCodeSyntaxError"),
        body(errorType="Runtime.InvalidEntrypoint", errorMessage="Couldn't find valid bootstrap(s)"),
        body(errorType="RuntimeError", errorMessage="Worker init failed: No module named 'stock'"),
        # raised while the module was imported: no invocation had an id yet
        body(errorMessage="no table", errorType="KeyError", requestId="", stackTrace=["  File"]),
    ],
)
def test_an_error_of_the_init(answer: bytes) -> None:
    reply = answers.failed(ATTEMPT, answer)
    assert isinstance(reply, Unreachable)
    assert reply.down
    assert reply.cause.text.startswith("the function cannot start: ")
    assert reply.body == answer


@pytest.mark.semantics("INVOKE-14")
@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (body(errorMessage="no", errorType="KeyError"), True),
        (body(errorMessage="no", errorType="KeyError", requestId="r", stackTrace=[]), True),
        (body(errorMessage="no", errorType="Error", trace=[]), True),
        (b"Task timed out after 3.00 seconds", True),
        (b"Task timed out after 3.00 seconds\n", True),
        (b'"Task timed out after 3.00 seconds"', False),
        (b"Task timed out after 3.00 seconds, said the log", False),
        (body(errorMessage="no", errorType="KeyError", order=7), False),
        (body(errorMessage="no", errorType=7), False),
        (body(errorMessage="no"), False),
        (body(batchItemFailures=[]), False),
        (b'["errorType", "errorMessage"]', False),
        (b'{"errorType": "errorMessage"', False),
        (b"null", False),
        (b"", False),
    ],
)
def test_an_error_without_a_header(answer: bytes, error: bool) -> None:
    assert answers.reads_as_error(answer) is error


def test_one_line_is_short_whatever_it_is_given() -> None:
    assert answers.one_line(" a\n\tb \r\n") == "a b"
    assert len(answers.one_line("x" * 10_000_000)) < 400


def test_the_words_of_the_platform() -> None:
    assert answers.timed_out(ATTEMPT, 1.0).body == (
        b'{"errorType":"Sandbox.Timedout","errorMessage":"RequestId: r Error: Task timed out after 1.00 seconds"}'
    )
    assert b"Runtime exited without providing a reason" in answers.exited(ATTEMPT, 0).body
    assert b"Runtime exited with error: exit status 127" in answers.exited(ATTEMPT, 127).body
    assert b"(6291556 bytes)." in answers.oversized(ATTEMPT).body


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (b'{"trace": ["/code/app.js:2", "  return }{;"]}', "/code/app.js:2"),
        (b'{"trace": ["file:///code/app.mjs:1"]}', "/code/app.mjs:1"),
        (b'{"trace": ["Error: no", "    at handler (/code/app.js:1:2)"]}', ""),
        (b'{"trace": [1]}', ""),
        (b'{"trace": []}', ""),
        (b'{"trace": "/code/app.js:2"}', ""),
        (b"[]", ""),
        (b"no JSON", ""),
    ],
)
def test_the_place_of_a_syntax_error_is_the_head_of_its_stack(body: bytes, place: str) -> None:
    assert answers.error_place(body) == place
