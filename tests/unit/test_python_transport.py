"""Our part of the Python runtime client against a listener that plays the Runtime API: what leaves together, and what
each reply means."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from headrace.dispatch.invokers.local import python_transport as transport

HEADERS = b"lambda-runtime-aws-request-id: r-1\r\nLambda-Runtime-Deadline-Ms: 12\r\n"
EVENT = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n" + HEADERS + b"\r\n{}"
ACCEPTED = b'HTTP/1.1 202 Accepted\r\nContent-Length: 15\r\n\r\n{"status":"OK"}'
REFUSED = b"HTTP/1.1 413 Too Large\r\nContent-Length: 1\r\n\r\n!"


class Service:
    """Answers the requests of one client after another, and keeps what each read brought."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.listener.getsockname()[1]}"
        self.read: list[bytes] = []

    def play(self, *replies: bytes) -> threading.Thread:
        """One connection: a reply for each read, which is over when the body of the request is whole."""
        thread = threading.Thread(target=self._play, args=(replies,))
        thread.start()
        return thread

    def _play(self, replies: tuple[bytes, ...]) -> None:
        accepted, _ = self.listener.accept()
        with accepted:
            for reply in replies:
                data = accepted.recv(1_000_000)
                while b"Content-Length: 70000" in data and len(data) < 70_000:
                    data += accepted.recv(1_000_000)
                self.read.append(data)
                accepted.sendall(reply)


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    service = Service()
    monkeypatch.setenv("AWS_LAMBDA_RUNTIME_API", service.address)
    monkeypatch.setattr(transport, "_caller", transport._Caller())
    transport.initialize_client("aws-lambda-python/3")
    yield service
    transport._caller.close()
    service.listener.close()


def test_the_next_event_has_the_names_of_headers_that_the_compiled_client_gives(service: Service) -> None:
    playing = service.play(EVENT)
    event, headers = transport.next()
    playing.join()
    assert (event, headers["Lambda-Runtime-Aws-Request-Id"], headers["Lambda-Runtime-Deadline-Ms"]) == (
        b"{}",
        "r-1",
        12,
    )
    assert service.read[0].startswith(b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: 127.0.0.1:")
    assert b"User-Agent: aws-lambda-python/3\r\n" in service.read[0]


def test_a_small_answer_leaves_with_the_question_for_the_next_event(service: Service) -> None:
    playing = service.play(EVENT, ACCEPTED + EVENT)
    transport.next()
    transport.post_invocation_result("r-1", b"null")
    assert transport.next()[0] == b"{}"
    playing.join()
    assert service.read[1].startswith(b"POST /2018-06-01/runtime/invocation/r-1/response HTTP/1.1\r\n")
    assert b"\r\n\r\nnullGET /2018-06-01/runtime/invocation/next" in service.read[1]


def test_an_error_says_what_it_is_of(service: Service) -> None:
    playing = service.play(ACCEPTED + EVENT)
    transport.post_error("r/1", '{"errorType":"é"}', "cause", "i-1")
    transport.next()
    playing.join()
    assert service.read[0].startswith(b"POST /2018-06-01/runtime/invocation/r/1/error HTTP/1.1\r\n")
    assert b"Lambda-Runtime-Invocation-Id: i-1\r\n" in service.read[0]
    assert '\r\n\r\n{"errorType":"é"}GET '.encode() in service.read[0]


def test_a_large_answer_goes_alone_and_its_refusal_is_raised_at_once(
    service: Service, capfd: pytest.CaptureFixture[str]
) -> None:
    playing = service.play(REFUSED)
    with pytest.raises(RuntimeError, match="Failed to post invocation response"):
        transport.post_invocation_result("r-1", b"x" * 70_000)
    playing.join()
    assert service.read[0].endswith(b"x")
    assert (
        "LAMBDA_RUNTIME Failed to post handler success response. Http response code: 413. !\n" in capfd.readouterr().out
    )


def test_a_refused_answer_is_raised_by_the_question_behind_it(service: Service) -> None:
    playing = service.play(REFUSED)
    transport.post_invocation_result("r-1", b"null")
    with pytest.raises(RuntimeError, match="Failed to post invocation response"):
        transport.next()
    playing.join()
    playing = service.play(EVENT)  # over another connection
    assert transport.next()[0] == b"{}"
    playing.join()


def test_a_body_in_chunks_behind_a_provisional_reply_is_read(service: Service) -> None:
    chunks = (
        b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x\r\n{"\r\n4\r\na":1\r\n1\r\n}\r\n0\r\nX: y\r\n\r\n'
    )
    playing = service.play(b"HTTP/1.1 103 Early Hints\r\nLink: l\r\n\r\n" + chunks)
    assert transport.next() == (b'{"a":1}', {"Transfer-Encoding": "chunked", "Lambda-Runtime-Deadline-Ms": 0})
    playing.join()


def test_a_question_that_is_refused_is_raised(service: Service, capfd: pytest.CaptureFixture[str]) -> None:
    playing = service.play(REFUSED)
    with pytest.raises(RuntimeError, match="Failed to get next"):
        transport.next()
    playing.join()
    assert "Failed to get next invocation. Http Response code: 413\n" in capfd.readouterr().out


@pytest.mark.parametrize("reply", [b"", b"HTTP/1.1 200 O", b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}"])
def test_a_connection_that_ends_early_is_an_error_of_the_connection(service: Service, reply: bytes) -> None:
    playing = service.play(reply)
    with pytest.raises(ConnectionError, match="closed the connection"):
        transport.next()
    playing.join()
